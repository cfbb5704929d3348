// Questions about register values and instructions, made of the generated fields.

import {
  CNTPS_ACCESS_MASK,
  CNTPS_ACCESS_VALUE,
  INSTRUCTION_SMC,
  INSTRUCTION_SMC_IMM16_SHIFT,
} from "./instructions.gen";
import { DESCRIPTOR_PAGE, STAGE1_AF, STAGE1_AP_RO, STAGE1_SH_INNER } from "./page-tables.gen";
import {
  SPSR_EL3_A,
  SPSR_EL3_D,
  SPSR_EL3_F,
  SPSR_EL3_I,
  SPSR_EL3_M_AARCH32,
  SPSR_EL3_M_EL_MASK,
  SPSR_EL3_M_EL0T,
  SPSR_EL3_M_EL1H,
  SPSR_EL3_M_EL1T,
  SPSR_EL3_M_EL2,
  SPSR_EL3_M_EL2H,
  SPSR_EL3_M_HYP32,
  SPSR_EL3_M_MASK,
  SPSR_EL3_M_MON32,
} from "./registers.gen";

export const SPSR_ALL_MASKED: u64 = SPSR_EL3_D | SPSR_EL3_A | SPSR_EL3_I | SPSR_EL3_F;
export const SPSR_EL1H_MASKED: u64 = SPSR_EL3_M_EL1H | SPSR_ALL_MASKED;
export const SPSR_EL2H_MASKED: u64 = SPSR_EL3_M_EL2H | SPSR_ALL_MASKED;

export function isAarch32(spsr: u64): bool {
  return (spsr & SPSR_EL3_M_AARCH32) !== 0;
}

/** EL2 with either stack pointer; in AArch32 the same two bits say nothing, and the hypervisor is AArch64. */
export function isEl2(spsr: u64): bool {
  return (spsr & (SPSR_EL3_M_AARCH32 | SPSR_EL3_M_EL_MASK)) === SPSR_EL3_M_EL2;
}

/** What a return to below EL2 may have in SPSR. AArch32: USR to SYS but for HYP, which is EL2, and MON. */
export function isEl1OrEl0(spsr: u64): bool {
  const mode = spsr & SPSR_EL3_M_MASK;
  if (isAarch32(spsr)) return mode !== SPSR_EL3_M_HYP32 && mode !== SPSR_EL3_M_MON32;
  return mode === SPSR_EL3_M_EL0T || mode === SPSR_EL3_M_EL1T || mode === SPSR_EL3_M_EL1H;
}

/** A stage-1 page of EL2, read-only and executable; the attribute index is to be added. */
export const STAGE1_PAGE_RX: u64 = DESCRIPTOR_PAGE | STAGE1_AF | STAGE1_SH_INNER | STAGE1_AP_RO;

export function smcInstruction(imm16: u32): u32 {
  return INSTRUCTION_SMC | (imm16 << INSTRUCTION_SMC_IMM16_SHIFT);
}

/** An MSR or MRS of a CNTPS_*_EL1 register. */
export function isCntpsAccess(instruction: u32): bool {
  return (instruction & CNTPS_ACCESS_MASK) === CNTPS_ACCESS_VALUE;
}
