// A device's public key as people keep it: a PEM file, or 64 hexadecimal digits.

import { createPublicKey } from "node:crypto";

const HEX_KEY = /^[0-9a-f]{64}$/i;

/** The 32 bytes of an Ed25519 key (RFC 8032), or undefined if the text is none. */
export function parseDeviceKey(text: string): Uint8Array | undefined {
  const trimmed = text.trim();
  if (HEX_KEY.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, "hex"));
  try {
    if (!trimmed.startsWith("-----BEGIN PUBLIC KEY-----")) return undefined;
    const { kty, crv, x } = createPublicKey(trimmed).export({ format: "jwk" });
    if (kty !== "OKP" || crv !== "Ed25519") return undefined;
    return new Uint8Array(Buffer.from(x!, "base64url"));
  } catch {
    return undefined;
  }
}
