// A TEE takes memory from its normal world (its virtual TZC-400 says so). Every page of it must be that guest's alone, and
// all of it is taken or nothing. Afterwards no translation of EL2, of a normal world or of a device names it, in tables
// or in TLBs; its content stays, as behind a real controller. What the hypervisor had in its entries is kept in the S
// world's own, to be put back (give-back.ts). Under LOCK_MEMORY.

import {
  PARTITION_DONE,
  PARTITION_EXHAUSTED,
  PARTITION_GIBS_MAX,
  PARTITION_GRANULE,
  PARTITION_GRANULES_MAX,
  PARTITION_NOT_MEMORY,
  PARTITION_RANGE,
  PARTITION_SHARED,
  PARTITION_SIZE_MAX,
} from "../../../abi/devices-compartment";
import { EVENT_MEMORY_SECURED } from "../../../abi/status";
import {
  DESCRIPTOR_TABLE,
  LAST_LEVEL,
  LEVEL_SHIFT_0,
  LEVEL_SHIFT_1,
  PAGE_SIZE,
  STAGE2_S2AP_MASK,
  STAGE2_S2AP_RW,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { protectFromDma, protectRangeFromDma } from "../dma/protect";
import { Guest } from "../guests/guest";
import { invalidateTlb, teeLevel1EntryPa } from "../guests/stage2";
import { cleanInvalidateRange, dsbSy, readPhysical64, writePhysical64, zeroPhysical } from "../hw";
import { forgetDirectMap, hidePage } from "../memory/direct-map";
import { flushGuests, isGuestPage, isRam, mayTake, recordTaken } from "../memory/pages";
import { isLeaf, isTableEntry, isWritable, leafPa, leafSize, tablePa } from "../memory/table-entries";
import { beginWalk, enterTable, nextOf, WALK_END, WALK_ENTRY } from "../memory/tree-walk";
import { machine, partitionAt } from "../storage";
import { recordEvent } from "../trace/events";
import { publishPartition } from "../trace/status";
import { mirrorOwnLevel2, normalEntryPa, normalLevel1Entry, ownEntryPa, pageOf } from "./mirror";
import {
  freeRowOfGib,
  freeRowOfGranule,
  isGibRowFree,
  NO_ROW,
  ownLevel2Pa,
  ownLevel3Pa,
  rowOfGib,
  rowOfGranule,
  setGib,
  setGranule,
} from "./partition";

const GRANULE: u64 = <u64>PARTITION_GRANULE;

/** PARTITION_*. If it is not PARTITION_DONE, nothing has changed, and `refusedIpa` of the partition says where. */
export function takeFromNormalWorld(guest: Guest, ipa: u64, size: u64): u32 {
  const code = check(guest, ipa, size);
  if (code !== PARTITION_DONE) return code;
  const lastGib = (ipa + size - 1) >> LEVEL_SHIFT_1;
  for (let gib = ipa >> LEVEL_SHIFT_1; gib <= lastGib; gib++) separate(guest, gib);
  invalidateTlb(guest.teeVttbr);
  for (let at = ipa; at < ipa + size; at += GRANULE) move(guest, at);
  flushGuests(); // neither world has it now, nor the tables above it
  for (let at = ipa; at < ipa + size; at += GRANULE) hide(guest.slot, at);
  forgetDirectMap();
  for (let at = ipa; at < ipa + size; at += GRANULE) settle(guest.slot, at);
  for (let gib = ipa >> LEVEL_SHIFT_1; gib <= lastGib; gib++) {
    const tableAtPa = ownLevel2Pa(guest.slot, rowOfGib(guest.slot, gib));
    writePhysical64(teeLevel1EntryPa(guest.slot, gib), tableAtPa | DESCRIPTOR_TABLE);
  }
  dsbSy();
  publishPartition(guest);
  recordEvent(EVENT_MEMORY_SECURED, guest.id, ipa, size);
  return PARTITION_DONE;
}

// --- check ----------------------------------------------------------------------------------------------------------

function check(guest: Guest, ipa: u64, size: u64): u32 {
  const partition = partitionAt(guest.slot);
  partition.refusedIpa = ipa;
  if (!isRange(ipa, size)) return PARTITION_RANGE;
  for (let at = ipa; at < ipa + size; at += GRANULE) {
    partition.refusedIpa = at;
    if (rowOfGranule(guest.slot, at) !== NO_ROW) return PARTITION_RANGE;
    const code = checkGranule(guest, at);
    if (code !== PARTITION_DONE) return code;
  }
  partition.refusedIpa = ipa;
  if (!isRoom(guest.slot, ipa, size)) return PARTITION_EXHAUSTED;
  return isReadByHypervisor() ? PARTITION_SHARED : PARTITION_DONE;
}

/** Whole granules that the S world shares with the normal world: not of the first GiB, and of the root's first entry. */
export function isRange(ipa: u64, size: u64): bool {
  const end: u64 = (<u64>1) << LEVEL_SHIFT_0;
  if (size === 0 || size > <u64>PARTITION_SIZE_MAX || (ipa | size) % GRANULE !== 0) return false;
  return ipa >> LEVEL_SHIFT_1 !== 0 && ipa < end && size <= end - ipa;
}

function isRoom(slot: u32, ipa: u64, size: u64): bool {
  const granules = <u64>partitionAt(slot).granuleCount + size / GRANULE;
  let gibs: u32 = 0;
  for (let row: u32 = 0; row < PARTITION_GIBS_MAX; row++) if (isGibRowFree(slot, row)) gibs++;
  for (let gib = ipa >> LEVEL_SHIFT_1; gib <= (ipa + size - 1) >> LEVEL_SHIFT_1; gib++) {
    if (rowOfGib(slot, gib) !== NO_ROW) continue;
    if (gibs === 0) return false;
    gibs--;
  }
  return granules <= <u64>PARTITION_GRANULES_MAX;
}

/** One block, or a table of pages of which none is missing. */
function checkGranule(guest: Guest, ipa: u64): u32 {
  const entryPa = normalEntryPa(guest, ipa);
  if (entryPa === 0) return PARTITION_NOT_MEMORY;
  const entry = readPhysical64(entryPa);
  const isTable = isTableEntry(entry, 2);
  if (!isTable && !isOwnMemory(entry, 2)) return PARTITION_NOT_MEMORY;
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    if (isTable && !isOwnMemory(readPhysical64(tablePa(entry) + index * 8), <u32>LAST_LEVEL))
      return PARTITION_NOT_MEMORY;
    const pa = pageOf(entry, index);
    if (!isRam(pa)) return PARTITION_NOT_MEMORY;
    if (!mayTake(pa)) return PARTITION_SHARED;
  }
  return PARTITION_DONE;
}

/** What the normal world may only read is somebody else's, who would find it scrubbed one day. */
function isOwnMemory(leaf: u64, level: u32): bool {
  return isLeaf(leaf, level) && (leaf & STAGE2_S2AP_MASK) === STAGE2_S2AP_RW;
}

/**
 * Whether EL2 has a read-only mapping of any guest's page beside the direct map: those are not counted, and Xen has none.
 * Writable ones are (mayTake).
 */
function isReadByHypervisor(): bool {
  const walk = beginWalk(machine().stage1RootPa, 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    if (isTableEntry(walk.entry, walk.level)) {
      if (tablePa(walk.entry) < machine().poolPa) enterTable(walk); // those in the pool are the direct map's
    } else if (!isWritable(walk.entry) && namesGuestPage(walk.entry, walk.level)) {
      return true;
    }
  }
  return false;
}

function namesGuestPage(leaf: u64, level: u32): bool {
  const it = machine();
  const begin = max<u64>(leafPa(leaf, level), it.ramPa);
  const end = min<u64>(leafPa(leaf, level) + leafSize(level), it.poolPa);
  for (let pa = begin; pa < end; pa += PAGE_SIZE) if (isGuestPage(pa)) return true;
  return false;
}

// --- perform --------------------------------------------------------------------------------------------------------

/** The S world loses this GiB for a moment, and gets a level-2 table of its own for it, which nobody walks yet. */
function separate(guest: Guest, gib: u64): void {
  const slot = guest.slot;
  writePhysical64(teeLevel1EntryPa(slot, gib), 0);
  if (rowOfGib(slot, gib) !== NO_ROW) return;
  const row = freeRowOfGib(slot);
  setGib(slot, row, gib);
  zeroPhysical(ownLevel2Pa(slot, row), PAGE_SIZE);
  mirrorOwnLevel2(slot, gib, normalLevel1Entry(guest, gib));
}

/** What the normal world's tables have of the granule goes into the S world's own: from a block, or from 512 pages. */
function move(guest: Guest, ipa: u64): void {
  const slot = guest.slot;
  const entryPa = normalEntryPa(guest, ipa);
  const entry = readPhysical64(entryPa);
  const row = freeRowOfGranule(slot);
  setGranule(slot, row, ipa);
  if (!isTableEntry(entry, 2)) {
    writePhysical64(ownEntryPa(slot, ipa), entry);
    writePhysical64(entryPa, 0);
    return;
  }
  const toPa = ownLevel3Pa(slot, row);
  for (let offset: u64 = 0; offset < PAGE_SIZE; offset += 8) {
    writePhysical64(toPa + offset, readPhysical64(tablePa(entry) + offset));
    writePhysical64(tablePa(entry) + offset, 0);
  }
  writePhysical64(ownEntryPa(slot, ipa), toPa | DESCRIPTOR_TABLE);
}

function hide(slot: u32, ipa: u64): void {
  const entry = readPhysical64(ownEntryPa(slot, ipa));
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    hidePage(pageOf(entry, index));
    recordTaken(pageOf(entry, index), slot);
  }
}

/** Devices lose it; then what the normal world wrote past the caches is what the TEE finds, and the reverse. */
function settle(slot: u32, ipa: u64): void {
  const entry = readPhysical64(ownEntryPa(slot, ipa));
  if (!isTableEntry(entry, 2)) {
    protectRangeFromDma(pageOf(entry, 0), GRANULE);
    cleanInvalidateRange(pageOf(entry, 0), GRANULE);
    return;
  }
  for (let index: u64 = 0; index < TABLE_ENTRIES; index++) {
    protectFromDma(pageOf(entry, index));
    cleanInvalidateRange(pageOf(entry, index), PAGE_SIZE);
  }
}
