// Stage 1 of EL2 in software: where an address of the hypervisor's lies, by its live tables. Under LOCK_MEMORY, so that no table changes.

import { LEVEL_SHIFT_0, TABLE_ADDRESS_BITS } from "../arm/page-tables.gen";
import { machine, treeWalk } from "../storage";
import { isLeaf, leafPa, leafSize } from "./table-entries";
import { entryPaOf } from "./tree-walk";

/** No physical address. */
export const NOT_MAPPED: u64 = u64.MAX_VALUE;

/** Bits of VA that EL2's tables translate, from level 0 on. */
const VA_BITS: u64 = LEVEL_SHIFT_0 + TABLE_ADDRESS_BITS;

/** The PA of `va`, or NOT_MAPPED. The leaf stays in `treeWalk().entry`, its level in `treeWalk().level`. */
export function translateEl2(va: u64): u64 {
  if (va >> VA_BITS !== 0) return NOT_MAPPED;
  entryPaOf(machine().stage1RootPa, va);
  const walk = treeWalk();
  if (!isLeaf(walk.entry, walk.level)) return NOT_MAPPED;
  return leafPa(walk.entry, walk.level) | (va & (leafSize(walk.level) - 1));
}
