// Small boot packages, and keys that sign them, for tests.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { TEE_PROFILES } from "../../el1/tees/profiles.ts";
import {
  type BootPackage,
  encodeBootPackage,
  signBootPackage,
  type TeeEntry,
} from "../../host/machine/boot-package.ts";
import { publicKeyOf } from "../../host/machine/keys.ts";
import { ramImages } from "../machine/boot-images.ts";

const MIB = 2 ** 20;
/** RFC 8410, section 7: what stands before the 32 bytes of a private key in PKCS #8. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
}

/** Always the same key of this number. */
export function aKey(seed: number): TestKey {
  const key = Buffer.concat([PKCS8_PREFIX, Buffer.alloc(32, seed)]);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

/** Whose public half is in the model machine's fuses. */
export const ROOT_KEY = aKey(0x11);

/** All of a package but its TEEs. */
export function someRamImages(): Omit<BootPackage, "tees"> {
  return {
    version: 5n,
    ramPa: 0x40000000,
    ramSize: 1024 * MIB,
    poolPa: 0x70000000,
    poolSize: 64 * MIB,
    poolTeeOffset: 32 * MIB,
    coreCount: 2,
    ...ramImages(),
  };
}

export function someTee(name: string, size: number): TeeEntry {
  const image = Uint8Array.from({ length: size }, (_, index) => (index * 7 + size) & 0xff);
  const deviceTree = { bytes: new Uint8Array(0xffc).fill(0xdd), memoryOffset: 16 };
  return { profile: { ...TEE_PROFILES["optee-4.5"], name }, version: "1.0", image, deviceTree };
}

/** Two TEEs, the second without a device tree. Little is padding: tests try every byte of it. */
export function aSignedPackage(change: Partial<BootPackage> = {}, key = ROOT_KEY): Uint8Array {
  const first = someTee("first", 0x1ff8);
  const { deviceTree: _, ...second } = someTee("second", 0xff0);
  const bytes = encodeBootPackage({ ...someRamImages(), tees: [first, second], ...change });
  return signBootPackage(bytes, key.privateKey);
}

/** The same package with other bytes at a place of the manifest, signed anew: what a signer could write. */
export function resigned(bytes: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  change(new DataView(copy.buffer), copy);
  return signBootPackage(copy, ROOT_KEY.privateKey);
}
