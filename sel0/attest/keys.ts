// The device's keys. Of its secret the compartment keeps what HKDF (RFC 5869) extracts from it, and the key with which
// evidence is signed; a guest's key is made anew whenever it is asked for, and kept by nobody here.

import { ATTEST_GUEST_KEY_INFO, ATTEST_SIGNING_KEY_INFO } from "../../abi/attest-compartment";
import {
  COSE_CRV_ED25519,
  COSE_KEY_CRV_ARGUMENT,
  COSE_KEY_KTY,
  COSE_KEY_X_ARGUMENT,
  COSE_KTY_OKP,
} from "../../abi/attestation";
import { ED25519_PUBLIC_KEY_SIZE, ED25519_SEED_SIZE, ed25519PublicKey } from "../crypto/ed25519";
import { HKDF_KEY_SIZE, hkdfSha256Expand, hkdfSha256Extract } from "../crypto/hkdf-sha256";
import { sha256 } from "../crypto/sha256";
import { putText } from "./bytes";
import { cborBytes, cborMap, cborNegative, cborUnsigned } from "./cbor";

export const SECRET_SIZE: usize = 32;
export const IDENTITY_SIZE: usize = 32;
export const GUEST_KEY_SIZE: usize = 32;
export const THUMBPRINT_SIZE: usize = 32;

const STARTED: usize = memory.data(4, 8); // u32
const ROOT_KEY: usize = memory.data(32, 8); // the PRK of section 2.2
const IDENTITY: usize = memory.data(32, 8);
const SEED: usize = memory.data(32, 8);
const PUBLIC_KEY: usize = memory.data(32, 8);
const THUMBPRINT: usize = memory.data(32, 8);

/** Words that tell what a key is for, and what else it depends on. */
const INFO: usize = memory.data(128, 8);
const COSE_KEY: usize = memory.data(64, 8);

export function isStarted(): bool {
  return load<u32>(STARTED) !== 0;
}

export function identityPtr(): usize {
  return IDENTITY;
}

export function seedPtr(): usize {
  return SEED;
}

export function publicKeyPtr(): usize {
  return PUBLIC_KEY;
}

/** The kid of this device's evidence. */
export function thumbprintPtr(): usize {
  return THUMBPRINT;
}

export function startKeys(secretPtr: usize, deviceIdentityPtr: usize): void {
  memory.copy(IDENTITY, deviceIdentityPtr, IDENTITY_SIZE);
  hkdfSha256Extract(IDENTITY, IDENTITY_SIZE, secretPtr, SECRET_SIZE, ROOT_KEY);
  const end = putText(INFO, changetype<usize>(ATTEST_SIGNING_KEY_INFO));
  expand(end, SEED, ED25519_SEED_SIZE);
  ed25519PublicKey(SEED, PUBLIC_KEY);
  computeThumbprint();
  store<u32>(STARTED, 1);
}

/** `resultPtr` may be where the inputs are. */
export function deriveGuestKey(guestPtr: usize, teePtr: usize, resultPtr: usize): void {
  const end = putText(INFO, changetype<usize>(ATTEST_GUEST_KEY_INFO));
  memory.copy(end, guestPtr, IDENTITY_SIZE);
  memory.copy(end + IDENTITY_SIZE, teePtr, HKDF_KEY_SIZE);
  expand(end + IDENTITY_SIZE + HKDF_KEY_SIZE, resultPtr, GUEST_KEY_SIZE);
}

/** Section 2.3, with what stands in INFO up to `infoEnd`. */
function expand(infoEnd: usize, resultPtr: usize, size: usize): void {
  if (!hkdfSha256Expand(ROOT_KEY, INFO, infoEnd - INFO, resultPtr, size)) unreachable();
}

/** RFC 9679: SHA-256 of the COSE_Key with its required parameters only. */
function computeThumbprint(): void {
  let ptr = cborMap(COSE_KEY, 3);
  ptr = cborUnsigned(cborUnsigned(ptr, COSE_KEY_KTY), COSE_KTY_OKP);
  ptr = cborUnsigned(cborNegative(ptr, COSE_KEY_CRV_ARGUMENT), COSE_CRV_ED25519);
  ptr = cborBytes(cborNegative(ptr, COSE_KEY_X_ARGUMENT), PUBLIC_KEY, ED25519_PUBLIC_KEY_SIZE);
  sha256(COSE_KEY, ptr - COSE_KEY, THUMBPRINT);
}
