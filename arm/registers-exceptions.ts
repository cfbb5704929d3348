// Exceptions: what happened, where, from what state. Arm ARM, D17.2 (ESR_ELx), C5.2 (SPSR_ELx).

import {
  at,
  bit,
  bits,
  type Fields,
  layout,
  part,
  type Register,
  register,
  type SystemEncoding,
} from "./describe.ts";

/** Exception classes, ESR_ELx.EC. */
export const exceptionClasses = {
  UNKNOWN: 0x00,
  WFX: 0x01,
  CP15_32: 0x03,
  CP15_64: 0x04,
  CP14_32: 0x05,
  CP14_LDC: 0x06,
  FP_TRAP: 0x07,
  CP10_ID: 0x08,
  PAUTH: 0x09,
  CP14_64: 0x0c,
  ILLEGAL_STATE: 0x0e,
  SVC32: 0x11,
  HVC32: 0x12,
  SMC32: 0x13,
  SVC64: 0x15,
  HVC64: 0x16,
  SMC64: 0x17,
  SYSTEM_REGISTER: 0x18,
  SVE_TRAP: 0x19,
  INSTRUCTION_ABORT_LOWER: 0x20,
  INSTRUCTION_ABORT: 0x21,
  PC_ALIGNMENT: 0x22,
  DATA_ABORT_LOWER: 0x24,
  DATA_ABORT: 0x25,
  SP_ALIGNMENT: 0x26,
  FP32: 0x28,
  FP64: 0x2c,
  SERROR: 0x2f,
  BREAKPOINT_LOWER: 0x30,
  BREAKPOINT: 0x31,
  STEP_LOWER: 0x32,
  STEP: 0x33,
  WATCHPOINT_LOWER: 0x34,
  WATCHPOINT: 0x35,
  BKPT32: 0x38,
  BRK64: 0x3c,
};

/** Fault status codes, DFSC and IFSC; the level stands in the low two bits of the first five. */
export const faultStatus = {
  ADDRESS_SIZE_L0: 0x00,
  ADDRESS_SIZE_L1: 0x01,
  ADDRESS_SIZE_L2: 0x02,
  ADDRESS_SIZE_L3: 0x03,
  TRANSLATION_L0: 0x04,
  TRANSLATION_L1: 0x05,
  TRANSLATION_L2: 0x06,
  TRANSLATION_L3: 0x07,
  ACCESS_FLAG_L1: 0x09,
  ACCESS_FLAG_L2: 0x0a,
  ACCESS_FLAG_L3: 0x0b,
  PERMISSION_L1: 0x0d,
  PERMISSION_L2: 0x0e,
  PERMISSION_L3: 0x0f,
  EXTERNAL: 0x10,
  EXTERNAL_WALK_L0: 0x14,
  EXTERNAL_WALK_L1: 0x15,
  EXTERNAL_WALK_L2: 0x16,
  EXTERNAL_WALK_L3: 0x17,
  ALIGNMENT: 0x21,
  TLB_CONFLICT: 0x30,
};

const SYNDROME: Fields = {
  ISS: bits(24, 0, "details, by class"),
  IL: bit(25, "the instruction was 32 bits long"),
  EC: bits(31, 26, "exception class", exceptionClasses),
};

export const savedStateModes = {
  EL0T: 0x00,
  EL1T: 0x04,
  EL1H: 0x05,
  EL2T: 0x08,
  EL2H: 0x09,
  EL3T: 0x0c,
  EL3H: 0x0d,
  USR32: 0x10,
  FIQ32: 0x11,
  IRQ32: 0x12,
  SVC32: 0x13,
  MON32: 0x16,
  ABT32: 0x17,
  HYP32: 0x1a,
  UND32: 0x1b,
  SYS32: 0x1f,
  // The level alone, under the mask of M_EL; named after the exact modes, which a decoder prefers.
  EL0: 0x00,
  EL1: 0x04,
  EL2: 0x08,
  EL3: 0x0c,
};

const SAVED_STATE: Fields = {
  M: bits(4, 0, "mode to return to", savedStateModes),
  M_EL: part(3, 2, "its exception level, in AArch64"),
  M_AARCH32: part(4, 4, "it is AArch32"),
  T: bit(5, "AArch32: Thumb"),
  F: bit(6, "FIQ masked"),
  I: bit(7, "IRQ masked"),
  A: bit(8, "SError masked"),
  D: bit(9, "AArch64: debug exceptions masked (AArch32: big endian)"),
  IL: bit(20, "illegal execution state"),
  SS: bit(21, "software step"),
  PAN: bit(22, "privileged access never"),
  V: bit(28, "overflow"),
  C: bit(29, "carry"),
  Z: bit(30, "zero"),
  N: bit(31, "negative"),
};

const ABORT: Fields = {
  FSC: bits(5, 0, "fault status", faultStatus),
  S1PTW: bit(7, "stage 2 fault of a stage 1 table walk"),
  EA: bit(9, "external abort type"),
  FNV: bit(10, "FAR not valid"),
};

export const exceptionRegisters = [
  ...levels("ESR", "Exception Syndrome Register", (op1) => at(3, op1, 5, 2, 0), SYNDROME).map(asSyndrome),
  ...levels("SPSR", "Saved Program Status Register", (op1) => at(3, op1, 4, 0, 0), SAVED_STATE),
  ...levels("ELR", "Exception Link Register", (op1) => at(3, op1, 4, 0, 1)),
  ...levels("FAR", "Fault Address Register", (op1) => at(3, op1, 6, 0, 0)),
  ...levels("VBAR", "Vector Base Address Register", (op1) => at(3, op1, 12, 0, 0)),
  ...levels("AFSR0", "Auxiliary Fault Status 0", (op1) => at(3, op1, 5, 1, 0)),
  ...levels("AFSR1", "Auxiliary Fault Status 1", (op1) => at(3, op1, 5, 1, 1)),
  register("HPFAR_EL2", "Hypervisor IPA Fault Address Register", at(3, 4, 6, 0, 4), {
    FIPA: bits(43, 4, "bits 51:12 of the faulting IPA"),
    NS: bit(63, "the IPA is non-secure"),
  }),
  register("PAR_EL1", "Physical Address Register", at(3, 0, 7, 4, 0), {
    F: bit(0, "the translation failed"),
    FST: bits(6, 1, "fault status, when it failed", faultStatus),
    PTW: bit(8, "a stage 2 fault of a stage 1 walk, when it failed"),
    S: bit(9, "stage 2, when it failed; non-secure, when not"),
    PA: bits(47, 12, "bits 47:12 of the address, when it did not fail"),
    ATTR: bits(63, 56, "memory attributes, when it did not fail"),
  }),
  register("SP_EL0", "Stack Pointer of EL0", at(3, 0, 4, 1, 0)),
  register("SP_EL1", "Stack Pointer of EL1", at(3, 4, 4, 1, 0)),
  register("SP_EL2", "Stack Pointer of EL2", at(3, 6, 4, 1, 0)),
  register("ISR_EL1", "Interrupt Status Register", at(3, 0, 12, 1, 0), {
    F: bit(6, "an FIQ is pending"),
    I: bit(7, "an IRQ is pending"),
    A: bit(8, "an SError is pending"),
  }),
  register("RVBAR_EL3", "Reset Vector Base", at(3, 6, 12, 0, 1)),
  register("DAIF", "Interrupt Mask Bits", at(3, 3, 4, 2, 1), {
    F: bit(6, "FIQ masked"),
    I: bit(7, "IRQ masked"),
    A: bit(8, "SError masked"),
    D: bit(9, "debug exceptions masked"),
  }),
];

/** ESR_ELx.ISS by class. */
const details: Readonly<Record<string, { title: string; fields: Fields }>> = {
  DATA_ABORT: {
    title: "a data abort",
    fields: {
      ...ABORT,
      WNR: bit(6, "a write"),
      CM: bit(8, "cache maintenance"),
      AR: bit(14, "acquire or release"),
      SF: bit(15, "the register is 64 bits wide"),
      SRT: bits(20, 16, "the register"),
      SSE: bit(21, "the value is sign-extended"),
      SAS: bits(23, 22, "access size", { BYTE: 0, HALFWORD: 1, WORD: 2, DOUBLEWORD: 3 }),
      ISV: bit(24, "SAS, SSE, SRT, SF and AR are valid"),
    },
  },
  INSTRUCTION_ABORT: { title: "an instruction abort", fields: ABORT },
  SYSTEM_REGISTER: {
    title: "a trapped MSR, MRS or system instruction",
    fields: {
      READ: bit(0, "an MRS: the register is read"),
      CRM: bits(4, 1, "CRm"),
      RT: bits(9, 5, "the general register"),
      CRN: bits(13, 10, "CRn"),
      OP1: bits(16, 14, "op1"),
      OP2: bits(19, 17, "op2"),
      OP0: bits(21, 20, "op0"),
    },
  },
  SMC: { title: "SVC, HVC, SMC and BRK from AArch64", fields: { IMM16: bits(15, 0, "the immediate") } },
  WFX: {
    title: "a trapped WFI or WFE",
    fields: {
      TI: bits(1, 0, "which one", { WFI: 0, WFE: 1, WFIT: 2, WFET: 3 }),
      COND: bits(23, 20, "condition"),
      CV: bit(24, "COND is valid"),
    },
  },
  FP: {
    title: "trapped FP or SIMD",
    fields: { COND: bits(23, 20, "condition"), CV: bit(24, "COND is valid") },
  },
  SERROR: {
    title: "an SError",
    fields: {
      DFSC: bits(5, 0, "fault status"),
      EA: bit(9, "external abort type"),
      AET: bits(12, 10, "severity"),
      IDS: bit(24, "implementation defined"),
    },
  },
};

export type SyndromeKind =
  | "DATA_ABORT"
  | "INSTRUCTION_ABORT"
  | "SYSTEM_REGISTER"
  | "SMC"
  | "WFX"
  | "FP"
  | "SERROR";

/** The layout of the ISS in the ESR of a level. */
export const syndromes: readonly Register[] = ["EL2", "EL3"].flatMap((level) =>
  Object.entries(details).map(([kind, { title, fields }]) =>
    asSyndrome(layout(`ESR_${level}_ISS_${kind}`, `ESR_${level}.ISS of ${title}`, fields)),
  ),
);

export function syndromeFields(kind: SyndromeKind): Fields {
  return details[kind]!.fields;
}

function asSyndrome(description: Register): Register {
  return { ...description, isSyndrome: true };
}

function levels(name: string, title: string, encoding: (op1: number) => SystemEncoding, fields: Fields = {}) {
  const op1OfLevel = { EL1: 0, EL2: 4, EL3: 6 };
  return Object.entries(op1OfLevel).map(([level, op1]) =>
    register(`${name}_${level}`, `${title}, ${level}`, encoding(op1), fields),
  );
}
