// HKDF with SHA-256 (RFC 5869): a pseudorandom key from what has entropy, and keys for purposes from that.

import {
  HMAC_SHA256_SIZE,
  hmacSha256,
  hmacSha256Begin,
  hmacSha256End,
  hmacSha256Update,
} from "./hmac-sha256";

export const HKDF_KEY_SIZE: usize = 32;

const BLOCK_COUNT_MAX: usize = 255;

/** T(i) of section 2.3, and the byte i behind it. */
const BLOCK: usize = memory.data(40, 8);
const STATE: usize = memory.data(0xd0, 8);

/** Section 2.2; an empty salt is the standard's default. `keyPtr` receives HKDF_KEY_SIZE bytes. */
export function hkdfSha256Extract(
  saltPtr: usize,
  saltSize: usize,
  inputPtr: usize,
  inputSize: usize,
  keyPtr: usize,
): void {
  hmacSha256(saltPtr, saltSize, inputPtr, inputSize, keyPtr);
}

/** Section 2.3, from a key of HKDF_KEY_SIZE bytes. False if more is asked for than the standard has: 255 blocks. */
export function hkdfSha256Expand(
  keyPtr: usize,
  infoPtr: usize,
  infoSize: usize,
  outputPtr: usize,
  outputSize: usize,
): bool {
  if (outputSize > BLOCK_COUNT_MAX * HMAC_SHA256_SIZE) return false;
  let done: usize = 0;
  for (let index: u8 = 1; done < outputSize; index++) {
    hmacSha256Begin(STATE, keyPtr, HKDF_KEY_SIZE);
    if (index > 1) hmacSha256Update(STATE, BLOCK, HMAC_SHA256_SIZE);
    hmacSha256Update(STATE, infoPtr, infoSize);
    store<u8>(BLOCK, index, HMAC_SHA256_SIZE);
    hmacSha256Update(STATE, BLOCK + HMAC_SHA256_SIZE, 1);
    hmacSha256End(STATE, BLOCK);
    const rest = outputSize - done;
    memory.copy(outputPtr + done, BLOCK, min<usize>(rest, HMAC_SHA256_SIZE));
    done += HMAC_SHA256_SIZE;
  }
  memory.fill(BLOCK, 0, HMAC_SHA256_SIZE);
  return true;
}
