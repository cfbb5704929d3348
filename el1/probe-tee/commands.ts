// The commands of the probe TEE (abi/probe.ts), each as its answer.

import { TEE_UART_IPA } from "../../abi/memory-map";
import {
  PROBE_AT_INTERRUPT,
  PROBE_COMMAND_MASK,
  PROBE_COUNTERS,
  PROBE_ENTRY,
  PROBE_EXECUTE,
  PROBE_HERE,
  PROBE_LOOP,
  PROBE_PRINT,
  PROBE_READ_TIMER,
  PROBE_ROUNDS,
  PROBE_WRITE_TIMER,
} from "../../abi/probe";
import { FRAME_ESR, FRAME_SIZE, outcomeOf, registerOf, runWith, setRegister } from "../kernel/frame";
import {
  currentCore,
  maskAll,
  readCNTPCT_EL0,
  unmask,
  waitForInterrupt,
  writePhysical32,
} from "../kernel/hw";
import { answer, entryState, readTimer, writeTimer } from "./hw";
import {
  executeAtInterrupt,
  FOREIGN_COUNT,
  forgetCounts,
  INTERRUPT_ENTRIES,
  interruptCount,
  LAST_INTID,
  TIMER_COUNT,
} from "./interrupts";

/** One for each core: calls on two cores may execute at once. */
const FRAMES: usize = memory.data(4 * FRAME_SIZE, 16);

const TVAL: u32 = 0;
const CTL: u32 = 1;
const CVAL: u32 = 2;
const CTL_ENABLE: u64 = 1;
const BOTH_KINDS: u32 = 3;
const LINE_FEED: u32 = 0x0a;
const WAIT_TURNS_MAX: u32 = 1 << 30;

export function obey(by: u32, x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64): void {
  switch (<u32>x0 & PROBE_COMMAND_MASK) {
    case PROBE_EXECUTE:
      execute(<u32>x1, x2, x3, x4, x5, x6, x7);
      break;
    case PROBE_LOOP:
      loop(x1, <u32>x2);
      break;
    case PROBE_READ_TIMER:
      answer(0, readTimer(<u32>x1), 0, 0);
      break;
    case PROBE_WRITE_TIMER:
      writeTimer(<u32>x1, x2);
      answer(0, 0, 0, 0);
      break;
    case PROBE_ROUNDS:
      rounds(<u32>x1, x2, x3 !== 0);
      break;
    case PROBE_COUNTERS:
      answer(
        <u64>interruptCount(TIMER_COUNT),
        <u64>interruptCount(FOREIGN_COUNT),
        <u64>interruptCount(INTERRUPT_ENTRIES),
        <u64>interruptCount(LAST_INTID),
      );
      forgetCounts();
      break;
    case PROBE_ENTRY:
      answer(0, entryState(<u32>x1), 0, 0);
      break;
    case PROBE_PRINT:
      print(x1);
      answer(0, 0, 0, 0);
      break;
    case PROBE_AT_INTERRUPT:
      executeAtInterrupt(<u32>x1, x2);
      answer(0, 0, 0, 0);
      break;
    default:
      answer(<u64>PROBE_HERE, x0, <u64>by, <u64>currentCore());
  }
}

function execute(word: u32, x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64): void {
  const frame = FRAMES + <usize>(currentCore() * FRAME_SIZE);
  setRegister(frame, 2, x2);
  setRegister(frame, 3, x3);
  setRegister(frame, 4, x4);
  setRegister(frame, 5, x5);
  runWith(frame, word, x0, x1);
  const outcome = outcomeOf(frame);
  const esr = outcome !== 0 ? load<u64>(frame + <usize>FRAME_ESR) : 0;
  answer(outcome, registerOf(frame, 0), registerOf(frame, 1), esr);
}

function loop(ticks: u64, interrupts: u32): void {
  const timers = interruptCount(TIMER_COUNT);
  const foreign = interruptCount(FOREIGN_COUNT);
  const start = readCNTPCT_EL0();
  unmask(interrupts);
  let now = start;
  while (now - start < ticks) now = readCNTPCT_EL0();
  maskAll();
  answer(
    0,
    now - start,
    <u64>(interruptCount(TIMER_COUNT) - timers),
    <u64>(interruptCount(FOREIGN_COUNT) - foreign),
  );
}

/** Waits for its timer again and again, and looks at each time what its own clock says. */
function rounds(count: u32, ticks: u64, waits: bool): void {
  const timers = interruptCount(TIMER_COUNT);
  const foreign = interruptCount(FOREIGN_COUNT);
  let early: u64 = 0;
  let late: u64 = 0;
  for (let round: u32 = 0; round < count; round++) {
    const seen = interruptCount(TIMER_COUNT);
    writeTimer(TVAL, ticks);
    const due = readTimer(CVAL);
    writeTimer(CTL, CTL_ENABLE);
    unmask(BOTH_KINDS);
    for (let turn: u32 = 0; turn < WAIT_TURNS_MAX && interruptCount(TIMER_COUNT) === seen; turn++) {
      if (waits && (round & 1) !== 0) waitForInterrupt();
    }
    maskAll();
    const remaining = <i32>(<u32>readTimer(TVAL)); // CVAL is what the handler left
    if (remaining > 0) early++;
    else if (<u64>-remaining > ticks) late++;
    if (due !== readTimer(CVAL)) early++;
  }
  answer(
    early,
    <u64>(interruptCount(TIMER_COUNT) - timers),
    <u64>(interruptCount(FOREIGN_COUNT) - foreign),
    late,
  );
}

function print(packed: u64): void {
  for (let rest = packed; rest !== 0; rest >>= 8) writePhysical32(<u64>TEE_UART_IPA, <u32>(rest & 0xff));
  writePhysical32(<u64>TEE_UART_IPA, LINE_FEED);
}
