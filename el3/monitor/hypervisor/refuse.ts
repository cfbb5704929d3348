// What the hypervisor may not do is answered with the exception that the architecture would give, and recorded. Nothing else changes.

import { EVENT_VIOLATION } from "../../../abi/status";
import {
  ESR_EL2_EC_SHIFT,
  ESR_EL2_EC_UNKNOWN,
  ESR_EL2_IL,
  SPSR_EL3_M_EL2H,
  SPSR_EL3_M_MASK,
} from "../arm/registers.gen";
import { SPSR_EL2H_MASKED } from "../arm/values";
import { lock, unlock, writeELR_EL2, writeESR_EL2, writeSPSR_EL2 } from "../hw";
import { LOCK_EVENTS, machine } from "../storage";
import { recordEvent } from "../trace/events";
import { publishViolations } from "../trace/status";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";

const INSTRUCTION_SIZE: u64 = 4;
/** Offsets in a vector table of a synchronous exception of EL2 itself, by the stack pointer it used. */
const CURRENT_SP0_SYNCHRONOUS: u64 = 0x000;
const CURRENT_SPX_SYNCHRONOUS: u64 = 0x200;

/** Written into the event ring: what (VIOLATION_*) and where. */
export function recordViolation(what: u32, where: u64): void {
  lock(LOCK_EVENTS); // several cores may be refused at once
  machine().violations++;
  publishViolations();
  unlock(LOCK_EVENTS);
  recordEvent(EVENT_VIOLATION, 0, <u64>what, where);
}

/** A replaced write of a system register, or an SMC that nobody wrote, is undefined. */
export function refuseInstruction(core: CoreArea, frame: ExceptionFrame, what: u32, where: u64): void {
  recordViolation(what, where);
  writeESR_EL2((ESR_EL2_EC_UNKNOWN << ESR_EL2_EC_SHIFT) | ESR_EL2_IL);
  writeELR_EL2(frame.elrEl3 - INSTRUCTION_SIZE);
  writeSPSR_EL2(frame.spsrEl3);
  const usesSpx = (frame.spsrEl3 & SPSR_EL3_M_MASK) === SPSR_EL3_M_EL2H;
  frame.elrEl3 = core.hypervisorVbarEl2 + (usesSpx ? CURRENT_SPX_SYNCHRONOUS : CURRENT_SP0_SYNCHRONOUS);
  frame.spsrEl3 = SPSR_EL2H_MASKED;
}
