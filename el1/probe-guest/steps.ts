// One step of a case: executes an instruction on this vCPU or on the other one, and checks what came of it.

import {
  CHECK_HIGH,
  CHECK_LOW,
  CHECK_MASK,
  CHECK_OF_CHANGED,
  CHECK_OF_ESR,
  CHECK_OF_FAR,
  CHECK_OF_INTERRUPTED,
  CHECK_OF_INTERRUPTS,
  CHECK_OF_INTID,
  CHECK_OF_OUTCOME,
  CHECK_OF_TICKS,
  CHECK_SOURCE,
  CHECK_WORDS_SIZE,
  STEP_CHECKS,
  STEP_HEADER_SIZE,
  STEP_JOIN,
  STEP_KIND,
  STEP_PERIOD,
  STEP_RUN,
  STEP_START,
  STEP_WAIT,
  STEP_WORD,
  STEP_X0,
} from "../../abi/probe-cases";
import {
  FRAME_ESR,
  FRAME_FAR,
  FRAME_SIZE,
  FRAME_WORD,
  outcomeOf,
  REGISTER_COUNT,
  registerOf,
  setRegister,
} from "../kernel/frame";
import { readCNTVCT_EL0, readPhysical32, readPhysical64, run, waitForEvent } from "../kernel/hw";
import { interruptedCount, interruptsCount, lastIntid, setPeriod } from "./interrupts";
import { joinSecond, secondFrame, startSecond } from "./second";

const FRAME: usize = memory.data(FRAME_SIZE, 16);
/** The registers as a step has set them. */
const BEFORE: usize = memory.data(FRAME_SIZE, 16);
const SECOND_BEFORE: usize = memory.data(FRAME_SIZE, 16);
/** u32: whether a check has failed, of which step, of which source; u64 at 16: value, lowest, highest that is expected. */
const FAILURE: usize = memory.data(40, 8);
/** Of the step: u64 ticks, u32 interrupts, u32 of them at the instruction. */
const MEANWHILE: usize = memory.data(16, 8);

const ARGUMENT_COUNT: u32 = 8;
const CHECKS_MAX: u32 = 64;
/** A register that a step says nothing of: its number in every byte but one. */
const PATTERN: u64 = 0x0101_0101_0101_0101;
const PATTERN_BASE: u64 = 0x5a00_0000_0000_0000;

export function failure(): usize {
  return FAILURE;
}

export function forgetFailure(): void {
  memory.fill(FAILURE, 0, 40);
}

/** Returns the address of the next step. */
export function runStep(step: u64, index: u32): u64 {
  const kind = readPhysical32(step + <u64>STEP_KIND);
  const interrupts = interruptsCount();
  const interrupted = interruptedCount();
  const start = readCNTVCT_EL0();
  perform(kind, step);
  store<u64>(MEANWHILE, readCNTVCT_EL0() - start);
  store<u32>(MEANWHILE, interruptsCount() - interrupts, 8);
  store<u32>(MEANWHILE, interruptedCount() - interrupted, 12);
  const count = readPhysical32(step + <u64>STEP_CHECKS);
  let check = step + <u64>STEP_HEADER_SIZE;
  for (let at: u32 = 0; at < count && at < CHECKS_MAX; at++) {
    judge(kind, check, index);
    check += <u64>CHECK_WORDS_SIZE;
  }
  return check;
}

function perform(kind: u32, step: u64): void {
  const x0 = readPhysical64(step + <u64>STEP_X0);
  switch (kind) {
    case STEP_RUN:
      prepare(FRAME, BEFORE, step);
      run(FRAME);
      break;
    case STEP_START:
      prepare(secondFrame(), SECOND_BEFORE, step);
      startSecond();
      break;
    case STEP_JOIN:
      joinSecond();
      break;
    case STEP_WAIT:
      wait(x0);
      break;
    case STEP_PERIOD:
      setPeriod(x0);
      break;
    default:
      unreachable();
  }
}

function prepare(frame: usize, before: usize, step: u64): void {
  for (let index: u32 = 0; index < REGISTER_COUNT; index++) {
    const given = readPhysical64(step + <u64>STEP_X0 + ((<u64>(index % ARGUMENT_COUNT)) << 3));
    setRegister(frame, index, index < ARGUMENT_COUNT ? given : PATTERN_BASE | (<u64>index * (PATTERN >> 8)));
  }
  store<u64>(frame + <usize>FRAME_WORD, <u64>readPhysical32(step + <u64>STEP_WORD));
  memory.copy(before, frame, FRAME_SIZE);
}

function wait(ticks: u64): void {
  const start = readCNTVCT_EL0();
  while (readCNTVCT_EL0() - start < ticks) waitForEvent();
}

function judge(kind: u32, check: u64, index: u32): void {
  const source = readPhysical32(check + <u64>CHECK_SOURCE);
  const value = sourceValue(kind === STEP_JOIN, source) & readPhysical64(check + <u64>CHECK_MASK);
  const low = readPhysical64(check + <u64>CHECK_LOW);
  const high = readPhysical64(check + <u64>CHECK_HIGH);
  if ((value >= low && value <= high) || load<u32>(FAILURE) !== 0) return;
  store<u32>(FAILURE, 1);
  store<u32>(FAILURE, index, 4);
  store<u32>(FAILURE, source, 8);
  store<u64>(FAILURE, value, 16);
  store<u64>(FAILURE, low, 24);
  store<u64>(FAILURE, high, 32);
}

function sourceValue(isSecond: bool, source: u32): u64 {
  const frame = isSecond ? secondFrame() : FRAME;
  if (source < REGISTER_COUNT) return registerOf(frame, source);
  switch (source) {
    case CHECK_OF_OUTCOME:
      return outcomeOf(frame);
    case CHECK_OF_ESR:
      return load<u64>(frame + <usize>FRAME_ESR);
    case CHECK_OF_FAR:
      return load<u64>(frame + <usize>FRAME_FAR);
    case CHECK_OF_CHANGED:
      return changed(frame, isSecond ? SECOND_BEFORE : BEFORE);
    case CHECK_OF_INTERRUPTS:
      return <u64>load<u32>(MEANWHILE, 8);
    case CHECK_OF_INTERRUPTED:
      return <u64>load<u32>(MEANWHILE, 12);
    case CHECK_OF_TICKS:
      return load<u64>(MEANWHILE);
    case CHECK_OF_INTID:
      return lastIntid();
    default:
      return unreachable();
  }
}

function changed(frame: usize, before: usize): u64 {
  let bits: u64 = 0;
  for (let index: u32 = 0; index < REGISTER_COUNT; index++) {
    if (registerOf(frame, index) !== registerOf(before, index)) bits |= 1 << (<u64>index);
  }
  return bits;
}
