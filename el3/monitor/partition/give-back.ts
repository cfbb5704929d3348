// Memory that a TEE has taken from its normal world goes back, scrubbed: to the normal world when the TEE says so, to the
// hypervisor when that wants it, or when the guest has ended. Whoever gets it, the S world has lost it before. Under
// LOCK_MEMORY, but for the end of a guest.

import {
  PARTITION_DONE,
  PARTITION_FAILED,
  PARTITION_GRANULE,
  PARTITION_GRANULES_MAX,
} from "../../../abi/devices-compartment";
import { PAGE_FREE, PAGE_GUEST } from "../../../abi/pages";
import { EVENT_MEMORY_RETURNED, FAULT_MEMORY_LOST } from "../../../abi/status";
import { BLOCK_L2_SIZE, LAST_LEVEL, LEVEL_SHIFT_1, PAGE_SIZE, TABLE_ENTRIES } from "../arm/page-tables.gen";
import { faultTee } from "../guests/fault";
import { GUEST_STATE_BOOTING, GUEST_STATE_READY, Guest } from "../guests/guest";
import { invalidateTlb, sharedEntry, teeLevel1EntryPa } from "../guests/stage2";
import {
  cleanInvalidateRange,
  dsbSy,
  lock,
  readPhysical64,
  unlock,
  writePhysical64,
  zeroPhysical,
} from "../hw";
import { showPage } from "../memory/direct-map";
import { isTaken, pageState, recordGivenBack, takerOf } from "../memory/pages";
import { retainLeaf } from "../memory/stage2-tables";
import { isTableEntry, tablePa } from "../memory/table-entries";
import { translateEl2 } from "../memory/translate";
import { guestAt, LOCK_MEMORY, machine, partitionAt } from "../storage";
import { recordEvent } from "../trace/events";
import { publishPartition } from "../trace/status";
import { normalEntryPa, normalLevel1Entry, ownEntryPa, pageOf } from "./mirror";
import {
  clearGranule,
  granuleAt,
  isGibUsed,
  isLost,
  NO_ROW,
  resetPartition,
  rowOfGib,
  rowOfGranule,
  setGib,
  setLost,
} from "./partition";
import { forgetPeripherals } from "./peripherals";
import { isRange } from "./take";

const GRANULE: u64 = <u64>PARTITION_GRANULE;

/** PARTITION_*. The TEE returns what it has taken; if not all of it is so, nothing has changed. */
export function returnToNormalWorld(guest: Guest, ipa: u64, size: u64): u32 {
  const slot = guest.slot;
  partitionAt(slot).refusedIpa = ipa;
  if (!isRange(ipa, size)) return PARTITION_FAILED;
  for (let at = ipa; at < ipa + size; at += GRANULE) {
    const row = rowOfGranule(slot, at);
    if (row === NO_ROW || isLost(slot, row)) return PARTITION_FAILED;
  }
  for (let at = ipa; at < ipa + size; at += GRANULE) {
    const entry = leaveSecureWorld(guest, at);
    restore(guest, at, entry);
    clearGranule(slot, rowOfGranule(slot, at));
    mirrorAgain(guest, at);
  }
  publishPartition(guest);
  recordEvent(EVENT_MEMORY_RETURNED, guest.id, ipa, size);
  return PARTITION_DONE;
}

/** The S world loses the granule, everywhere; it is scrubbed and the hypervisor's. Answers what the S world's own entry was. */
function leaveSecureWorld(guest: Guest, ipa: u64): u64 {
  const entryPa = ownEntryPa(guest.slot, ipa);
  const entry = readPhysical64(entryPa);
  writePhysical64(entryPa, 0);
  dsbSy();
  if (guest.teeVttbr !== 0) invalidateTlb(guest.teeVttbr);
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) scrub(pageOf(entry, index));
  dsbSy();
  return entry;
}

/** Not even memory behind the caches has what was there when somebody else can look. */
function scrub(pa: u64): void {
  zeroPhysical(pa, PAGE_SIZE);
  cleanInvalidateRange(pa, PAGE_SIZE);
  dsbSy();
  recordGivenBack(pa);
  showPage(pa);
}

/** The normal world gets it at its place again, as the hypervisor had mapped it, where nothing else has come meanwhile. */
function restore(guest: Guest, ipa: u64, entry: u64): void {
  const entryPa = normalEntryPa(guest, ipa);
  if (entryPa === 0) return;
  const now = readPhysical64(entryPa);
  if (!isTableEntry(entry, 2)) {
    if (now !== 0) return;
    retainLeaf(entry, 2);
    writePhysical64(entryPa, entry);
  } else if (isTableEntry(now, 2)) {
    for (let offset: u64 = 0; offset < PAGE_SIZE; offset += 8) {
      const leaf = readPhysical64(tablePa(entry) + offset);
      if (readPhysical64(tablePa(now) + offset) !== 0) continue;
      retainLeaf(leaf, <u32>LAST_LEVEL);
      writePhysical64(tablePa(now) + offset, leaf);
    }
  }
  dsbSy();
}

/** The S world has at `ipa` what the normal world has; without anything taken in its GiB, by the normal world's own table. */
function mirrorAgain(guest: Guest, ipa: u64): void {
  const slot = guest.slot;
  const gib = ipa >> LEVEL_SHIFT_1;
  if (isGibUsed(slot, gib)) {
    const entryPa = normalEntryPa(guest, ipa);
    if (entryPa !== 0) writePhysical64(ownEntryPa(slot, ipa), sharedEntry(readPhysical64(entryPa)));
    dsbSy();
    return;
  }
  writePhysical64(teeLevel1EntryPa(slot, gib), 0);
  dsbSy();
  invalidateTlb(guest.teeVttbr);
  writePhysical64(teeLevel1EntryPa(slot, gib), sharedEntry(normalLevel1Entry(guest, gib)));
  dsbSy();
  setGib(slot, rowOfGib(slot, gib), 0);
}

// --- the hypervisor wants it ------------------------------------------------------------------------------------------

/**
 * EL2 has touched `va`. If that is memory that a TEE has taken, by the direct map, the hypervisor may have it: it clears a
 * VM's memory before the monitor can know that the VM has ended. The TEE is over then, and its place in the S world
 * stays empty: whatever comes there later, a TEE that still runs somewhere cannot take it for its own. One granule at
 * a time. True as well if another core has had it back meanwhile: the access is repeated. False: it is not, and nothing
 * has changed.
 */
export function giveToHypervisor(va: u64): bool {
  lock(LOCK_MEMORY);
  const it = machine();
  const pa = (va - it.directMapOffset) & ~(PAGE_SIZE - 1);
  const isIts = pa < it.poolPa && isTaken(pa);
  if (isIts) loseGranule(guestAt(takerOf(pa)), pa);
  const isThere = !isIts && pa < it.poolPa && isOrdinary(pa) && translateEl2(va) === va - it.directMapOffset;
  unlock(LOCK_MEMORY);
  return isIts || isThere;
}

/** Memory such as has been given back; not tables and text, which the hypervisor faults on for reasons of its own. */
function isOrdinary(pa: u64): bool {
  return pageState(pa) === PAGE_FREE || pageState(pa) === PAGE_GUEST;
}

function loseGranule(guest: Guest, pa: u64): void {
  const row = rowWithPage(guest.slot, pa);
  if (guest.state === GUEST_STATE_READY || guest.state === GUEST_STATE_BOOTING)
    faultTee(guest, FAULT_MEMORY_LOST, pa);
  leaveSecureWorld(guest, granuleAt(guest.slot, row));
  setLost(guest.slot, row);
}

/** The row of the granule that has this page, which is taken by this guest's TEE. */
function rowWithPage(slot: u32, pa: u64): u32 {
  for (let row: u32 = 0; row < PARTITION_GRANULES_MAX; row++) {
    const ipa = granuleAt(slot, row);
    if (ipa === 0 || isLost(slot, row)) continue;
    const entry = readPhysical64(ownEntryPa(slot, ipa));
    if (isTableEntry(entry, 2) ? hasPage(entry, pa) : pa - pageOf(entry, 0) < BLOCK_L2_SIZE) return row;
  }
  return unreachable();
}

function hasPage(entry: u64, pa: u64): bool {
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) if (pageOf(entry, index) === pa) return true;
  return false;
}

// --- the guest has ended ----------------------------------------------------------------------------------------------

/** Nobody finds the guest any more, and no core runs its TEE. A granule at a time: others wait for the lock meanwhile. */
export function endPartition(guest: Guest): void {
  for (let row: u32 = 0; row < PARTITION_GRANULES_MAX; row++) {
    lock(LOCK_MEMORY);
    if (granuleAt(guest.slot, row) !== 0 && !isLost(guest.slot, row))
      leaveSecureWorld(guest, granuleAt(guest.slot, row));
    if (granuleAt(guest.slot, row) !== 0) setLost(guest.slot, row);
    unlock(LOCK_MEMORY);
  }
  lock(LOCK_MEMORY);
  forgetPeripherals(guest.slot);
  resetPartition(guest.slot);
  unlock(LOCK_MEMORY);
}
