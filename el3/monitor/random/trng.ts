// The True Random Number Generator firmware interface (Arm DEN0098, version 1.0), for both worlds of every guest. What
// answers is a generator of that world alone (sel0/random).

import {
  SMCCC_SMC64_BIT,
  TRNG_FEATURES_FID,
  TRNG_GET_UUID_FID,
  TRNG_RND_64_FID,
  TRNG_RND_FID,
  TRNG_VERSION_1_0,
  TRNG_VERSION_FID,
} from "../../../abi/smccc";
import { Guest } from "../guests/guest";
import { NOT_SUPPORTED, TRNG_INVALID_PARAMETERS, TRNG_NO_ENTROPY, TRNG_SUCCESS } from "../smccc";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import { random64 } from "./random";

const RND_BITS_MAX: u64 = 96;
const RND_64_BITS_MAX: u64 = 192;
const WORD_BITS: u64 = 32;
const WORD_MASK: u64 = 0xffff_ffff;

// The UUID of this back end, as its four words go into registers: b3e2df5c-6f0b-4c1e-9a5d-1f6f0e1b7c42.
const UUID_0: u64 = 0x5cdfe2b3;
const UUID_1: u64 = 0x1e4c0b6f;
const UUID_2: u64 = 0x6f1f5d9a;
const UUID_3: u64 = 0x427c1b0e;

/** The five calls, and the numbers between them: they are not the hypervisor's either. */
export function isTrngCall(functionId: u32): bool {
  const as32 = functionId & ~SMCCC_SMC64_BIT;
  return as32 >= TRNG_VERSION_FID && as32 <= TRNG_RND_FID;
}

export function answerTrng(core: CoreArea, guest: Guest, frame: ExceptionFrame, world: u32): void {
  switch (<u32>frame.x0) {
    case TRNG_VERSION_FID:
      answer(frame, <u64>TRNG_VERSION_1_0, 0, 0, 0);
      break;
    case TRNG_FEATURES_FID:
      answer(frame, isOffered(<u32>frame.x1) ? TRNG_SUCCESS : NOT_SUPPORTED, 0, 0, 0);
      break;
    case TRNG_GET_UUID_FID:
      answer(frame, UUID_0, UUID_1, UUID_2, UUID_3);
      break;
    case TRNG_RND_FID:
      answerBits(core, guest, frame, world, frame.x1 & WORD_MASK, RND_BITS_MAX);
      if (frame.x0 === TRNG_SUCCESS) splitIntoWords(frame);
      break;
    case TRNG_RND_64_FID:
      answerBits(core, guest, frame, world, frame.x1, RND_64_BITS_MAX);
      break;
    default:
      answer(frame, NOT_SUPPORTED, 0, 0, 0);
  }
}

function isOffered(functionId: u32): bool {
  return (
    functionId === TRNG_VERSION_FID ||
    functionId === TRNG_FEATURES_FID ||
    functionId === TRNG_GET_UUID_FID ||
    functionId === TRNG_RND_FID ||
    functionId === TRNG_RND_64_FID
  );
}

function answerBits(
  core: CoreArea,
  guest: Guest,
  frame: ExceptionFrame,
  world: u32,
  bits: u64,
  bitsMax: u64,
): void {
  if (bits === 0 || bits > bitsMax) answer(frame, TRNG_INVALID_PARAMETERS, 0, 0, 0);
  else if (random64(core, guest, frame, bits, world)) frame.x0 = TRNG_SUCCESS;
  else answer(frame, TRNG_NO_ENTROPY, 0, 0, 0);
}

/** Up to 96 bits, which lie in x2 and x3, as TRNG_RND wants them: 32 in each of x1 to x3. */
function splitIntoWords(frame: ExceptionFrame): void {
  frame.x1 = frame.x2;
  frame.x2 = frame.x3 >> WORD_BITS;
  frame.x3 &= WORD_MASK;
}

function answer(frame: ExceptionFrame, x0: u64, x1: u64, x2: u64, x3: u64): void {
  frame.x0 = x0;
  frame.x1 = x1;
  frame.x2 = x2;
  frame.x3 = x3;
}
