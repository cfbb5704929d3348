// HMAC with SHA-256 (RFC 2104, FIPS 198-1): hmacSha256Begin, any number of hmacSha256Update, hmacSha256End. A state of
// HMAC_SHA256_STATE_SIZE bytes, on an 8-byte boundary, is two of SHA-256: of the inner hash and of the outer.

import {
  SHA256_BLOCK_SIZE,
  SHA256_DIGEST_SIZE,
  SHA256_STATE_SIZE,
  sha256,
  sha256Begin,
  sha256End,
  sha256Update,
} from "./sha256";

export const HMAC_SHA256_SIZE: usize = 32;
export const HMAC_SHA256_STATE_SIZE: usize = 0xd0;

const OUTER: usize = SHA256_STATE_SIZE;
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/** The key, filled up to a block, and then with the pads. */
const PADDED_KEY: usize = memory.data(64, 8);
const INNER_DIGEST: usize = memory.data(32, 8);
/** Of a computation that is begun and ended in one call. */
const SINGLE: usize = memory.data(0xd0, 8);

export function hmacSha256Begin(statePtr: usize, keyPtr: usize, keySize: usize): void {
  memory.fill(PADDED_KEY, 0, SHA256_BLOCK_SIZE);
  if (keySize > SHA256_BLOCK_SIZE) sha256(keyPtr, keySize, PADDED_KEY);
  else memory.copy(PADDED_KEY, keyPtr, keySize);
  beginPadded(statePtr, INNER_PAD);
  beginPadded(statePtr + OUTER, INNER_PAD ^ OUTER_PAD);
  memory.fill(PADDED_KEY, 0, SHA256_BLOCK_SIZE);
}

export function hmacSha256Update(statePtr: usize, ptr: usize, size: usize): void {
  sha256Update(statePtr, ptr, size);
}

/** The state is erased. */
export function hmacSha256End(statePtr: usize, macPtr: usize): void {
  sha256End(statePtr, INNER_DIGEST);
  sha256Update(statePtr + OUTER, INNER_DIGEST, SHA256_DIGEST_SIZE);
  sha256End(statePtr + OUTER, macPtr);
  memory.fill(INNER_DIGEST, 0, SHA256_DIGEST_SIZE);
}

/** The code of one message. `macPtr` may be where the key or the message is. */
export function hmacSha256(keyPtr: usize, keySize: usize, ptr: usize, size: usize, macPtr: usize): void {
  hmacSha256Begin(SINGLE, keyPtr, keySize);
  hmacSha256Update(SINGLE, ptr, size);
  hmacSha256End(SINGLE, macPtr);
}

/** `change` turns what PADDED_KEY is into the key with the wanted pad. */
function beginPadded(statePtr: usize, change: u8): void {
  for (let offset: usize = 0; offset < SHA256_BLOCK_SIZE; offset++) {
    store<u8>(PADDED_KEY + offset, load<u8>(PADDED_KEY + offset) ^ change);
  }
  sha256Begin(statePtr);
  sha256Update(statePtr, PADDED_KEY, SHA256_BLOCK_SIZE);
}
