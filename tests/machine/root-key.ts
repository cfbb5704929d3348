// Keys for tests, always the same ones; that of the model machine's fuses among them.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { publicKeyOf } from "../../host/machine/keys.ts";

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
