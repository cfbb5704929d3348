// Interrupts of the probe TEE. Its timer's is switched off at the timer and counted; a foreign one is counted, and the TEE
// leaves by TEE_YIELD until its caller has executed its SMC again.

import { FRAME_SIZE, FRAME_WORD, INTID_SPECIAL_FIRST, setRegister } from "../kernel/frame";
import {
  loadAcquire32,
  maskAll,
  readICC_IAR1_EL1,
  run,
  storeRelease32,
  unmask,
  writeICC_EOIR1_EL1,
} from "../kernel/hw";
import { timerIntid, writeTimer, yieldCall } from "./hw";

/** Words, by the number of what they count. */
const COUNTS: usize = memory.data(16, 8);
/** A frame, its word 0 if nothing is to be executed. */
const AT_INTERRUPT: usize = memory.data(FRAME_SIZE, 16);
export const TIMER_COUNT: u32 = 0;
export const FOREIGN_COUNT: u32 = 1;
export const INTERRUPT_ENTRIES: u32 = 2;
export const LAST_INTID: u32 = 3;
const COUNT_WORDS: u32 = 4;

const IRQ: u32 = 2;
const TIMER_CTL: u32 = 1;

export function interruptCount(which: u32): u32 {
  return loadAcquire32(COUNTS + ((<usize>which) << 2));
}

export function forgetCounts(): void {
  for (let which: u32 = 0; which < COUNT_WORDS; which++) setCount(which, 0);
}

function setCount(which: u32, value: u32): void {
  storeRelease32(COUNTS + ((<usize>which) << 2), value);
}

function count(which: u32): void {
  setCount(which, interruptCount(which) + 1);
}

/** From the vectors. A foreign interrupt comes as FIQ, or as the IRQ of a number of the profile's. */
export function interrupt(isFiq: u32): void {
  if (isFiq !== 0) {
    count(FOREIGN_COUNT);
    yieldCall();
    return;
  }
  const intid = readICC_IAR1_EL1();
  if (intid >= INTID_SPECIAL_FIRST) return;
  setCount(LAST_INTID, <u32>intid);
  if (intid === timerIntid()) {
    writeTimer(TIMER_CTL, 0);
    count(TIMER_COUNT);
    writeICC_EOIR1_EL1(intid);
    return;
  }
  count(FOREIGN_COUNT);
  writeICC_EOIR1_EL1(intid);
  yieldCall();
}

/** The next time it is entered for an interrupt, it executes `word` first. */
export function executeAtInterrupt(word: u32, x0: u64): void {
  setRegister(AT_INTERRUPT, 0, x0);
  store<u64>(AT_INTERRUPT + <usize>FRAME_WORD, <u64>word);
}

/** Entered while the normal world runs, for an interrupt that waits. */
export function enteredForInterrupt(): void {
  count(INTERRUPT_ENTRIES);
  if (load<u64>(AT_INTERRUPT + <usize>FRAME_WORD) !== 0) {
    run(AT_INTERRUPT);
    store<u64>(AT_INTERRUPT + <usize>FRAME_WORD, 0);
  }
  unmask(IRQ);
  maskAll();
}
