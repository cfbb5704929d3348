// The guests' generators, one for each world of each slot, made when it is first asked. Each starts from what the root
// gives to it alone, with its slot, its world and how many were made before as personalization: a guest that comes
// after another in a slot shares nothing with it. Each request changes the state so that earlier output cannot be
// found from it (backtracking resistance, NIST SP 800-90A, section 8.8).
//
// A generator:
//
//   0x00   the state of HMAC_DRBG
//   0x48   inputCount   of the root, when it was last seeded from it

import { RANDOM_WORLD_COUNT } from "../../abi/random-compartment";
import {
  DRBG_ENTROPY_SIZE_MIN,
  drbgExists,
  drbgGenerate,
  drbgInstantiate,
  drbgIsWorn,
  drbgReseed,
} from "../crypto/hmac-drbg";
import { drawFromRoot, rootInputCount } from "./root";

const GENERATOR_SIZE: usize = 0x50;
const INPUT_COUNT: usize = 0x48;
const GENERATORS: usize = memory.data(0x2800, 8); // RANDOM_SLOT_COUNT × RANDOM_WORLD_COUNT × GENERATOR_SIZE
const MADE_COUNT: usize = memory.data(8, 8);

/** Entropy and nonce of a new generator: half of its security strength is the nonce's (section 8.6.7). */
const SEED: usize = memory.data(48, 8);
const SEED_SIZE: usize = 48;
/** Slot, world, number: 8 bytes each. */
const PERSONALIZATION: usize = memory.data(24, 8);
const PERSONALIZATION_SIZE: usize = 24;
const SAMPLE: usize = memory.data(8, 8);
const SAMPLE_SIZE: usize = 8;

/** `slot` and `world` have been checked. */
export function generatorOf(slot: u32, world: u32): usize {
  return GENERATORS + <usize>(slot * RANDOM_WORLD_COUNT + world) * GENERATOR_SIZE;
}

/** `size` bytes; the root is ready. */
export function generate(slot: u32, world: u32, sample: u64, outputPtr: usize, size: usize): void {
  const generatorPtr = generatorOf(slot, world);
  if (!drbgExists(generatorPtr)) make(generatorPtr, slot, world);
  else if (drbgIsWorn(generatorPtr) || load<u64>(generatorPtr, INPUT_COUNT) !== rootInputCount()) {
    seedAgain(generatorPtr);
  }
  store<u64>(SAMPLE, sample);
  drbgGenerate(generatorPtr, SAMPLE, SAMPLE_SIZE, outputPtr, size);
  store<u64>(SAMPLE, 0);
}

function make(generatorPtr: usize, slot: u32, world: u32): void {
  const number = load<u64>(MADE_COUNT);
  store<u64>(MADE_COUNT, number + 1);
  store<u64>(PERSONALIZATION, slot);
  store<u64>(PERSONALIZATION, world, 8);
  store<u64>(PERSONALIZATION, number, 16);
  drawFromRoot(SEED, SEED_SIZE);
  const noncePtr = SEED + DRBG_ENTROPY_SIZE_MIN;
  const nonceSize = SEED_SIZE - DRBG_ENTROPY_SIZE_MIN;
  drbgInstantiate(
    generatorPtr,
    SEED,
    DRBG_ENTROPY_SIZE_MIN,
    noncePtr,
    nonceSize,
    PERSONALIZATION,
    PERSONALIZATION_SIZE,
  );
  noteSeed(generatorPtr);
}

function seedAgain(generatorPtr: usize): void {
  drawFromRoot(SEED, DRBG_ENTROPY_SIZE_MIN);
  drbgReseed(generatorPtr, SEED, DRBG_ENTROPY_SIZE_MIN, 0, 0);
  noteSeed(generatorPtr);
}

/** What came from the root is nowhere but in the generator then. */
function noteSeed(generatorPtr: usize): void {
  memory.fill(SEED, 0, SEED_SIZE);
  store<u64>(generatorPtr, rootInputCount(), INPUT_COUNT);
}
