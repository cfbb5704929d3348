// A call of a compartment: open it, put inputs into its message page and lend it memory, call, read its message, close
// it. It runs at S-EL0 to its end with interrupts held back, and no longer than its row says. One that traps, touches
// what it was not given or takes too long is begun anew with its next call; its caller gets COMPARTMENT_FAULTED.

import { COMPARTMENT_SVC_DONE, COMPARTMENT_SVC_TRAP } from "../../../abi/compartment-images";
import {
  COMPARTMENT_ABORTED,
  COMPARTMENT_OVERRAN,
  COMPARTMENT_TRAPPED,
  COMPARTMENT_UNDEFINED,
  EVENT_COMPARTMENT_FAULTED,
} from "../../../abi/status";
import {
  ESR_EL1_EC_DATA_ABORT_LOWER,
  ESR_EL1_EC_INSTRUCTION_ABORT_LOWER,
  ESR_EL1_EC_MASK,
  ESR_EL1_EC_SHIFT,
  ESR_EL1_EC_SVC64,
  ESR_EL3_ISS_SMC_IMM16_MASK,
} from "../arm/registers.gen";
import {
  enterCompartment,
  loadEl1Context,
  lock,
  readCNTPCT_EL0,
  readICC_PMR_EL1,
  saveEl1Context,
  unlock,
  writeICC_PMR_EL1,
} from "../hw";
import { compartmentAt, displacedEl1, LOCK_COMPARTMENT_FIRST, machine } from "../storage";
import { recordEvent } from "../trace/events";
import { publishCompartments } from "../trace/status";
import { CoreArea } from "../worlds/core-area";
import { armAt } from "../worlds/timer";
import { COMPARTMENT_EL1, Compartment } from "./compartment";
import { renew } from "./images";
import { takeBack } from "./lend";

/** No compartment answers this. */
export const COMPARTMENT_FAULTED: u64 = u64.MAX_VALUE;

/** Lets the secure timer through, and nothing else (boot/gic.ts gives it the highest priority). */
const PRIORITY_MASK_TIMER_ONLY: u64 = 0x20;
/** The S-EL1 vector of a synchronous exception of S-EL0. */
const VECTOR_SYNCHRONOUS: u64 = 8;
const SVC_IMM16_MASK: u64 = 0xffff;

/** From here until it is closed no other core has the compartment. */
export function openCompartment(index: u32): Compartment {
  lock(LOCK_COMPARTMENT_FIRST + index);
  const it = compartmentAt(index);
  if (it.isStale !== 0) renew(it);
  it.x4 = it.isStale;
  it.isStale = 0;
  return it;
}

/** PA of its message page: inputs before a call, outputs after it. */
export function messagePa(it: Compartment): u64 {
  return it.memoryPa;
}

export function closeCompartment(it: Compartment): void {
  takeBack(it);
  if (it.keepsState === 0 || it.isStale !== 0) {
    renew(it); // nothing of what it was told stays
    it.isStale = 1;
  }
  unlock(LOCK_COMPARTMENT_FIRST + it.index);
}

/** Its answer, or COMPARTMENT_FAULTED. */
export function callCompartment(
  core: CoreArea,
  it: Compartment,
  operation: u32,
  a: u64,
  b: u64,
  c: u64,
): u64 {
  if (it.isStale !== 0) return COMPARTMENT_FAULTED; // since it was opened
  it.x0 = <u64>operation;
  it.x1 = a;
  it.x2 = b;
  it.x3 = c;
  const isOverdue = run(core, it);
  it.x4 = 0;
  machine().compartmentCalls++;
  const cause = isOverdue ? COMPARTMENT_OVERRAN : causeOf(it);
  if (cause !== 0) fault(it, operation, cause);
  publishCompartments();
  return cause === 0 ? it.x0 : COMPARTMENT_FAULTED;
}

/** True if it was stopped by the timer. */
function run(core: CoreArea, it: Compartment): bool {
  const displacedPtr = displacedEl1(core.index);
  const priorityMask = readICC_PMR_EL1();
  const timerTicks = core.timerTicks;
  writeICC_PMR_EL1(PRIORITY_MASK_TIMER_ONLY);
  armAt(core, readCNTPCT_EL0() + it.boundTicks);
  saveEl1Context(displacedPtr);
  loadEl1Context(changetype<usize>(it) + COMPARTMENT_EL1);
  const isOverdue = enterCompartment(changetype<usize>(it));
  loadEl1Context(displacedPtr);
  armAt(core, timerTicks);
  writeICC_PMR_EL1(priorityMask);
  return isOverdue !== 0;
}

/** Why it left, 0 if since it was done. */
function causeOf(it: Compartment): u32 {
  if ((it.esrEl3 & ESR_EL3_ISS_SMC_IMM16_MASK) !== VECTOR_SYNCHRONOUS) return COMPARTMENT_UNDEFINED;
  const exceptionClass = (it.esrEl1 & ESR_EL1_EC_MASK) >> ESR_EL1_EC_SHIFT;
  if (exceptionClass === ESR_EL1_EC_SVC64) {
    const imm16 = <u32>(it.esrEl1 & SVC_IMM16_MASK);
    if (imm16 === COMPARTMENT_SVC_DONE) return it.x0 === COMPARTMENT_FAULTED ? COMPARTMENT_UNDEFINED : 0;
    return imm16 === COMPARTMENT_SVC_TRAP ? COMPARTMENT_TRAPPED : COMPARTMENT_UNDEFINED;
  }
  const isAbort =
    exceptionClass === ESR_EL1_EC_DATA_ABORT_LOWER || exceptionClass === ESR_EL1_EC_INSTRUCTION_ABORT_LOWER;
  return isAbort ? COMPARTMENT_ABORTED : COMPARTMENT_UNDEFINED;
}

function fault(it: Compartment, operation: u32, cause: u32): void {
  it.isStale = 1;
  machine().compartmentFaults++;
  const detail =
    cause === COMPARTMENT_ABORTED ? it.farEl1 : cause === COMPARTMENT_TRAPPED ? it.x0 : it.esrEl1;
  recordEvent(
    EVENT_COMPARTMENT_FAULTED,
    0,
    <u64>it.index | ((<u64>operation) << 32),
    ((<u64>cause) << 32) | (detail & 0xffffffff),
  );
}
