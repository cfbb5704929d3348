// Questions about entries of translation tables, 4 KiB granule. Arm ARM, D8.3.

import {
  DESCRIPTOR_TABLE,
  DESCRIPTOR_TYPE_MASK,
  DESCRIPTOR_VALID,
  LAST_LEVEL,
  LEVEL_SHIFT_0,
  PAGE_OUTPUT_ADDRESS_MASK,
  STAGE1_AP_READ_ONLY,
  STAGE1_XN,
  TABLE_ADDRESS_BITS,
} from "../arm/page-tables.gen";

/** What an entry of this level translates, as a shift. */
export function levelShift(level: u32): u64 {
  return LEVEL_SHIFT_0 - TABLE_ADDRESS_BITS * <u64>level;
}

export function isValid(entry: u64): bool {
  return (entry & DESCRIPTOR_VALID) !== 0;
}

/** A valid entry that names a table of the next level. */
export function isTableEntry(entry: u64, level: u32): bool {
  return level < <u32>LAST_LEVEL && (entry & DESCRIPTOR_TYPE_MASK) === DESCRIPTOR_TABLE;
}

/** A block at level 1 or 2, a page at level 3. */
export function isLeaf(entry: u64, level: u32): bool {
  const type = entry & DESCRIPTOR_TYPE_MASK;
  return level === <u32>LAST_LEVEL ? type === DESCRIPTOR_TABLE : level > 0 && type === DESCRIPTOR_VALID;
}

/** Valid, and yet neither: level 3 without bit 1, a block at level 0. */
export function isReserved(entry: u64, level: u32): bool {
  return isValid(entry) && !isTableEntry(entry, level) && !isLeaf(entry, level);
}

export function leafSize(level: u32): u64 {
  return (<u64>1) << levelShift(level);
}

export function tablePa(entry: u64): u64 {
  return entry & PAGE_OUTPUT_ADDRESS_MASK;
}

/** Output address of a leaf of this level. */
export function leafPa(entry: u64, level: u32): u64 {
  return entry & PAGE_OUTPUT_ADDRESS_MASK & ~(leafSize(level) - 1);
}

/** Bits below a leaf's size that hardware takes as RES0: an entry that has them is not accepted. */
export function isAlignedLeaf(entry: u64, level: u32): bool {
  return (entry & PAGE_OUTPUT_ADDRESS_MASK) === leafPa(entry, level);
}

/** Stage 1 of EL2. */
export function isWritable(leaf: u64): bool {
  return (leaf & STAGE1_AP_READ_ONLY) === 0;
}

/** Stage 1 of EL2. */
export function isExecutable(leaf: u64): bool {
  return (leaf & STAGE1_XN) === 0;
}
