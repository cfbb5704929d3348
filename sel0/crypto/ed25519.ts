// Ed25519 (RFC 8032, section 5.1): public keys, signatures and their verification.
//
// Verification is strict, so that there is one answer about each signature, whoever asks: S below L; the key a
// canonical encoding of a point whose order does not divide 8; and R the encoding of S B - k A, byte for byte. That is
// the equation without the cofactor, S B = R + k A (section 5.1.7 allows it), and lets no encoding of R but the
// canonical one through.
//
// Signing has no branch and no address that depends on a secret (decision 0028 says how far that goes).

import {
  pointAdd,
  pointBase,
  pointDecode,
  pointEncode,
  pointHasSmallOrder,
  pointMultiply,
  pointNegate,
} from "./point25519";
import { scalarIsCanonical, scalarMultiplyAdd, scalarReduce } from "./scalar25519";
import {
  ED25519_HASH,
  ED25519_POINTS,
  ED25519_PUBLIC_KEY,
  ED25519_SCALARS,
  ED25519_SIGNATURE,
  ED25519_STATE,
  eraseScratch25519,
  POINT_SIZE,
  SCALAR_SIZE,
} from "./scratch25519";
import { SHA512_DIGEST_SIZE, sha512, sha512Begin, sha512End, sha512Update } from "./sha512";

export const ED25519_SEED_SIZE: usize = 32;
export const ED25519_PUBLIC_KEY_SIZE: usize = 32;
export const ED25519_SIGNATURE_SIZE: usize = 64;

const S: usize = 32; // of a signature: R, S
const PREFIX: usize = 32; // of a seed's hash: the secret scalar, the prefix
const LAST_BYTE: usize = 31;

const SECRET: usize = ED25519_SCALARS;
const NONCE: usize = ED25519_SCALARS + SCALAR_SIZE;
const CHALLENGE: usize = ED25519_SCALARS + 2 * SCALAR_SIZE;
const FIRST_POINT: usize = ED25519_POINTS;
const SECOND_POINT: usize = ED25519_POINTS + POINT_SIZE;

/** Section 5.1.5. */
export function ed25519PublicKey(seedPtr: usize, publicKeyPtr: usize): void {
  derivePublicKey(seedPtr);
  memory.copy(publicKeyPtr, ED25519_PUBLIC_KEY, ED25519_PUBLIC_KEY_SIZE);
  eraseScratch25519();
}

/**
 * Section 5.1.6. The public key must be the seed's, else there is no signature: two of one message under two keys would
 * tell the secret scalar.
 */
export function ed25519Sign(
  seedPtr: usize,
  publicKeyPtr: usize,
  messagePtr: usize,
  messageSize: usize,
  signaturePtr: usize,
): bool {
  derivePublicKey(seedPtr);
  const isKeyOfSeed = isEqual(publicKeyPtr, ED25519_PUBLIC_KEY, ED25519_PUBLIC_KEY_SIZE);
  if (isKeyOfSeed) {
    hashNonce(messagePtr, messageSize);
    pointMultiply(FIRST_POINT, pointBase(), NONCE);
    pointEncode(ED25519_SIGNATURE, FIRST_POINT);
    hashChallenge(ED25519_SIGNATURE, ED25519_PUBLIC_KEY, messagePtr, messageSize);
    scalarMultiplyAdd(ED25519_SIGNATURE + S, CHALLENGE, SECRET, NONCE);
    memory.copy(signaturePtr, ED25519_SIGNATURE, ED25519_SIGNATURE_SIZE);
  }
  eraseScratch25519();
  return isKeyOfSeed;
}

/** Section 5.1.7, as strictly as said above. */
export function ed25519Verify(
  publicKeyPtr: usize,
  messagePtr: usize,
  messageSize: usize,
  signaturePtr: usize,
): bool {
  if (!scalarIsCanonical(signaturePtr + S)) return false;
  if (!pointDecode(FIRST_POINT, publicKeyPtr)) return false;
  if (pointHasSmallOrder(FIRST_POINT)) return false;
  hashChallenge(signaturePtr, publicKeyPtr, messagePtr, messageSize);
  pointNegate(FIRST_POINT, FIRST_POINT);
  pointMultiply(SECOND_POINT, FIRST_POINT, CHALLENGE);
  pointMultiply(FIRST_POINT, pointBase(), signaturePtr + S);
  pointAdd(FIRST_POINT, FIRST_POINT, SECOND_POINT);
  pointEncode(ED25519_SIGNATURE, FIRST_POINT);
  return isEqual(signaturePtr, ED25519_SIGNATURE, S);
}

/** The secret scalar and the prefix stay in scratch, as does the key. */
function derivePublicKey(seedPtr: usize): void {
  sha512(seedPtr, ED25519_SEED_SIZE, ED25519_HASH);
  memory.copy(SECRET, ED25519_HASH, SCALAR_SIZE);
  store<u8>(SECRET, load<u8>(SECRET) & 0xf8); // a multiple of the cofactor 8
  store<u8>(SECRET, (load<u8>(SECRET, LAST_BYTE) & 0x7f) | 0x40, LAST_BYTE); // of 255 bits, whichever it is
  pointMultiply(FIRST_POINT, pointBase(), SECRET);
  pointEncode(ED25519_PUBLIC_KEY, FIRST_POINT);
}

function hashNonce(messagePtr: usize, messageSize: usize): void {
  sha512Begin(ED25519_STATE);
  sha512Update(ED25519_STATE, ED25519_HASH + PREFIX, SHA512_DIGEST_SIZE - PREFIX);
  sha512Update(ED25519_STATE, messagePtr, messageSize);
  sha512End(ED25519_STATE, ED25519_HASH);
  scalarReduce(NONCE, ED25519_HASH);
}

/** k, of R, A and the message. */
function hashChallenge(rPtr: usize, publicKeyPtr: usize, messagePtr: usize, messageSize: usize): void {
  sha512Begin(ED25519_STATE);
  sha512Update(ED25519_STATE, rPtr, S);
  sha512Update(ED25519_STATE, publicKeyPtr, ED25519_PUBLIC_KEY_SIZE);
  sha512Update(ED25519_STATE, messagePtr, messageSize);
  sha512End(ED25519_STATE, ED25519_HASH);
  scalarReduce(CHALLENGE, ED25519_HASH);
}

function isEqual(aPtr: usize, bPtr: usize, size: usize): bool {
  let difference: u8 = 0;
  for (let offset: usize = 0; offset < size; offset++) {
    difference |= load<u8>(aPtr + offset) ^ load<u8>(bPtr + offset);
  }
  return difference === 0;
}
