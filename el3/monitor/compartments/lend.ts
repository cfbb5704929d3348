// What a call lends: ranges of physical memory that the compartment finds in its window from then on until it is closed.
// No TLB holds anything of it afterwards that could be used: every entry invalidates the compartment's ASID.

import { COMPARTMENT_WINDOW_PTR, COMPARTMENT_WINDOW_SIZE } from "../../../abi/compartments";
import { DRAM_PA, FLASH_SIZE } from "../../../abi/memory-map";
import {
  BLOCK_L2_SIZE,
  DESCRIPTOR_BLOCK,
  DESCRIPTOR_TYPE_MASK,
  LEVEL_SHIFT_2,
  PAGE_SIZE,
  STAGE1_NS,
  TABLE_OUTPUT_ADDRESS_MASK,
} from "../arm/page-tables.gen";
import { readPhysical64, writePhysical64, zeroPhysical } from "../hw";
import { machine } from "../storage";
import { Compartment } from "./compartment";
import { linearVa } from "./images";
import { COMPARTMENT_READ_ONLY, COMPARTMENT_READ_WRITE, level2EntryPa, mapPages, setTable } from "./tables";

/**
 * Maps the pages of [pa, pa + size) at `offset` in the window; `pa` and `offset` begin a page. False, and only less
 * than that is lent, if the window or its tables do not suffice, or it is neither flash nor normal memory.
 */
export function lend(it: Compartment, offset: u64, pa: u64, size: u64, isWritable: bool): bool {
  if (!isLendable(pa, size) || offset > <u64>COMPARTMENT_WINDOW_SIZE) return false;
  if (size > <u64>COMPARTMENT_WINDOW_SIZE - offset) return false;
  const attributes = (isWritable ? COMPARTMENT_READ_WRITE : COMPARTMENT_READ_ONLY) | securityOf(pa);
  for (let at: u64 = 0; at < size; ) {
    const va = linearVa(COMPARTMENT_WINDOW_PTR) + offset + at;
    const isBlock = ((va | (pa + at)) & (BLOCK_L2_SIZE - 1)) === 0 && size - at >= BLOCK_L2_SIZE;
    if (isBlock) {
      writePhysical64(level2EntryPa(it, va), (pa + at) | attributes | DESCRIPTOR_BLOCK);
      at += BLOCK_L2_SIZE;
    } else {
      const tablePa = tableFor(it, va);
      if (tablePa === 0) return false;
      mapPages(tablePa, va, pa + at, PAGE_SIZE, attributes);
      at += PAGE_SIZE;
    }
  }
  return true;
}

/** Secure flash, or DRAM; the second is non-secure to the bus. */
function isLendable(pa: u64, size: u64): bool {
  const it = machine();
  if (pa < <u64>FLASH_SIZE) return size <= <u64>FLASH_SIZE - pa;
  return pa >= it.ramPa && pa - it.ramPa <= it.ramSize && size <= it.ramSize - (pa - it.ramPa);
}

function securityOf(pa: u64): u64 {
  return pa >= <u64>DRAM_PA ? STAGE1_NS : 0;
}

/** The table of pages for this VA, one more if there is none; 0 if all are taken, or a block lies there. */
function tableFor(it: Compartment, va: u64): u64 {
  const entry = readPhysical64(level2EntryPa(it, va));
  if (entry !== 0) {
    return (entry & DESCRIPTOR_TYPE_MASK) === DESCRIPTOR_BLOCK ? 0 : entry & TABLE_OUTPUT_ADDRESS_MASK;
  }
  if (it.windowTablesUsed === it.windowTableCount) return 0;
  const tablePa = it.windowTablesPa + <u64>it.windowTablesUsed * PAGE_SIZE;
  it.windowTablesUsed++;
  zeroPhysical(tablePa, PAGE_SIZE);
  setTable(it, va, tablePa);
  return tablePa;
}

export function takeBack(it: Compartment): void {
  const entries = <u64>COMPARTMENT_WINDOW_SIZE >> LEVEL_SHIFT_2;
  zeroPhysical(level2EntryPa(it, linearVa(COMPARTMENT_WINDOW_PTR)), entries * 8);
  it.windowTablesUsed = 0;
}
