// Interrupts of the probe guest: counted. That of its timer is switched off at the timer, or set again.

import { INTID_SPECIAL_FIRST } from "../kernel/frame";
import {
  loadAcquire32,
  readELR_EL1,
  readICC_IAR1_EL1,
  runAddress,
  storeRelease32,
  writeCNTV_CTL_EL0,
  writeCNTV_TVAL_EL0,
  writeICC_EOIR1_EL1,
} from "../kernel/hw";

const TAKEN: usize = memory.data(4, 4);
const AT_INSTRUCTION: usize = memory.data(4, 4);
const INTID: usize = memory.data(4, 4);
const PERIOD: usize = memory.data(4, 4);

const CTL_ENABLE: u64 = 1;
const INTID_VIRTUAL_TIMER: u64 = 27;

export function interruptsCount(): u32 {
  return loadAcquire32(TAKEN);
}

/** Those whose return address was the instruction that `run` executes. */
export function interruptedCount(): u32 {
  return loadAcquire32(AT_INSTRUCTION);
}

export function lastIntid(): u64 {
  return <u64>loadAcquire32(INTID);
}

/** Ticks between two interrupts of the timer; 0: it is not set again. */
export function setPeriod(ticks: u64): void {
  storeRelease32(PERIOD, <u32>ticks);
}

/** From the vectors; the hypervisor has no FIQ for a guest. */
export function interrupt(_isFiq: u32): void {
  const intid = readICC_IAR1_EL1();
  if (intid >= INTID_SPECIAL_FIRST) return;
  storeRelease32(TAKEN, interruptsCount() + 1);
  storeRelease32(INTID, <u32>intid);
  if (readELR_EL1() === runAddress()) storeRelease32(AT_INSTRUCTION, interruptedCount() + 1);
  if (intid === INTID_VIRTUAL_TIMER) {
    const period = loadAcquire32(PERIOD);
    if (period !== 0) writeCNTV_TVAL_EL0(<u64>period);
    writeCNTV_CTL_EL0(period !== 0 ? CTL_ENABLE : 0); // the hypervisor has set IMASK
  }
  writeICC_EOIR1_EL1(intid);
}
