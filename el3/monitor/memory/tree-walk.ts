// Goes over a tree of translation tables without recursion, from a table of any level down: every valid entry, and the end of every table
// after all that hangs below it. One walk at a time, under LOCK_MEMORY; its state is `TreeWalk` in linear memory.

import { LAST_LEVEL, TABLE_ENTRIES } from "../arm/page-tables.gen";
import { readPhysical64 } from "../hw";
import { treeWalk } from "../storage";
import { isTableEntry, isValid, levelShift, tablePa } from "./table-entries";

/** Nothing is left. */
export const WALK_END: u32 = 0;
/** A valid entry: `entry`, at `entryPa`, of a table of `level`, translating from `address` on. */
export const WALK_ENTRY: u32 = 1;
/** All of the table `endedPa`, of `level`, has been seen. */
export const WALK_TABLE_END: u32 = 2;

@unmanaged
export class TreeWalk {
  table0Pa: u64;
  table1Pa: u64;
  table2Pa: u64;
  table3Pa: u64;
  next0: u64;
  next1: u64;
  next2: u64;
  next3: u64;
  entry: u64;
  entryPa: u64;
  address: u64;
  endedPa: u64;
  /** Level of the current table; the walk is over when it leaves `topLevel`. */
  level: u32;
  topLevel: u32;
  isOver: u32;
}

const TABLES: usize = offsetof<TreeWalk>("table0Pa");
const NEXTS: usize = offsetof<TreeWalk>("next0");

function tablePtr(walk: TreeWalk, level: u32): usize {
  return changetype<usize>(walk) + TABLES + ((<usize>level) << 3);
}

function nextPtr(walk: TreeWalk, level: u32): usize {
  return changetype<usize>(walk) + NEXTS + ((<usize>level) << 3);
}

/** `rootPa` is a table of `level` whose first entry translates `base`. */
export function beginWalk(rootPa: u64, level: u32, base: u64): TreeWalk {
  const walk = treeWalk();
  walk.topLevel = level;
  walk.level = level;
  walk.isOver = 0;
  walk.address = base;
  store<u64>(tablePtr(walk, level), rootPa);
  store<u64>(nextPtr(walk, level), 0);
  return walk;
}

/** Goes on; a table entry is not followed unless `enterTable` is called for it. At most 512 entries a table, each once. */
export function nextOf(walk: TreeWalk): u32 {
  if (walk.isOver !== 0) return WALK_END;
  const level = walk.level;
  const thisTablePa = load<u64>(tablePtr(walk, level));
  let index = load<u64>(nextPtr(walk, level));
  for (; index < TABLE_ENTRIES; index++) {
    const entry = readPhysical64(thisTablePa + index * 8);
    if (!isValid(entry)) continue;
    walk.entry = entry;
    walk.entryPa = thisTablePa + index * 8;
    const span = levelShift(level);
    walk.address = (walk.address & ~((TABLE_ENTRIES << span) - 1)) | (index << span);
    store<u64>(nextPtr(walk, level), index + 1);
    return WALK_ENTRY;
  }
  walk.endedPa = thisTablePa;
  if (level === walk.topLevel) walk.isOver = 1;
  else walk.level = level - 1;
  return WALK_TABLE_END;
}

/** Follows the table entry that `nextOf` has just shown. */
export function enterTable(walk: TreeWalk): void {
  const level = walk.level + 1;
  store<u64>(tablePtr(walk, level), tablePa(walk.entry));
  store<u64>(nextPtr(walk, level), 0);
  walk.level = level;
}

/** PA of the entry that translates `address` below the table `rootPa` of level 0: the leaf's, or that of the first invalid one. */
export function entryPaOf(rootPa: u64, address: u64): u64 {
  const walk = treeWalk();
  let at = rootPa;
  let entryPa: u64 = 0;
  for (let level: u32 = 0; level <= <u32>LAST_LEVEL; level++) {
    entryPa = at + ((address >> levelShift(level)) % TABLE_ENTRIES) * 8;
    const entry = readPhysical64(entryPa);
    walk.level = level;
    walk.entry = entry;
    if (!isTableEntry(entry, level)) break;
    at = tablePa(entry);
  }
  return entryPa;
}
