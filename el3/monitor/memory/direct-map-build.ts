// At lockdown: finds the hypervisor's direct map and replaces its last level by the monitor's tables (direct-map.ts). Every other core is
// held, so that break-before-make has no observer.

import {
  BLOCK_L2_SIZE,
  DESCRIPTOR_BLOCK,
  DESCRIPTOR_PAGE,
  DESCRIPTOR_TABLE,
  LAST_LEVEL,
  LEVEL_SHIFT_2,
  PAGE_SIZE,
  STAGE1_ATTRIBUTES_MASK,
  STAGE1_CONTIGUOUS,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { dsbSy, fatal, readPhysical64, tlbiAlle2is, writePhysical64, zeroPhysical } from "../hw";
import { machine, treeWalk } from "../storage";
import { FATAL_DIRECT_MAP } from "../trace/epitaph";
import { forgetTable } from "./pages";
import {
  isExecutable,
  isLeaf,
  isTableEntry,
  isValid,
  isWritable,
  leafPa,
  leafSize,
  levelShift,
  tablePa,
} from "./table-entries";
import { beginWalk, enterTable, entryPaOf, nextOf, WALK_END, WALK_ENTRY } from "./tree-walk";

const ENTRY_SIZE: u64 = 8;

/** The direct map is the writable mapping of the first page of RAM: Xen has one, and it goes on in one piece. */
export function findDirectMap(rootPa: u64): void {
  const it = machine();
  const walk = beginWalk(rootPa, 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    if (isTableEntry(walk.entry, walk.level)) {
      enterTable(walk);
      continue;
    }
    const pa = leafPa(walk.entry, walk.level);
    const mapsFirst = pa <= it.ramPa && it.ramPa - pa < leafSize(walk.level);
    if (!mapsFirst || !isWritable(walk.entry) || isExecutable(walk.entry)) continue;
    it.directMapOffset = walk.address - pa;
    if (it.directMapOffset % BLOCK_L2_SIZE !== 0) fatal(FATAL_DIRECT_MAP, walk.address, pa);
    return;
  }
  fatal(FATAL_DIRECT_MAP, rootPa, it.ramPa);
}

/** Every 2 MiB of the hypervisor's RAM get a table of ours, with what was mapped there before. */
export function buildDirectMap(rootPa: u64): void {
  const it = machine();
  let upperPa = it.directMapTablesPa + (it.ramSize >> LEVEL_SHIFT_2) * PAGE_SIZE;
  for (let pa = it.ramPa; pa < it.poolPa; pa += BLOCK_L2_SIZE) {
    const va = pa + it.directMapOffset;
    const entryPa = entryPaOf(rootPa, va);
    if (treeWalk().level === 1 && isLeaf(treeWalk().entry, 1)) {
      splitLevel1(entryPa, treeWalk().entry, upperPa);
      upperPa += PAGE_SIZE;
    }
    replaceLastLevel(rootPa, va, pa);
  }
}

/** 1 GiB in one entry becomes 512 blocks. */
function splitLevel1(entryPa: u64, block: u64, tableAtPa: u64): void {
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++)
    writePhysical64(
      tableAtPa + index * ENTRY_SIZE,
      pieceOf(block, 1, index * BLOCK_L2_SIZE) | DESCRIPTOR_BLOCK,
    );
  replaceEntry(entryPa, tableAtPa);
}

/** The part of a leaf that starts `offset` bytes into it, without a kind. */
function pieceOf(leaf: u64, level: u32, offset: u64): u64 {
  return (leafPa(leaf, level) + offset) | (leaf & STAGE1_ATTRIBUTES_MASK & ~STAGE1_CONTIGUOUS);
}

function replaceLastLevel(rootPa: u64, va: u64, pa: u64): void {
  const it = machine();
  const tableAtPa = it.directMapTablesPa + ((pa - it.ramPa) >> LEVEL_SHIFT_2) * PAGE_SIZE;
  const foundPa = entryPaOf(rootPa, va);
  const level = treeWalk().level;
  const entry = treeWalk().entry;
  if (level === <u32>LAST_LEVEL) {
    const oldTablePa = foundPa & ~(PAGE_SIZE - 1);
    copyTable(tableAtPa, oldTablePa, va, pa);
    replaceEntry(level2EntryPa(rootPa, va), tableAtPa);
    forgetTable(oldTablePa);
  } else if (isLeaf(entry, level)) {
    if (leafPa(entry, level) !== pa) fatal(FATAL_DIRECT_MAP, va, entry);
    for (let index: u64 = 0; index < TABLE_ENTRIES; index++)
      writePhysical64(
        tableAtPa + index * ENTRY_SIZE,
        pieceOf(entry, level, index * PAGE_SIZE) | DESCRIPTOR_PAGE,
      );
    replaceEntry(foundPa, tableAtPa);
  } else {
    zeroPhysical(tableAtPa, PAGE_SIZE); // a hole: not linked
  }
}

/** An entry there may be a hole, or what is at its place in the order of the pages: `pa` is where the first one is. */
function copyTable(toPa: u64, fromPa: u64, va: u64, pa: u64): void {
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    const entry = readPhysical64(fromPa + index * ENTRY_SIZE);
    const isInOrder = !isValid(entry) || leafPa(entry, <u32>LAST_LEVEL) === pa + index * PAGE_SIZE;
    if (!isInOrder) fatal(FATAL_DIRECT_MAP, va, entry);
    writePhysical64(toPa + index * ENTRY_SIZE, entry & ~STAGE1_CONTIGUOUS);
  }
}

/** The table entry that leads to the last level for `va`. */
function level2EntryPa(rootPa: u64, va: u64): u64 {
  let at = rootPa;
  for (let level: u32 = 0; level < 2; level++)
    at = tablePa(readPhysical64(at + ((va >> levelShift(level)) % TABLE_ENTRIES) * ENTRY_SIZE));
  return at + ((va >> LEVEL_SHIFT_2) % TABLE_ENTRIES) * ENTRY_SIZE;
}

/** Break before make. */
function replaceEntry(entryPa: u64, tableAtPa: u64): void {
  dsbSy();
  writePhysical64(entryPa, 0);
  dsbSy();
  tlbiAlle2is();
  dsbSy();
  writePhysical64(entryPa, tableAtPa | DESCRIPTOR_TABLE);
  dsbSy();
}
