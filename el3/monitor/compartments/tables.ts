// A compartment's address space (abi/compartment-images.ts has the VAs): 1 GiB, a root of level 2, one table for text
// and stack, one for the linear memory, and those for what it is lent. Arm ARM, D8.3; 4 KiB granule.

import {
  COMPARTMENT_BSS_VA,
  COMPARTMENT_LINEAR_VA,
  COMPARTMENT_STACK_PAGES,
  COMPARTMENT_STACK_VA,
  COMPARTMENT_TEXT_VA,
  COMPARTMENT_VECTORS_VA,
} from "../../../abi/compartment-images";
import { COMPARTMENT_MESSAGE_PTR } from "../../../abi/compartments";
import { COMPARTMENT_RAM_PA } from "../../../abi/memory-map";
import {
  BLOCK_L2_SIZE,
  DESCRIPTOR_PAGE,
  DESCRIPTOR_TABLE,
  LEVEL_SHIFT_2,
  PAGE_SHIFT,
  PAGE_SIZE,
  STAGE1_AF,
  STAGE1_AP_RO,
  STAGE1_AP_RO_PRIVILEGED,
  STAGE1_AP_RW,
  STAGE1_NG,
  STAGE1_PXN,
  STAGE1_SH_INNER,
  STAGE1_XN,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { writePhysical64, zeroPhysical } from "../hw";
import { Compartment } from "./compartment";

const MEMORY: u64 = STAGE1_AF | STAGE1_SH_INNER | STAGE1_NG;
/** Executable by the compartment; not by S-EL1, which has a page of its own. */
const TEXT: u64 = MEMORY | STAGE1_AP_RO | STAGE1_PXN;
/** What S-EL1 executes when a compartment leaves; not for the compartment. */
const VECTORS: u64 = MEMORY | STAGE1_AP_RO_PRIVILEGED | STAGE1_XN;
const DATA: u64 = MEMORY | STAGE1_XN | STAGE1_PXN;
export const COMPARTMENT_READ_WRITE: u64 = DATA | STAGE1_AP_RW;
export const COMPARTMENT_READ_ONLY: u64 = DATA | STAGE1_AP_RO;

/** Tables that every compartment has: the root, and two of level 3. */
export const FIXED_TABLES: u64 = 3;

export function buildTables(it: Compartment): void {
  const textTablePa = it.tablesPa + PAGE_SIZE;
  const memoryTablePa = it.tablesPa + 2 * PAGE_SIZE;
  zeroPhysical(it.tablesPa, FIXED_TABLES * PAGE_SIZE);
  setTable(it, <u64>COMPARTMENT_TEXT_VA, textTablePa);
  setTable(it, <u64>COMPARTMENT_LINEAR_VA, memoryTablePa);
  const rodataVa = <u64>COMPARTMENT_TEXT_VA + it.textSize;
  const rodataPa = it.imagePa + it.textSize;
  const messageVa = <u64>COMPARTMENT_LINEAR_VA + <u64>COMPARTMENT_MESSAGE_PTR;
  const stackSize = <u64>COMPARTMENT_STACK_PAGES * PAGE_SIZE;
  mapPages(textTablePa, <u64>COMPARTMENT_TEXT_VA, it.imagePa, it.textSize, TEXT);
  mapPages(textTablePa, rodataVa, rodataPa, it.rodataSize, COMPARTMENT_READ_ONLY);
  mapPages(textTablePa, <u64>COMPARTMENT_BSS_VA, it.stackPa, PAGE_SIZE, COMPARTMENT_READ_WRITE);
  mapPages(textTablePa, <u64>COMPARTMENT_STACK_VA, it.stackPa + PAGE_SIZE, stackSize, COMPARTMENT_READ_WRITE);
  mapPages(textTablePa, <u64>COMPARTMENT_VECTORS_VA, <u64>COMPARTMENT_RAM_PA, PAGE_SIZE, VECTORS);
  mapPages(memoryTablePa, messageVa, it.memoryPa, it.memorySize, COMPARTMENT_READ_WRITE);
}

/** Where the entry of level 2 for `va` stands. */
export function level2EntryPa(it: Compartment, va: u64): u64 {
  return it.tablesPa + (va >> LEVEL_SHIFT_2) * 8;
}

export function setTable(it: Compartment, va: u64, tablePa: u64): void {
  writePhysical64(level2EntryPa(it, va), tablePa | DESCRIPTOR_TABLE);
}

/** Whole pages, within the 2 MiB that the table translates. */
export function mapPages(tablePa: u64, va: u64, pa: u64, size: u64, attributes: u64): void {
  for (let offset: u64 = 0; offset < size && offset < BLOCK_L2_SIZE; offset += PAGE_SIZE) {
    const index = ((va + offset) >> PAGE_SHIFT) & (TABLE_ENTRIES - 1);
    writePhysical64(tablePa + index * 8, (pa + offset) | attributes | DESCRIPTOR_PAGE);
  }
}
