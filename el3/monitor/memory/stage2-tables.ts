// Checked stage-2 tables: how a subtree becomes live and how it is given back. A subtree is taken whole or not at all: a page of it is
// made read-only before it is read, and what was taken up to a bad entry is given back.

import { PAGE_STAGE2_TABLE } from "../../../abi/pages";
import { PAGE_SIZE, STAGE2_CONTIGUOUS } from "../arm/page-tables.gen";
import { isForbiddenDevice } from "./devices";
import { isRam, mayRetain, protectTable, releasePage, retainPage, unprotectTable } from "./pages";
import { isAlignedLeaf, isReserved, isTableEntry, leafPa, leafSize, tablePa } from "./table-entries";
import { beginWalk, enterTable, nextOf, WALK_END, WALK_ENTRY } from "./tree-walk";

/** Where a table may lie: RAM of the hypervisor's, asked again by its state. */
export function isTablePlace(pa: u64): bool {
  return pa % PAGE_SIZE === 0 && isRam(pa);
}

/** Whether a stage 2 may map what this leaf names. Nothing changes. */
export function mayMapLeaf(leaf: u64, level: u32): bool {
  if (!isAlignedLeaf(leaf, level)) return false;
  const pa = leafPa(leaf, level);
  const size = leafSize(level);
  if (isForbiddenDevice(pa, size)) return false;
  for (let offset: u64 = 0; offset < size; offset += PAGE_SIZE)
    if (isRam(pa + offset) && !mayRetain(pa + offset)) return false;
  return true;
}

/** `mayMapLeaf` has said yes. */
export function retainLeaf(leaf: u64, level: u32): void {
  const pa = leafPa(leaf, level);
  for (let offset: u64 = 0; offset < leafSize(level); offset += PAGE_SIZE)
    if (isRam(pa + offset)) retainPage(pa + offset);
}

export function releaseLeaf(leaf: u64, level: u32): void {
  const pa = leafPa(leaf, level);
  for (let offset: u64 = 0; offset < leafSize(level); offset += PAGE_SIZE)
    if (isRam(pa + offset)) releasePage(pa + offset);
}

/** Takes the table at `pa`, of `level`, and all below it, for `owner`'s stage 2 from IPA `base` on. False: nothing has changed. */
export function acceptStage2(pa: u64, level: u32, base: u64, owner: u32): bool {
  if (!isTablePlace(pa) || !protectTable(pa, PAGE_STAGE2_TABLE, level, base, owner)) return false;
  const walk = beginWalk(pa, level, base);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    const entry = walk.entry;
    if (isTableEntry(entry, walk.level)) {
      const childPa = tablePa(entry);
      const isTaken =
        isTablePlace(childPa) &&
        protectTable(childPa, PAGE_STAGE2_TABLE, walk.level + 1, walk.address, owner);
      if (isTaken) {
        enterTable(walk);
        continue;
      }
    } else if (isPlainLeaf(entry, walk.level) && mayMapLeaf(entry, walk.level)) {
      retainLeaf(entry, walk.level);
      continue;
    }
    giveBack(pa, level, base, walk.entryPa);
    return false;
  }
  return true;
}

/** Not reserved, and without the hint by which it would speak for its neighbours: a TLB could hold what was never checked. */
function isPlainLeaf(entry: u64, level: u32): bool {
  return !isReserved(entry, level) && (entry & STAGE2_CONTIGUOUS) === 0;
}

/** The reverse: the table at `pa` was unlinked, and the TLBs of its owner were flushed. */
export function releaseStage2(pa: u64, level: u32, base: u64): void {
  giveBack(pa, level, base, 0);
}

/** Everything before the entry at `stopPa`, 0 for all; tables after what hangs below them. */
function giveBack(pa: u64, level: u32, base: u64, stopPa: u64): void {
  let isStopped = false;
  const walk = beginWalk(pa, level, base);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) {
      unprotectTable(walk.endedPa);
      continue;
    }
    if (walk.entryPa === stopPa) isStopped = true;
    if (isStopped) continue;
    if (isTableEntry(walk.entry, walk.level)) enterTable(walk);
    else releaseLeaf(walk.entry, walk.level);
  }
}
