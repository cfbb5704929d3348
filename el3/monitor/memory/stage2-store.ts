// The hypervisor's store to an entry of a live stage-2 table: check, then perform. A valid entry never turns into another translation
// without an invalid one and its TLB maintenance between (break-before-make, Arm ARM D8.16.1), whatever the hypervisor asks for.

import { STAGE2_CONTIGUOUS, TABLE_ENTRIES } from "../arm/page-tables.gen";
import { Guest } from "../guests/guest";
import { guestWithTeeOf } from "../guests/lookup";
import { invalidateTlb, mirrorEntry } from "../guests/stage2";
import { dsbSy, readPhysical64, writePhysical64 } from "../hw";
import { mirrorLevel2Entry } from "../partition/mirror";
import { flushGuests, tableBase, tableLevel, tableOwner } from "./pages";
import { mayFill } from "./roots";
import { acceptStage2, mayMapLeaf, releaseLeaf, releaseStage2, retainLeaf } from "./stage2-tables";
import { isReserved, isTableEntry, isValid, leafPa, levelShift, tablePa } from "./table-entries";

const ENTRY_SIZE: u64 = 8;
const TABLE_SIZE: u64 = TABLE_ENTRIES * ENTRY_SIZE;

/** Output address and kind are the same: only permissions, attributes or software's bits differ. */
function isSameTranslation(left: u64, right: u64, level: u32): bool {
  if (!isValid(left) || !isValid(right)) return false;
  if (isTableEntry(left, level) !== isTableEntry(right, level)) return false;
  return isTableEntry(left, level)
    ? tablePa(left) === tablePa(right)
    : leafPa(left, level) === leafPa(right, level);
}

/** First IPA that the entry translates. */
function addressOf(entryPa: u64): u64 {
  const pagePa = entryPa & ~(TABLE_SIZE - 1);
  return tableBase(pagePa) + (((entryPa - pagePa) / ENTRY_SIZE) << levelShift(tableLevel(pagePa)));
}

/** False: refused, nothing has changed. */
export function storeStage2(entryPa: u64, wanted: u64): bool {
  const pagePa = entryPa & ~(TABLE_SIZE - 1);
  const level = tableLevel(pagePa);
  const owner = tableOwner(pagePa);
  const old = readPhysical64(entryPa);
  // A hint that makes one entry speak for sixteen: neighbours could be reached that were never checked.
  const value = isValid(wanted) ? wanted & ~STAGE2_CONTIGUOUS : wanted;
  if (isReserved(value, level)) return false;
  if (level === 0 && isValid(value) && guestWithTeeOf(owner) === null && !mayFill(pagePa)) return false;
  if (isSameTranslation(old, value, level)) {
    put(entryPa, value, level, owner);
    return true;
  }
  const address = addressOf(entryPa);
  if (isTableEntry(value, level)) {
    if (!acceptStage2(tablePa(value), level + 1, address, owner)) return false;
  } else if (isValid(value)) {
    if (!mayMapLeaf(value, level)) return false;
    retainLeaf(value, level);
  }
  if (isValid(old)) remove(entryPa, old, value, level, owner, address);
  if (isValid(value) || !isValid(old)) put(entryPa, value, level, owner);
  return true;
}

/** `left` is what an entry that is invalid from now on holds besides: nobody walks it. */
function remove(entryPa: u64, old: u64, left: u64, level: u32, owner: u32, address: u64): void {
  put(entryPa, isValid(left) ? 0 : left, level, owner);
  if (isTableEntry(old, level)) {
    flushGuests(); // walks may be cached that would read the table when it is the hypervisor's again
    releaseStage2(tablePa(old), level + 1, address);
    return;
  }
  const guest = guestWithTeeOf(owner);
  if (isValid(left)) flushGuests();
  else if (guest !== null) invalidateTlb(changetype<Guest>(changetype<usize>(guest)).teeVttbr);
  releaseLeaf(old, level);
}

/** Writes the entry, and what a guest's S world has of it. */
function put(entryPa: u64, value: u64, level: u32, owner: u32): void {
  writePhysical64(entryPa, value);
  dsbSy();
  if (level > 2) return; // shared by the tables above
  const guest = guestWithTeeOf(owner);
  if (guest === null) return;
  const its = changetype<Guest>(changetype<usize>(guest));
  if (level === 2) mirrorLevel2Entry(its, addressOf(entryPa), entryPa, value);
  else mirrorEntry(its, entryPa, value);
}
