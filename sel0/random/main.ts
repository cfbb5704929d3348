// The compartment of random numbers: what stands behind TRNG_RND (Arm DEN0098) of every guest. Operations and statuses
// are those of abi/random-compartment.ts.

import { COMPARTMENT_MESSAGE_PTR } from "../../abi/compartments";
import {
  RANDOM_BITS_MAX,
  RANDOM_DONE,
  RANDOM_ENTROPY,
  RANDOM_FORGET,
  RANDOM_GENERATE,
  RANDOM_INVALID,
  RANDOM_OUTPUT_SIZE,
  RANDOM_SEED,
  RANDOM_SEED_SIZE_MAX,
  RANDOM_SEED_SIZE_MIN,
  RANDOM_SLOT_COUNT,
  RANDOM_UNSEEDED,
  RANDOM_WORLD_COUNT,
} from "../../abi/random-compartment";
import { drbgForget } from "../crypto/hmac-drbg";
import { generate, generatorOf } from "./generators";
import { mixRoot, rootIsReady, seedRoot } from "./root";

const MESSAGE: usize = <usize>COMPARTMENT_MESSAGE_PTR;

export function call(operation: u32, a: u64, b: u64, c: u64): u64 {
  switch (operation) {
    case RANDOM_SEED:
      return seed(a, b);
    case RANDOM_ENTROPY:
      return mix(a);
    case RANDOM_GENERATE:
      return generateBits(a, b, c);
    case RANDOM_FORGET:
      return forget(a);
    default:
      return RANDOM_INVALID;
  }
}

/** The seed is not left in the message, which goes back to the caller. */
function seed(size: u64, timestamp: u64): u32 {
  if (size < <u64>RANDOM_SEED_SIZE_MIN || size > <u64>RANDOM_SEED_SIZE_MAX) return RANDOM_INVALID;
  seedRoot(MESSAGE, <usize>size, timestamp);
  memory.fill(MESSAGE, 0, <usize>size);
  return RANDOM_DONE;
}

function mix(sample: u64): u32 {
  if (!rootIsReady()) return RANDOM_UNSEEDED;
  mixRoot(sample);
  return RANDOM_DONE;
}

function generateBits(bits: u64, slot: u64, world: u64): u32 {
  if (bits === 0 || bits > <u64>RANDOM_BITS_MAX) return RANDOM_INVALID;
  if (slot >= <u64>RANDOM_SLOT_COUNT || world >= <u64>RANDOM_WORLD_COUNT) return RANDOM_INVALID;
  if (!rootIsReady()) return RANDOM_UNSEEDED;
  const sample = load<u64>(MESSAGE);
  const size = (<usize>bits + 7) >> 3;
  memory.fill(MESSAGE, 0, RANDOM_OUTPUT_SIZE);
  generate(<u32>slot, <u32>world, sample, MESSAGE, size);
  const lastPtr = MESSAGE + size - 1;
  const unwantedBits = <u8>((size << 3) - <usize>bits); // below 8
  store<u8>(lastPtr, load<u8>(lastPtr) & (0xff >> unwantedBits));
  return RANDOM_DONE;
}

function forget(slot: u64): u32 {
  if (slot >= <u64>RANDOM_SLOT_COUNT) return RANDOM_INVALID;
  for (let world: u32 = 0; world < RANDOM_WORLD_COUNT; world++) drbgForget(generatorOf(<u32>slot, world));
  return RANDOM_DONE;
}
