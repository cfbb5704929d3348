// The page of trapping vectors: an EL2 vector table whose 16 entries are one SMC each. While a TEE runs, or a VM waits for its TEE,
// VBAR_EL2 points here, so that no exit reaches the hypervisor before the monitor has seen it. EL2 runs under the
// hypervisor's stage-1 tables, so the page is mapped there, read-only and executable, through a top-level slot
// that the hypervisor does not use.

import { POOL_VECTOR_TABLES_OFFSET, POOL_VECTORS_OFFSET } from "../../../abi/memory-map";
import {
  DESCRIPTOR_TABLE,
  LEVEL_SHIFT_0,
  PAGE_SIZE,
  STAGE1_ATTR_INDEX_SHIFT,
  TABLE_OUTPUT_ADDRESS_MASK,
} from "../arm/page-tables.gen";
import { STAGE1_PAGE_RX, smcInstruction } from "../arm/values";
import {
  cleanInvalidateRange,
  dsbSy,
  fatal,
  icIallu,
  isb,
  readMAIR_EL2,
  readPhysical64,
  tlbiAlle2is,
  writePhysical32,
  writePhysical64,
  zeroPhysical,
} from "../hw";
import { machine } from "../storage";
import { FATAL_MAIR, FATAL_VECTORS } from "../trace/epitaph";

/** imm16 of the entry `n` is TRAPPING_VECTOR_CALL + n; entries are in the order of the Arm ARM's vector table. */
export const TRAPPING_VECTOR_CALL: u32 = 0x4000;
export const TRAPPING_VECTOR_CALL_MASK: u32 = 0xfff0;
/** imm16 of the one entry of the hypervisor's own vectors that is the monitor's (hypervisor-vectors.ts). */
export const HYPERVISOR_FAULT_CALL: u32 = 0x4100;
export const VECTOR_SIZE: u64 = 0x80;
/** A synchronous exception of EL2 itself, on its own stack pointer. */
export const VECTOR_CURRENT_SPX_SYNCHRONOUS: u32 = 4;
/** Entries from here on are exits of a lower exception level: four kinds, from AArch64, then from AArch32. */
export const VECTOR_LOWER: u32 = 8;
const KIND_MASK: u32 = 3;
export const KIND_SYNCHRONOUS: u32 = 0;
export const KIND_IRQ: u32 = 1;
export const KIND_FIQ: u32 = 2;

export function vectorKind(vector: u32): u32 {
  return vector & KIND_MASK;
}

export const VECTORS: u32 = 16;
const TOP_SLOT: u64 = 511;
const NORMAL_WRITE_BACK: u64 = 0xff;

/** The same at EL2 in every configuration of the hypervisor: 48-bit VAs, the last slot of level 0. */
export function trappingVectorsVa(): u64 {
  return TOP_SLOT << LEVEL_SHIFT_0;
}

export function writeTrappingVectors(): void {
  const pa = machine().poolPa + <u64>POOL_VECTORS_OFFSET;
  zeroPhysical(pa, PAGE_SIZE);
  for (let vector: u32 = 0; vector < VECTORS; vector++) {
    writePhysical32(pa + <u64>vector * VECTOR_SIZE, smcInstruction(TRAPPING_VECTOR_CALL + vector));
  }
  cleanInvalidateRange(pa, PAGE_SIZE);
  dsbSy();
  icIallu();
  isb();
}

/** Maps the page into the stage-1 tables at `ttbr0El2`. Stops the machine if their last slot is taken. */
export function mapTrappingVectors(ttbr0El2: u64): void {
  const rootPa = ttbr0El2 & TABLE_OUTPUT_ADDRESS_MASK;
  const tablesPa = machine().poolPa + <u64>POOL_VECTOR_TABLES_OFFSET;
  const wanted = tablesPa | DESCRIPTOR_TABLE;
  const slotPa = rootPa + TOP_SLOT * 8;
  const present = readPhysical64(slotPa);
  if (present === wanted) return;
  if (present !== 0) fatal(FATAL_VECTORS, ttbr0El2, present);
  if (machine().hasVectorTables === 0) buildVectorTables(tablesPa);
  dsbSy();
  writePhysical64(slotPa, wanted);
  cleanInvalidateRange(slotPa, 8);
  dsbSy();
  tlbiAlle2is();
  dsbSy();
  isb();
}

/** Once, at lockdown: later roots of the hypervisor share the tables, which other cores may be using. */
function buildVectorTables(tablesPa: u64): void {
  zeroPhysical(tablesPa, 3 * PAGE_SIZE);
  writePhysical64(tablesPa, (tablesPa + PAGE_SIZE) | DESCRIPTOR_TABLE);
  writePhysical64(tablesPa + PAGE_SIZE, (tablesPa + 2 * PAGE_SIZE) | DESCRIPTOR_TABLE);
  const pagePa = machine().poolPa + <u64>POOL_VECTORS_OFFSET;
  writePhysical64(tablesPa + 2 * PAGE_SIZE, pagePa | vectorPageAttributes());
  cleanInvalidateRange(tablesPa, 3 * PAGE_SIZE);
  machine().hasVectorTables = 1;
}

/** A read-only executable page, in the hypervisor's own words for write-back memory. */
export function vectorPageAttributes(): u64 {
  const mair = readMAIR_EL2();
  for (let index: u64 = 0; index < 8; index++) {
    if (((mair >> (index * 8)) & 0xff) === NORMAL_WRITE_BACK) {
      return STAGE1_PAGE_RX | (index << STAGE1_ATTR_INDEX_SHIFT);
    }
  }
  fatal(FATAL_MAIR, mair, 0);
  return 0;
}
