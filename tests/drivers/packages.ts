// Small boot packages, and keys that sign them, for tests.

import { BOOT_MANIFEST_SIZE } from "../../abi/boot-package.ts";
import { BOOT_PACKAGE_PA } from "../../abi/memory-map.ts";
import { TEE_PROFILES } from "../../el1/tees/profiles.ts";
import {
  type BootPackage,
  encodeBootPackage,
  signBootPackage,
  type TeeEntry,
} from "../../host/machine/boot-package.ts";
import { ramImages } from "../machine/boot-images.ts";
import type { Machine } from "../machine/machine.ts";
import { ROOT_KEY } from "../machine/root-key.ts";

const MIB = 2 ** 20;
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

/** The package in a model machine's flash is changed: this is what a signer who has written that would have signed. */
export function signAnew({ memory }: Machine): void {
  const manifest = signBootPackage(memory.bytes(BOOT_PACKAGE_PA, BOOT_MANIFEST_SIZE), ROOT_KEY.privateKey);
  memory.load(BOOT_PACKAGE_PA, manifest);
}

/** The same package with other bytes at a place of the manifest, signed anew: what a signer could write. */
export function resigned(bytes: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  change(new DataView(copy.buffer), copy);
  return signBootPackage(copy, ROOT_KEY.privateKey);
}
