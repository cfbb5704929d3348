// Stores of general registers, as a compiler makes them, and DC ZVA: what the monitor performs on the hypervisor's behalf when
// they hit a translation table. Arm ARM, C4.1.94 (loads and stores). FP and SIMD stores (V = 1) and the atomics of FEAT_LSE are not
// among them: Xen is built without.

import { bits, type Fields } from "./describe.ts";
import type { Instruction } from "./instructions.ts";

const SIZE = bits(31, 30, "log2 of the bytes stored");
const BASE: Fields = { RT: bits(4, 0, "the register stored"), RN: bits(9, 5, "base address; 31 is SP") };
const IMM9: Fields = { ...BASE, IMM9: bits(20, 12, "signed offset in bytes"), SIZE };
const PAIR: Fields = {
  ...BASE,
  RT2: bits(14, 10, "the second register stored"),
  IMM7: bits(21, 15, "signed offset in units of the register's size"),
  SF: bits(31, 31, "64-bit registers"),
};
const EXCLUSIVE: Fields = { ...BASE, RS: bits(20, 16, "where the outcome goes"), SIZE };

export const stores: readonly Instruction[] = [
  {
    name: "STR_OFFSET",
    assembly: "str rt, [xn, #imm12 * size]",
    mask: 0x3fc00000,
    match: 0x39000000,
    fields: { ...BASE, IMM12: bits(21, 10, "offset in units of the size"), SIZE },
  },
  { name: "STUR", assembly: "stur rt, [xn, #imm9]", mask: 0x3fe00c00, match: 0x38000000, fields: IMM9 },
  { name: "STR_POST", assembly: "str rt, [xn], #imm9", mask: 0x3fe00c00, match: 0x38000400, fields: IMM9 },
  { name: "STR_PRE", assembly: "str rt, [xn, #imm9]!", mask: 0x3fe00c00, match: 0x38000c00, fields: IMM9 },
  {
    name: "STR_REGISTER",
    assembly: "str rt, [xn, rm, extend #s]",
    mask: 0x3fe00c00,
    match: 0x38200800,
    fields: {
      ...BASE,
      S: bits(12, 12, "shifted by the size"),
      OPTION: bits(15, 13, "how rm is extended", { UXTW: 2, LSL: 3, SXTW: 6, SXTX: 7 }),
      RM: bits(20, 16, "the offset's register"),
      SIZE,
    },
  },
  {
    name: "STP_OFFSET",
    assembly: "stp rt, rt2, [xn, #imm7]",
    mask: 0x7fc00000,
    match: 0x29000000,
    fields: PAIR,
  },
  { name: "STNP", assembly: "stnp rt, rt2, [xn, #imm7]", mask: 0x7fc00000, match: 0x28000000, fields: PAIR },
  {
    name: "STP_POST",
    assembly: "stp rt, rt2, [xn], #imm7",
    mask: 0x7fc00000,
    match: 0x28800000,
    fields: PAIR,
  },
  {
    name: "STP_PRE",
    assembly: "stp rt, rt2, [xn, #imm7]!",
    mask: 0x7fc00000,
    match: 0x29800000,
    fields: PAIR,
  },
  { name: "STLR", assembly: "stlr rt, [xn]", mask: 0x3ffffc00, match: 0x089ffc00, fields: { ...BASE, SIZE } },
  {
    name: "STXR",
    assembly: "stxr, stlxr ws, rt, [xn]",
    mask: 0x3fe07c00,
    match: 0x08007c00,
    fields: EXCLUSIVE,
  },
  {
    name: "DC_ZVA",
    assembly: "dc zva, xt",
    mask: 0xffffffe0,
    match: 0xd50b7420,
    fields: { RT: bits(4, 0, "an address in the block") },
  },
  {
    name: "B",
    assembly: "b label",
    mask: 0xfc000000,
    match: 0x14000000,
    fields: { IMM26: bits(25, 0, "signed offset in instructions") },
  },
];
