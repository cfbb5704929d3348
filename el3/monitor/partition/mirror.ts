// Where a TEE has taken memory from its normal world, its S world has a level-2 table of its own for that GiB: what the
// normal world has, entry for entry, but for what was taken. Where the hypervisor maps the GiB in one piece by now, the S
// world has nothing but that. What the hypervisor changes at levels 0 to 2 is mirrored at once; TLBs are the caller's.

import { LEVEL_SHIFT_1, LEVEL_SHIFT_2, PAGE_SIZE, TABLE_ENTRIES } from "../arm/page-tables.gen";
import { Guest } from "../guests/guest";
import { rootPaOf, sharedEntry } from "../guests/stage2";
import { dsbSy, readPhysical64, writePhysical64 } from "../hw";
import { isTableEntry, tablePa } from "../memory/table-entries";
import { machine } from "../storage";
import { NO_ROW, ownLevel2Pa, rowOfGib, rowOfGranule } from "./partition";

/** A table entry of an S world that names one of its own tables: the hypervisor's never lie in the pool. */
export function isOwnTable(entry: u64): bool {
  return isTableEntry(entry, 1) && tablePa(entry) >= machine().poolPa;
}

/** The S world's own table of this GiB becomes what `normalEntry`, the normal world's at level 1, leads to. True if it has changed. */
export function mirrorOwnLevel2(slot: u32, gib: u64, normalEntry: u64): bool {
  const toPa = ownLevel2Pa(slot, rowOfGib(slot, gib));
  const isTable = isTableEntry(normalEntry, 1);
  let changed = false;
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    if (rowOfGranule(slot, (gib << LEVEL_SHIFT_1) | (index << LEVEL_SHIFT_2)) !== NO_ROW) continue;
    const entry = isTable ? sharedEntry(readPhysical64(tablePa(normalEntry) + index * 8)) : 0;
    if (readPhysical64(toPa + index * 8) === entry) continue;
    writePhysical64(toPa + index * 8, entry);
    changed = true;
  }
  return changed;
}

/**
 * The normal world's entry of level 2 at `entryPa`, for `ipa` as its table's record says, holds `value` now. The record
 * leaves out the upper bits of an address: what is not the entry that a walk of `ipa` comes to is none of the S world's.
 */
export function mirrorLevel2Entry(guest: Guest, ipa: u64, entryPa: u64, value: u64): void {
  const slot = guest.slot;
  const row = rowOfGib(slot, ipa >> LEVEL_SHIFT_1);
  if (row === NO_ROW || rowOfGranule(slot, ipa) !== NO_ROW) return;
  if (entryPa !== normalEntryPa(guest, ipa)) return;
  writePhysical64(ownLevel2Pa(slot, row) + indexOf(ipa) * 8, sharedEntry(value));
  dsbSy();
}

/** Of an entry of level 2. */
function indexOf(ipa: u64): u64 {
  return (ipa >> LEVEL_SHIFT_2) % TABLE_ENTRIES;
}

/** PA of the S world's own entry for the granule at `ipa`, whose GiB has a row. */
export function ownEntryPa(slot: u32, ipa: u64): u64 {
  return ownLevel2Pa(slot, rowOfGib(slot, ipa >> LEVEL_SHIFT_1)) + indexOf(ipa) * 8;
}

/** The normal world's entry of level 1 for a GiB, below 512; 0 if there is none. */
export function normalLevel1Entry(guest: Guest, gib: u64): u64 {
  const level0 = readPhysical64(rootPaOf(guest.normalVttbr));
  return isTableEntry(level0, 0) ? readPhysical64(tablePa(level0) + gib * 8) : 0;
}

/** PA of the normal world's entry of level 2 for `ipa`, below 512 GiB; 0 if it has no such table. */
export function normalEntryPa(guest: Guest, ipa: u64): u64 {
  const level1 = normalLevel1Entry(guest, ipa >> LEVEL_SHIFT_1);
  return isTableEntry(level1, 1) ? tablePa(level1) + indexOf(ipa) * 8 : 0;
}

/** PA of page `index` of a granule that `entry`, of level 2, maps; 0 if it has none there. */
export function pageOf(entry: u64, index: u64): u64 {
  if (!isTableEntry(entry, 2)) return tablePa(entry) + index * PAGE_SIZE;
  return tablePa(readPhysical64(tablePa(entry) + index * 8));
}
