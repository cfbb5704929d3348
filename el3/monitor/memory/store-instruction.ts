// A store instruction taken apart (arm/stores.ts): where it stores, how much, and from which registers. What is not understood is not
// performed.

import { SYSTEM_ACCESS_RT_MASK } from "../arm/instructions.gen";
import {
  INSTRUCTION_DC_ZVA,
  INSTRUCTION_DC_ZVA_MATCH_MASK,
  INSTRUCTION_STLR,
  INSTRUCTION_STLR_MATCH_MASK,
  INSTRUCTION_STNP,
  INSTRUCTION_STNP_MATCH_MASK,
  INSTRUCTION_STP_OFFSET,
  INSTRUCTION_STP_OFFSET_IMM7_SHIFT,
  INSTRUCTION_STP_OFFSET_IMM7_WIDTH,
  INSTRUCTION_STP_OFFSET_MATCH_MASK,
  INSTRUCTION_STP_OFFSET_RT2_MASK,
  INSTRUCTION_STP_OFFSET_RT2_SHIFT,
  INSTRUCTION_STP_OFFSET_SF_MASK,
  INSTRUCTION_STP_POST,
  INSTRUCTION_STP_POST_MATCH_MASK,
  INSTRUCTION_STP_PRE,
  INSTRUCTION_STP_PRE_MATCH_MASK,
  INSTRUCTION_STR_OFFSET,
  INSTRUCTION_STR_OFFSET_IMM12_MASK,
  INSTRUCTION_STR_OFFSET_IMM12_SHIFT,
  INSTRUCTION_STR_OFFSET_MATCH_MASK,
  INSTRUCTION_STR_OFFSET_RN_MASK,
  INSTRUCTION_STR_OFFSET_RN_SHIFT,
  INSTRUCTION_STR_OFFSET_SIZE_SHIFT,
  INSTRUCTION_STR_POST,
  INSTRUCTION_STR_POST_MATCH_MASK,
  INSTRUCTION_STR_PRE,
  INSTRUCTION_STR_PRE_MATCH_MASK,
  INSTRUCTION_STR_REGISTER,
  INSTRUCTION_STR_REGISTER_MATCH_MASK,
  INSTRUCTION_STR_REGISTER_OPTION_LSL,
  INSTRUCTION_STR_REGISTER_OPTION_MASK,
  INSTRUCTION_STR_REGISTER_OPTION_SXTW,
  INSTRUCTION_STR_REGISTER_OPTION_SXTX,
  INSTRUCTION_STR_REGISTER_OPTION_UXTW,
  INSTRUCTION_STR_REGISTER_RM_MASK,
  INSTRUCTION_STR_REGISTER_RM_SHIFT,
  INSTRUCTION_STR_REGISTER_S_MASK,
  INSTRUCTION_STUR,
  INSTRUCTION_STUR_IMM9_SHIFT,
  INSTRUCTION_STUR_IMM9_WIDTH,
  INSTRUCTION_STUR_MATCH_MASK,
} from "../arm/stores.gen";
import { ExceptionFrame, readRegister, writeRegister } from "../worlds/exception-frame";

/** Bytes that DC ZVA zeroes on every core that the monitor runs on (DCZID_EL0.BS = 4). */
export const ZERO_BLOCK_SIZE: u64 = 64;
const WORD_SIZE: u64 = 4;
const DOUBLEWORD_SIZE: u64 = 8;
const NO_REGISTER: u32 = 31;
const INSTRUCTION_BITS: u32 = 32;

/** What one store does: `count` values of `size` bytes each, from `va` on. */
@unmanaged
export class Store {
  va: u64;
  /** Bytes of one value: 1, 2, 4 or 8. */
  size: u64;
  count: u32;
  /** Values; all others are zero. */
  first: u64;
  second: u64;
  /** The base register gets this afterwards (31: it does not change). */
  writeBack: u32;
  base: u64;
}

function matches(instruction: u32, mask: u32, match: u32): bool {
  return (instruction & mask) === match;
}

/** The field that ends at bit `shift` + `width` - 1, with its sign. */
function signed(instruction: u32, shift: u32, width: u32): u64 {
  const top = INSTRUCTION_BITS - width;
  return <u64>(<i64>(<i32>(instruction << (top - shift)) >> <i32>top));
}

/** Fills `into`; false if the instruction is no store that the monitor performs. SP as base is none: no table lies on a stack. */
export function decodeStore(into: Store, instruction: u32, frame: ExceptionFrame): bool {
  into.second = 0;
  into.count = 1;
  into.writeBack = NO_REGISTER;
  const rt = instruction & SYSTEM_ACCESS_RT_MASK;
  if (matches(instruction, INSTRUCTION_DC_ZVA_MATCH_MASK, INSTRUCTION_DC_ZVA)) {
    into.va = readRegister(frame, rt) & ~(ZERO_BLOCK_SIZE - 1);
    into.size = DOUBLEWORD_SIZE;
    into.count = <u32>(ZERO_BLOCK_SIZE / DOUBLEWORD_SIZE);
    into.first = 0;
    return true;
  }
  const rn = (instruction & INSTRUCTION_STR_OFFSET_RN_MASK) >> INSTRUCTION_STR_OFFSET_RN_SHIFT;
  if (rn === NO_REGISTER) return false;
  into.base = readRegister(frame, rn);
  into.first = readRegister(frame, rt);
  const log2Size = <u64>(instruction >> INSTRUCTION_STR_OFFSET_SIZE_SHIFT);
  into.size = (<u64>1) << log2Size;
  return (
    decodeOffset(into, instruction) ||
    decodeIndexed(into, instruction, rn) ||
    decodeRegisterOffset(into, instruction, frame) ||
    decodePair(into, instruction, rn, frame)
  );
}

function decodeOffset(into: Store, instruction: u32): bool {
  into.va = into.base;
  if (matches(instruction, INSTRUCTION_STLR_MATCH_MASK, INSTRUCTION_STLR)) return true;
  if (!matches(instruction, INSTRUCTION_STR_OFFSET_MATCH_MASK, INSTRUCTION_STR_OFFSET)) return false;
  const imm12 = (instruction & INSTRUCTION_STR_OFFSET_IMM12_MASK) >> INSTRUCTION_STR_OFFSET_IMM12_SHIFT;
  into.va += <u64>imm12 * into.size;
  return true;
}

function decodeIndexed(into: Store, instruction: u32, rn: u32): bool {
  const moved = into.base + signed(instruction, INSTRUCTION_STUR_IMM9_SHIFT, INSTRUCTION_STUR_IMM9_WIDTH);
  if (matches(instruction, INSTRUCTION_STUR_MATCH_MASK, INSTRUCTION_STUR)) {
    into.va = moved;
    return true;
  }
  const isPost = matches(instruction, INSTRUCTION_STR_POST_MATCH_MASK, INSTRUCTION_STR_POST);
  if (!isPost && !matches(instruction, INSTRUCTION_STR_PRE_MATCH_MASK, INSTRUCTION_STR_PRE)) return false;
  into.va = isPost ? into.base : moved;
  into.writeBack = rn;
  into.base = moved;
  return true;
}

function decodeRegisterOffset(into: Store, instruction: u32, frame: ExceptionFrame): bool {
  if (!matches(instruction, INSTRUCTION_STR_REGISTER_MATCH_MASK, INSTRUCTION_STR_REGISTER)) return false;
  const rm = (instruction & INSTRUCTION_STR_REGISTER_RM_MASK) >> INSTRUCTION_STR_REGISTER_RM_SHIFT;
  let offset = readRegister(frame, rm);
  switch (instruction & INSTRUCTION_STR_REGISTER_OPTION_MASK) {
    case INSTRUCTION_STR_REGISTER_OPTION_UXTW:
      offset = <u64>(<u32>offset);
      break;
    case INSTRUCTION_STR_REGISTER_OPTION_SXTW:
      offset = <u64>(<i64>(<i32>offset));
      break;
    case INSTRUCTION_STR_REGISTER_OPTION_LSL:
    case INSTRUCTION_STR_REGISTER_OPTION_SXTX:
      break;
    default:
      return false;
  }
  const isScaled = (instruction & INSTRUCTION_STR_REGISTER_S_MASK) !== 0;
  into.va = into.base + (isScaled ? offset * into.size : offset);
  return true;
}

function decodePair(into: Store, instruction: u32, rn: u32, frame: ExceptionFrame): bool {
  const isPost = matches(instruction, INSTRUCTION_STP_POST_MATCH_MASK, INSTRUCTION_STP_POST);
  const isPre = matches(instruction, INSTRUCTION_STP_PRE_MATCH_MASK, INSTRUCTION_STP_PRE);
  const isOffset =
    matches(instruction, INSTRUCTION_STP_OFFSET_MATCH_MASK, INSTRUCTION_STP_OFFSET) ||
    matches(instruction, INSTRUCTION_STNP_MATCH_MASK, INSTRUCTION_STNP);
  if (!isPost && !isPre && !isOffset) return false;
  into.size = (instruction & INSTRUCTION_STP_OFFSET_SF_MASK) !== 0 ? DOUBLEWORD_SIZE : WORD_SIZE;
  const offset =
    signed(instruction, INSTRUCTION_STP_OFFSET_IMM7_SHIFT, INSTRUCTION_STP_OFFSET_IMM7_WIDTH) * into.size;
  into.count = 2;
  into.second = readRegister(
    frame,
    (instruction & INSTRUCTION_STP_OFFSET_RT2_MASK) >> INSTRUCTION_STP_OFFSET_RT2_SHIFT,
  );
  into.va = isPost ? into.base : into.base + offset;
  if (isOffset) return true;
  into.writeBack = rn;
  into.base += offset;
  return true;
}

/** The store was performed: its base register moves on. */
export function writeBackBase(store: Store, frame: ExceptionFrame): void {
  writeRegister(frame, store.writeBack, store.base);
}
