// Where the SMMU's structures lie in the pool, in bytes from POOL_SMMU_OFFSET. The pool is normal memory, as QEMU's SMMU
// reads no other, and is itself not in the DMA table.
//
//   0x00000  command queue             one page
//   0x01000  event queue               one page
//   0x02000  stream table, level 1     256 descriptors, all of which name the same…
//   0x04000  stream table, level 2     …256 entries, all of which name the same…
//   0x03000  context descriptor        …context
//   0x08000  DMA table, level 1        512 entries of 1 GiB
//   0x10000  DMA table, level 2        64 tables for as many GiB of RAM, in order: entries of 2 MiB
//   machine().dmaTablesPa: level 3     a table for each 2 MiB below the pool, in order; used once one of its pages is
//                                      protected. That each has its place makes running out impossible.

import { POOL_SMMU_OFFSET } from "../../../abi/memory-map";
import {
  LEVEL_SHIFT_1,
  LEVEL_SHIFT_2,
  LEVEL_SHIFT_3,
  PAGE_SHIFT,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { machine } from "../storage";

const COMMAND_QUEUE: u64 = 0x0;
const EVENT_QUEUE: u64 = 0x1000;
const STREAM_TABLE: u64 = 0x2000;
const CONTEXT: u64 = 0x3000;
const STREAM_ENTRIES: u64 = 0x4000;
const LEVEL1: u64 = 0x8000;
const LEVEL2: u64 = 0x10000;
export const LEVEL2_TABLES: u64 = 64;

function structurePa(offset: u64): u64 {
  return machine().poolPa + <u64>POOL_SMMU_OFFSET + offset;
}

export function commandQueuePa(): u64 {
  return structurePa(COMMAND_QUEUE);
}

export function eventQueuePa(): u64 {
  return structurePa(EVENT_QUEUE);
}

export function streamTablePa(): u64 {
  return structurePa(STREAM_TABLE);
}

export function streamEntriesPa(): u64 {
  return structurePa(STREAM_ENTRIES);
}

export function contextPa(): u64 {
  return structurePa(CONTEXT);
}

export function level1Pa(): u64 {
  return structurePa(LEVEL1);
}

export function level2Pa(): u64 {
  return structurePa(LEVEL2);
}

/** Start of the level-3 tables. */
export function singlePagesPa(): u64 {
  return machine().dmaTablesPa;
}

/** All of RAM that devices may reach while nobody protects it. `pa` must be such for what follows. */
export function isOutsidePool(pa: u64): bool {
  return pa >= machine().ramPa && pa < machine().poolPa;
}

/** RAM starts at a multiple of 1 GiB (checked at boot), so that the tables of a level are one long one. */
export function level2EntryPa(pa: u64): u64 {
  return level2Pa() + ((pa - machine().ramPa) >> LEVEL_SHIFT_2) * 8;
}

export function level3TablePa(pa: u64): u64 {
  return singlePagesPa() + (((pa - machine().ramPa) >> LEVEL_SHIFT_2) << PAGE_SHIFT);
}

export function level3EntryPa(pa: u64): u64 {
  return level3TablePa(pa) + ((pa >> LEVEL_SHIFT_3) % TABLE_ENTRIES) * 8;
}

/** Level 1: from address 0 on. */
export function level1EntryPa(pa: u64): u64 {
  return level1Pa() + (pa >> LEVEL_SHIFT_1) * 8;
}
