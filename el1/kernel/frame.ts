// What `run` executes, and what came of it: a record in linear memory.
//
//   0x000  x0…x30
//   0x0f8  the instruction's word
//   0x100  0, or 1 if it caused an exception, and then its ESR_EL1, FAR_EL1 and ELR_EL1

import { run } from "./hw";

export const FRAME_WORD: u32 = 0xf8;
export const FRAME_OUTCOME: u32 = 0x100;
export const FRAME_ESR: u32 = 0x108;
export const FRAME_FAR: u32 = 0x110;
export const FRAME_ELR: u32 = 0x118;
export const FRAME_SIZE: u32 = 0x120;
export const REGISTER_COUNT: u32 = 31;

export const INTID_SPECIAL_FIRST: u64 = 1020; // from here on they name no interrupt (Arm IHI 0069, 2.2.1)

export function registerOf(framePtr: usize, index: u32): u64 {
  return load<u64>(framePtr + ((<usize>index) << 3));
}

export function setRegister(framePtr: usize, index: u32, value: u64): void {
  store<u64>(framePtr + ((<usize>index) << 3), value);
}

/** `word` with x0 and x1; the other registers are what stands in the frame. */
export function runWith(framePtr: usize, word: u32, x0: u64, x1: u64): void {
  setRegister(framePtr, 0, x0);
  setRegister(framePtr, 1, x1);
  store<u64>(framePtr + <usize>FRAME_WORD, <u64>word);
  run(framePtr);
}

export function outcomeOf(framePtr: usize): u64 {
  return load<u64>(framePtr + <usize>FRAME_OUTCOME);
}
