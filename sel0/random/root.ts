// The root generator: everything that the platform gives goes into it, and the guests' generators are seeded from it
// (a tree of DRBGs, NIST SP 800-90C). No guest ever gets its output.

import { drbgExists, drbgGenerate, drbgInstantiate, drbgIsWorn, drbgReseed } from "../crypto/hmac-drbg";

const ROOT: usize = memory.data(0x48, 8); // DRBG_STATE_SIZE
/** How often something went into it: who was seeded before has to be seeded again. */
const INPUT_COUNT: usize = memory.data(8, 8);
/** A timestamp or a sample on its way. */
const INPUT: usize = memory.data(8, 8);
const INPUT_SIZE: usize = 8;

/** "vTZ rng1" */
const PERSONALIZATION: usize = memory.data<u8>([0x76, 0x54, 0x5a, 0x20, 0x72, 0x6e, 0x67, 0x31]);
const PERSONALIZATION_SIZE: usize = 8;

export function rootIsReady(): bool {
  return drbgExists(ROOT) && !drbgIsWorn(ROOT);
}

export function rootInputCount(): u64 {
  return load<u64>(INPUT_COUNT);
}

/** The first seed makes it, with the timestamp as nonce; with later ones it is additional input. */
export function seedRoot(entropyPtr: usize, entropySize: usize, timestamp: u64): void {
  store<u64>(INPUT, timestamp);
  if (drbgExists(ROOT)) drbgReseed(ROOT, entropyPtr, entropySize, INPUT, INPUT_SIZE);
  else {
    drbgInstantiate(ROOT, entropyPtr, entropySize, INPUT, INPUT_SIZE, PERSONALIZATION, PERSONALIZATION_SIZE);
  }
  store<u64>(INPUT_COUNT, rootInputCount() + 1);
}

/** As the additional input of a request for nothing. */
export function mixRoot(sample: u64): void {
  store<u64>(INPUT, sample);
  drbgGenerate(ROOT, INPUT, INPUT_SIZE, INPUT, 0);
  store<u64>(INPUT, 0);
  store<u64>(INPUT_COUNT, rootInputCount() + 1);
}

export function drawFromRoot(outputPtr: usize, size: usize): void {
  drbgGenerate(ROOT, 0, 0, outputPtr, size);
}
