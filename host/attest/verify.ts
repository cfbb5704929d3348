// The verifier: whether evidence is the answer of a known device to a known question, about the guest that is meant, and
// whether it is good enough. What it takes from elsewhere is the device's public key and the nonce; nothing that comes
// with the evidence is believed before the signature is.

import { type Claims, readClaims } from "./claims.ts";
import { checkHeaders, checkSignature, HEADER_KID, keyThumbprint, parseSign1 } from "./cose-sign1.ts";
import { brokenRule, type Policy } from "./policy.ts";
import { Refusal, type RefusalCode } from "./refusal.ts";

export interface Expected {
  /** Ed25519, 32 bytes. Whoever has it vouches that its secret is in such a device only. */
  readonly deviceKey: Uint8Array;
  /** 8 to 64 bytes that were never used before (challenges.ts). */
  readonly nonce: Uint8Array;
  /** 32 bytes. Left out: any guest of the device will do. */
  readonly guest?: Uint8Array;
  readonly policy?: Policy;
}

export type Verdict =
  | { readonly isAccepted: true; readonly claims: Claims }
  | { readonly isAccepted: false; readonly code: RefusalCode; readonly reason: string };

export function verifyEvidence(bytes: Uint8Array, expected: Expected): Verdict {
  try {
    return { isAccepted: true, claims: accept(bytes, expected) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { isAccepted: false, code: error.code, reason: error.message };
  }
}

function accept(bytes: Uint8Array, { deviceKey, nonce, guest, policy = {} }: Expected): Claims {
  const message = parseSign1(bytes);
  checkHeaders(message);
  checkKeyIdentifier(message.protectedHeader.get(HEADER_KID), deviceKey);
  checkSignature(message, deviceKey);
  const claims = readClaims(message.payload);
  if (claims.nonce !== hex(nonce)) throw new Refusal("nonce", "it answers another nonce: a replay");
  if (guest !== undefined && claims.guest !== hex(guest))
    throw new Refusal("guest", `it is about guest ${claims.guest}`);
  if (!claims.lockedDown)
    throw new Refusal("not-locked-down", "the hypervisor was not yet held to its rules");
  const rule = brokenRule(policy, claims);
  if (rule !== undefined) throw new Refusal(`policy:${rule}`, `the policy's rule “${rule}” is not met`);
  return claims;
}

/** The profile wants it, though a verifier with one key could do without: it tells a wrong key from a forgery. */
function checkKeyIdentifier(kid: unknown, deviceKey: Uint8Array): void {
  if (!(kid instanceof Uint8Array)) throw new Refusal("not-cose", "no kid in the protected header");
  if (hex(kid) !== hex(keyThumbprint(deviceKey)))
    throw new Refusal("wrong-key", `it names the key ${hex(kid)}, which is not this device's`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
