// HMAC_DRBG with SHA-256 (NIST SP 800-90A Rev. 1, section 10.1.2), of security strength 256: a generator of random bytes
// from a seed. Several exist at once; each is DRBG_STATE_SIZE bytes, on an 8-byte boundary, and zeros are none:
//
//   0x00   K
//   0x20   V
//   0x40   reseedCounter   requests since the seed, plus one; 0: there is no generator

import {
  HMAC_SHA256_SIZE,
  hmacSha256,
  hmacSha256Begin,
  hmacSha256End,
  hmacSha256Update,
} from "./hmac-sha256";

export const DRBG_STATE_SIZE: usize = 0x48;
/** Table 2: as many bytes as the security strength has bits. */
export const DRBG_ENTROPY_SIZE_MIN: usize = 32;
export const DRBG_REQUEST_SIZE_MAX: usize = 1 << 16;

const RESEED_INTERVAL: u64 = 1 << 48;

const V: usize = 0x20;
const RESEED_COUNTER: usize = 0x40;
const FIRST_BYTE_OF_V: u8 = 1;

const STATE: usize = memory.data(0xd0, 8);
/** The byte between V and the data, 0 or 1. */
const SEPARATOR: usize = memory.data(8, 8);

/** Section 10.1.2.3. False, and nothing is changed, if there is too little entropy. */
export function drbgInstantiate(
  statePtr: usize,
  entropyPtr: usize,
  entropySize: usize,
  noncePtr: usize,
  nonceSize: usize,
  personalizationPtr: usize,
  personalizationSize: usize,
): bool {
  if (entropySize < DRBG_ENTROPY_SIZE_MIN) return false;
  memory.fill(statePtr, 0, HMAC_SHA256_SIZE);
  memory.fill(statePtr + V, FIRST_BYTE_OF_V, HMAC_SHA256_SIZE);
  update(statePtr, entropyPtr, entropySize, noncePtr, nonceSize, personalizationPtr, personalizationSize);
  store<u64>(statePtr, 1, RESEED_COUNTER);
  return true;
}

/** Section 10.1.2.4. False, and nothing is changed, if there is no generator or too little entropy. */
export function drbgReseed(
  statePtr: usize,
  entropyPtr: usize,
  entropySize: usize,
  additionalPtr: usize,
  additionalSize: usize,
): bool {
  if (!drbgExists(statePtr) || entropySize < DRBG_ENTROPY_SIZE_MIN) return false;
  update(statePtr, entropyPtr, entropySize, additionalPtr, additionalSize, 0, 0);
  store<u64>(statePtr, 1, RESEED_COUNTER);
  return true;
}

/**
 * Section 10.1.2.5. False, and nothing is changed, if there is no generator, it must be reseeded first, or too much is
 * asked for at once. The output is neither in the state nor in the additional input.
 */
export function drbgGenerate(
  statePtr: usize,
  additionalPtr: usize,
  additionalSize: usize,
  outputPtr: usize,
  outputSize: usize,
): bool {
  if (!drbgExists(statePtr) || drbgIsWorn(statePtr) || outputSize > DRBG_REQUEST_SIZE_MAX) return false;
  if (additionalSize !== 0) update(statePtr, additionalPtr, additionalSize, 0, 0, 0, 0);
  for (let done: usize = 0; done < outputSize; done += HMAC_SHA256_SIZE) {
    nextV(statePtr);
    const rest = outputSize - done;
    memory.copy(outputPtr + done, statePtr + V, min<usize>(rest, HMAC_SHA256_SIZE));
  }
  update(statePtr, additionalPtr, additionalSize, 0, 0, 0, 0);
  store<u64>(statePtr, load<u64>(statePtr, RESEED_COUNTER) + 1, RESEED_COUNTER);
  return true;
}

export function drbgExists(statePtr: usize): bool {
  return load<u64>(statePtr, RESEED_COUNTER) !== 0;
}

/** Whether it must be reseeded before it generates again. */
export function drbgIsWorn(statePtr: usize): bool {
  return load<u64>(statePtr, RESEED_COUNTER) > RESEED_INTERVAL;
}

/** Section 9.4: nothing of it is left. */
export function drbgForget(statePtr: usize): void {
  memory.fill(statePtr, 0, DRBG_STATE_SIZE);
}

/** Section 10.1.2.2; the provided data are a, b and c behind each other. */
function update(
  statePtr: usize,
  aPtr: usize,
  aSize: usize,
  bPtr: usize,
  bSize: usize,
  cPtr: usize,
  cSize: usize,
): void {
  const rounds: u8 = aSize + bSize + cSize === 0 ? 1 : 2;
  for (let round: u8 = 0; round < rounds; round++) {
    store<u8>(SEPARATOR, round);
    hmacSha256Begin(STATE, statePtr, HMAC_SHA256_SIZE);
    hmacSha256Update(STATE, statePtr + V, HMAC_SHA256_SIZE);
    hmacSha256Update(STATE, SEPARATOR, 1);
    hmacSha256Update(STATE, aPtr, aSize);
    hmacSha256Update(STATE, bPtr, bSize);
    hmacSha256Update(STATE, cPtr, cSize);
    hmacSha256End(STATE, statePtr);
    nextV(statePtr);
  }
}

function nextV(statePtr: usize): void {
  hmacSha256(statePtr, HMAC_SHA256_SIZE, statePtr + V, HMAC_SHA256_SIZE, statePtr + V);
}
