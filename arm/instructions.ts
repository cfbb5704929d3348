// Encodings that the rewriter, the adaptation of TEE images and the tests know. Arm ARM, C4 and C6.
// `match` under `mask` is the instruction; fields are what varies.

import { bits, type Fields } from "./describe.ts";

export interface Instruction {
  readonly name: string;
  readonly assembly: string;
  readonly mask: number;
  readonly match: number;
  readonly fields: Fields;
}

const IMM16: Fields = { IMM16: bits(20, 5, "the immediate") };
const SYSTEM = {
  RT: bits(4, 0, "the general register"),
  OP2: bits(7, 5, "op2"),
  CRM: bits(11, 8, "CRm"),
  CRN: bits(15, 12, "CRn"),
  OP1: bits(18, 16, "op1"),
} satisfies Fields;
const MOVE_WIDE: Fields = {
  RD: bits(4, 0, "destination"),
  IMM16: bits(20, 5, "the immediate"),
  HW: bits(22, 21, "shift of the immediate, in steps of 16 bits"),
};
const PAIR: Fields = {
  RT: bits(4, 0, "first register"),
  RN: bits(9, 5, "base register; 31 is SP"),
  RT2: bits(14, 10, "second register"),
  IMM7: bits(21, 15, "offset in steps of 8 bytes, signed"),
};
const SYSTEM_REGISTER: Fields = { ...SYSTEM, O0: bits(19, 19, "op0 - 2") };

/** MSR or MRS of any system register: what the adaptation of TEE images takes apart. */
export const systemAccessConstants = {
  SYSTEM_ACCESS_READ: 1 << 21,
  SYSTEM_ACCESS_RT_MASK: 0x1f,
  SYSTEM_ACCESS_OP2_SHIFT: 5,
  SYSTEM_ACCESS_OP2_MASK: 7 << 5,
  /** The secure physical timer: op0 3, op1 7, CRn 14, CRm 2; read or write, any op2 and Rt. */
  CNTPS_ACCESS_VALUE: 0xd51fe200,
  CNTPS_ACCESS_MASK: 0xffdfff00,
};

export const instructions: readonly Instruction[] = [
  { name: "SVC", assembly: "svc #imm16", mask: 0xffe0001f, match: 0xd4000001, fields: IMM16 },
  { name: "HVC", assembly: "hvc #imm16", mask: 0xffe0001f, match: 0xd4000002, fields: IMM16 },
  { name: "SMC", assembly: "smc #imm16", mask: 0xffe0001f, match: 0xd4000003, fields: IMM16 },
  { name: "BRK", assembly: "brk #imm16", mask: 0xffe0001f, match: 0xd4200000, fields: IMM16 },
  { name: "MSR", assembly: "msr register, xt", mask: 0xfff00000, match: 0xd5100000, fields: SYSTEM_REGISTER },
  {
    name: "MSRR",
    assembly: "msrr register, xt, xt+1",
    mask: 0xfff00000,
    match: 0xd5500000,
    fields: SYSTEM_REGISTER,
  },
  { name: "MRS", assembly: "mrs xt, register", mask: 0xfff00000, match: 0xd5300000, fields: SYSTEM_REGISTER },
  {
    name: "MSR_IMMEDIATE",
    assembly: "msr pstate, #imm",
    mask: 0xfff8f01f,
    match: 0xd500401f,
    fields: { OP2: bits(7, 5, "op2"), CRM: bits(11, 8, "immediate"), OP1: bits(18, 16, "op1") },
  },
  {
    name: "SYS",
    assembly: "sys #op1, cn, cm, #op2, xt (ic, dc, at, tlbi)",
    mask: 0xfff80000,
    match: 0xd5080000,
    fields: SYSTEM,
  },
  {
    name: "TLBI",
    assembly: "tlbi operation, xt",
    mask: 0xfff8f000,
    match: 0xd5088000,
    fields: { RT: SYSTEM.RT, OP2: SYSTEM.OP2, CRM: SYSTEM.CRM, OP1: SYSTEM.OP1 },
  },
  { name: "NOP", assembly: "nop", mask: 0xffffffff, match: 0xd503201f, fields: {} },
  { name: "WFE", assembly: "wfe", mask: 0xffffffff, match: 0xd503205f, fields: {} },
  { name: "WFI", assembly: "wfi", mask: 0xffffffff, match: 0xd503207f, fields: {} },
  { name: "SEV", assembly: "sev", mask: 0xffffffff, match: 0xd503209f, fields: {} },
  { name: "ISB", assembly: "isb", mask: 0xfffff0ff, match: 0xd50330df, fields: {} },
  {
    name: "DSB",
    assembly: "dsb option",
    mask: 0xfffff0ff,
    match: 0xd503309f,
    fields: { CRM: bits(11, 8, "option") },
  },
  { name: "ERET", assembly: "eret", mask: 0xffffffff, match: 0xd69f03e0, fields: {} },
  {
    name: "RET",
    assembly: "ret xn",
    mask: 0xfffffc1f,
    match: 0xd65f0000,
    fields: { RN: bits(9, 5, "return address") },
  },
  {
    name: "BL",
    assembly: "bl label",
    mask: 0xfc000000,
    match: 0x94000000,
    fields: { IMM26: bits(25, 0, "offset in instructions, signed") },
  },
  { name: "BTI_C", assembly: "bti c", mask: 0xffffffff, match: 0xd503245f, fields: {} },
  { name: "PACIASP", assembly: "paciasp", mask: 0xffffffff, match: 0xd503233f, fields: {} },
  { name: "AUTIASP", assembly: "autiasp", mask: 0xffffffff, match: 0xd50323bf, fields: {} },
  {
    name: "MOV_X",
    assembly: "mov xd, xm",
    mask: 0xffe0ffe0,
    match: 0xaa0003e0,
    fields: { RD: bits(4, 0, "destination"), RM: bits(20, 16, "source; 31 is XZR") },
  },
  {
    name: "MOV_W",
    assembly: "mov wd, wm",
    mask: 0xffe0ffe0,
    match: 0x2a0003e0,
    fields: { RD: bits(4, 0, "destination"), RM: bits(20, 16, "source; 31 is WZR") },
  },
  {
    name: "MOV_X_FROM_SP",
    assembly: "mov xd, sp",
    mask: 0xffffffe0,
    match: 0x910003e0,
    fields: { RD: bits(4, 0, "destination") },
  },
  {
    name: "MOVZ_X",
    assembly: "movz xd, #imm16, lsl #shift",
    mask: 0xff800000,
    match: 0xd2800000,
    fields: MOVE_WIDE,
  },
  {
    name: "MOVZ_W",
    assembly: "movz wd, #imm16, lsl #shift",
    mask: 0xff800000,
    match: 0x52800000,
    fields: MOVE_WIDE,
  },
  {
    name: "MOVK_W",
    assembly: "movk wd, #imm16, lsl #shift",
    mask: 0xff800000,
    match: 0x72800000,
    fields: MOVE_WIDE,
  },
  {
    name: "STP_X",
    assembly: "stp xt, xt2, [xn, #offset]",
    mask: 0xffc00000,
    match: 0xa9000000,
    fields: PAIR,
  },
  {
    name: "STP_X_PRE",
    assembly: "stp xt, xt2, [xn, #offset]!",
    mask: 0xffc00000,
    match: 0xa9800000,
    fields: PAIR,
  },
  {
    name: "LDP_X_POST",
    assembly: "ldp xt, xt2, [xn], #offset",
    mask: 0xffc00000,
    match: 0xa8c00000,
    fields: PAIR,
  },
];

const byName = new Map(instructions.map((instruction) => [instruction.name, instruction]));

export function instruction(name: string): Instruction {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`arm/instructions.ts has no ${name}`);
  return found;
}

export function isInstruction(word: number, { mask, match }: Instruction): boolean {
  return (word & mask) >>> 0 === match >>> 0;
}

export function fieldOf(word: number, { fields, name }: Instruction, field: string): number {
  const range = fields[field];
  if (range === undefined) throw new Error(`${name} has no field ${field}`);
  return (word >>> range.low) & ((1 << (range.high - range.low + 1)) - 1);
}

/** The word of an instruction with these field values. */
export function encode(name: string, values: Readonly<Record<string, number>>): number {
  const { match, fields } = instruction(name);
  let word = match;
  for (const [field, value] of Object.entries(values)) {
    const range = fields[field];
    if (range === undefined) throw new Error(`${name} has no field ${field}`);
    if (value < 0 || value >>> (range.high - range.low + 1) !== 0)
      throw new Error(`${name}.${field} cannot hold ${value}`);
    word |= value << range.low;
  }
  return word >>> 0;
}
