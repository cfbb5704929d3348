// Questions about register values and instructions, made of the generated fields.

import {
  CNTPS_ACCESS_MASK,
  CNTPS_ACCESS_VALUE,
  INSTRUCTION_SMC,
  INSTRUCTION_SMC_IMM16_SHIFT,
} from "./instructions.gen";
import { DESCRIPTOR_PAGE, STAGE1_AF, STAGE1_AP_RO, STAGE1_SH_INNER } from "./page-tables.gen";
import {
  HCR_EL2_RW,
  SPSR_EL3_A,
  SPSR_EL3_D,
  SPSR_EL3_F,
  SPSR_EL3_I,
  SPSR_EL3_M_AARCH32,
  SPSR_EL3_M_ABT32,
  SPSR_EL3_M_EL_MASK,
  SPSR_EL3_M_EL0T,
  SPSR_EL3_M_EL1H,
  SPSR_EL3_M_EL1T,
  SPSR_EL3_M_EL2,
  SPSR_EL3_M_EL2H,
  SPSR_EL3_M_FIQ32,
  SPSR_EL3_M_IRQ32,
  SPSR_EL3_M_MASK,
  SPSR_EL3_M_SVC32,
  SPSR_EL3_M_SYS32,
  SPSR_EL3_M_UND32,
  SPSR_EL3_M_USR32,
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

/**
 * Whether EL3 may return to below EL2 with this SPSR under this HCR_EL2; any other such return is illegal, and would go on in EL3. RW says
 * which state EL1 is in; below an AArch64 EL1, EL0 may be in either. Arm ARM, D1.4.4.
 */
export function isLegalBelowEl2(spsr: u64, hcrEl2: u64): bool {
  const mode = spsr & SPSR_EL3_M_MASK;
  if ((hcrEl2 & HCR_EL2_RW) === 0) return mode === SPSR_EL3_M_USR32 || isEl1Aarch32(mode);
  return (
    mode === SPSR_EL3_M_EL0T ||
    mode === SPSR_EL3_M_EL1T ||
    mode === SPSR_EL3_M_EL1H ||
    mode === SPSR_EL3_M_USR32
  );
}

/** Not HYP, which is EL2, nor MON, which only secure state has; the other numbers are reserved. */
function isEl1Aarch32(mode: u64): bool {
  return (
    mode === SPSR_EL3_M_FIQ32 ||
    mode === SPSR_EL3_M_IRQ32 ||
    mode === SPSR_EL3_M_SVC32 ||
    mode === SPSR_EL3_M_ABT32 ||
    mode === SPSR_EL3_M_UND32 ||
    mode === SPSR_EL3_M_SYS32
  );
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
