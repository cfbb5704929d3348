// Peripherals of a guest: pages of devices that the hypervisor has mapped for its normal world below 1 GiB (passed
// through), found when the guest is created, in the order of their addresses. Its TEE takes them through its virtual TZPC
// and has them at the same addresses; what the hypervisor emulates is none. A device is not scrubbed: what a world leaves
// in its registers the other one finds. Under LOCK_MEMORY.
//
//   the guest's page of peripherals: 24 IPAs, 0 from where on there are none; at 0x100 as many PAs, 0 if it is not taken;
//   at 0x200 for each level-3 table of the S world's own which 2 MiB it translates, plus 1
//   behind it: those tables, PERIPHERAL_TABLES_MAX

import {
  PARTITION_DONE,
  PARTITION_EXHAUSTED,
  PARTITION_NOT_MEMORY,
  PARTITION_SHARED,
  PERIPHERAL_TABLES_MAX,
  PERIPHERALS_MAX,
} from "../../../abi/devices-compartment";
import { TEE_RAM_IPA, TEE_RAM_SIZE } from "../../../abi/memory-map";
import {
  DESCRIPTOR_TABLE,
  LAST_LEVEL,
  LEVEL_SHIFT_1,
  LEVEL_SHIFT_2,
  LEVEL_SHIFT_3,
  PAGE_SIZE,
  TABLE_ENTRIES,
} from "../arm/page-tables.gen";
import { isDevice } from "../devices/stage2-abort";
import { Guest } from "../guests/guest";
import { invalidateTlb, rootPaOf, teeLevel2EntryPa } from "../guests/stage2";
import { dsbSy, readPhysical64, writePhysical64, zeroPhysical } from "../hw";
import { flushGuests, isRam } from "../memory/pages";
import { boundRootPa } from "../memory/roots";
import { isLeaf, isTableEntry, leafPa, leafSize, tablePa } from "../memory/table-entries";
import { beginWalk, enterTable, nextOf, WALK_END, WALK_ENTRY } from "../memory/tree-walk";
import { machine } from "../storage";
import { NO_ROW, peripheralsPa, peripheralTablePa } from "./partition";

const TAKEN: u64 = 0x100;
const TABLES: u64 = 0x200;
const VMIDS: u32 = 256;

function ipaAtPa(slot: u32, index: u32): u64 {
  return peripheralsPa(slot) + <u64>index * 8;
}

function takenAtPa(slot: u32, index: u32): u64 {
  return peripheralsPa(slot) + TAKEN + <u64>index * 8;
}

function tableAtPa(slot: u32, row: u32): u64 {
  return peripheralsPa(slot) + TABLES + <u64>row * 8;
}

/** At creation: all there are, at most PERIPHERALS_MAX. The page is zero. */
export function findPeripherals(guest: Guest): void {
  let count: u32 = 0;
  const walk = beginWalk(rootPaOf(guest.normalVttbr), 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY || walk.address >> LEVEL_SHIFT_1 !== 0) continue;
    if (isTableEntry(walk.entry, walk.level)) {
      enterTable(walk);
    } else if (walk.level === <u32>LAST_LEVEL && isPeripheral(walk.address, walk.entry)) {
      if (count < PERIPHERALS_MAX) writePhysical64(ipaAtPa(guest.slot, count++), walk.address);
    }
  }
}

/** Not RAM, and not where the S world has something of its own. */
function isPeripheral(ipa: u64, leaf: u64): bool {
  return isLeaf(leaf, <u32>LAST_LEVEL) && !isRam(tablePa(leaf)) && !isDevice(ipa) && !isTeeRam(ipa);
}

function isTeeRam(ipa: u64): bool {
  return ipa - <u64>TEE_RAM_IPA < <u64>TEE_RAM_SIZE;
}

/** Bit n: there is a peripheral n. */
export function presentPeripherals(slot: u32): u32 {
  let mask: u32 = 0;
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++)
    if (readPhysical64(ipaAtPa(slot, index)) !== 0) mask |= 1 << index;
  return mask;
}

function isNamed(mask: u32, index: u32): bool {
  return ((mask >> index) & 1) !== 0;
}

/** PARTITION_*. The TEE takes those in `mask`, all or none. */
export function takePeripherals(guest: Guest, mask: u32): u32 {
  const code = check(guest, mask);
  if (code !== PARTITION_DONE) return code;
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++) if (isNamed(mask, index)) move(guest, index);
  flushGuests();
  return PARTITION_DONE;
}

function check(guest: Guest, mask: u32): u32 {
  let tables: u32 = 0;
  for (let row: u32 = 0; row < PERIPHERAL_TABLES_MAX; row++)
    if (readPhysical64(tableAtPa(guest.slot, row)) === 0) tables++;
  let lastNew: u64 = 0;
  if (mask === 0 || mask >> PERIPHERALS_MAX !== 0) return PARTITION_NOT_MEMORY;
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++) {
    if (!isNamed(mask, index)) continue;
    const ipa = readPhysical64(ipaAtPa(guest.slot, index));
    const entryPa = ipa === 0 ? 0 : normalLevel3EntryPa(guest, ipa);
    if (entryPa === 0 || !isPeripheral(ipa, readPhysical64(entryPa))) return PARTITION_NOT_MEMORY;
    if (readPhysical64(takenAtPa(guest.slot, index)) !== 0) return PARTITION_SHARED;
    if (!isMappedOnce(tablePa(readPhysical64(entryPa)))) return PARTITION_SHARED;
    const isNew = rowOf(guest.slot, ipa) === NO_ROW && pieceOf(ipa) !== lastNew; // they come in order
    if (isNew && tables === 0) return PARTITION_EXHAUSTED;
    if (isNew) tables--;
    if (isNew) lastNew = pieceOf(ipa);
  }
  return PARTITION_DONE;
}

/** Whether this one mapping is all that there is, in every stage 2 and at EL2: mappings of devices are not counted. */
function isMappedOnce(pa: u64): bool {
  if (mappings(machine().stage1RootPa, pa) !== 0) return false;
  let count: u32 = 0;
  for (let vmid: u32 = 0; vmid < VMIDS; vmid++)
    if (boundRootPa(vmid) !== 0) count += mappings(boundRootPa(vmid), pa);
  return count === 1;
}

/** Leaves below a root of the hypervisor's that name the page; what hangs in the pool is the direct map, which is RAM. */
function mappings(rootPa: u64, pa: u64): u32 {
  let count: u32 = 0;
  const walk = beginWalk(rootPa, 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    if (isTableEntry(walk.entry, walk.level)) {
      if (tablePa(walk.entry) < machine().poolPa) enterTable(walk);
    } else if (pa - leafPa(walk.entry, walk.level) < leafSize(walk.level)) {
      count++;
    }
  }
  return count;
}

/** PA of the normal world's entry of the last level for `ipa`, below 1 GiB; 0 if it has no such table. */
function normalLevel3EntryPa(guest: Guest, ipa: u64): u64 {
  const level0 = readPhysical64(rootPaOf(guest.normalVttbr));
  if (!isTableEntry(level0, 0)) return 0;
  const level1 = readPhysical64(tablePa(level0));
  if (!isTableEntry(level1, 1)) return 0;
  const level2 = readPhysical64(tablePa(level1) + (ipa >> LEVEL_SHIFT_2) * 8);
  return isTableEntry(level2, 2) ? tablePa(level2) + indexOf(ipa) * 8 : 0;
}

/** Of an entry of the last level. */
function indexOf(ipa: u64): u64 {
  return (ipa >> LEVEL_SHIFT_3) % TABLE_ENTRIES;
}

/** Never 0. */
function pieceOf(ipa: u64): u64 {
  return (ipa >> LEVEL_SHIFT_2) + 1;
}

/** The row of the S world's own table for `ipa`, or NO_ROW. */
function rowOf(slot: u32, ipa: u64): u32 {
  return rowWith(slot, pieceOf(ipa));
}

function rowWith(slot: u32, piece: u64): u32 {
  for (let row: u32 = 0; row < PERIPHERAL_TABLES_MAX; row++)
    if (readPhysical64(tableAtPa(slot, row)) === piece) return row;
  return NO_ROW;
}

/** The normal world's entry becomes the S world's. */
function move(guest: Guest, index: u32): void {
  const slot = guest.slot;
  const ipa = readPhysical64(ipaAtPa(slot, index));
  const entryPa = normalLevel3EntryPa(guest, ipa);
  const entry = readPhysical64(entryPa);
  let row = rowOf(slot, ipa);
  if (row === NO_ROW) {
    row = rowWith(slot, 0);
    writePhysical64(tableAtPa(slot, row), pieceOf(ipa));
    zeroPhysical(peripheralTablePa(slot, row), PAGE_SIZE);
    dsbSy();
    writePhysical64(teeLevel2EntryPa(slot, ipa), peripheralTablePa(slot, row) | DESCRIPTOR_TABLE);
  }
  writePhysical64(entryPa, 0);
  writePhysical64(takenAtPa(slot, index), tablePa(entry));
  machine().takenDevices++;
  writePhysical64(peripheralTablePa(slot, row) + indexOf(ipa) * 8, entry);
}

/** PARTITION_*. The TEE returns those in `mask`, all of which it has taken. */
export function returnPeripherals(guest: Guest, mask: u32): u32 {
  if (mask === 0 || mask >> PERIPHERALS_MAX !== 0) return PARTITION_NOT_MEMORY;
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++)
    if (isNamed(mask, index) && readPhysical64(takenAtPa(guest.slot, index)) === 0)
      return PARTITION_NOT_MEMORY;
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++) if (isNamed(mask, index)) restore(guest, index);
  return PARTITION_DONE;
}

/** The S world loses it everywhere first. Its place in the normal world may have been given to something else. */
function restore(guest: Guest, index: u32): void {
  const slot = guest.slot;
  const ipa = readPhysical64(ipaAtPa(slot, index));
  const ownPa = peripheralTablePa(slot, rowOf(slot, ipa)) + indexOf(ipa) * 8;
  const entry = readPhysical64(ownPa);
  writePhysical64(ownPa, 0);
  dsbSy();
  invalidateTlb(guest.teeVttbr);
  forget(slot, index);
  const entryPa = normalLevel3EntryPa(guest, ipa);
  if (entryPa === 0 || readPhysical64(entryPa) !== 0) return;
  writePhysical64(entryPa, entry);
  dsbSy();
}

function forget(slot: u32, index: u32): void {
  writePhysical64(takenAtPa(slot, index), 0);
  machine().takenDevices--;
}

/** The guest has ended: its tables are no one's, and whoever of the hypervisor's wants its devices may have them. */
export function forgetPeripherals(slot: u32): void {
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++)
    if (readPhysical64(takenAtPa(slot, index)) !== 0) forget(slot, index);
}

/** Whether the TEE of the guest in `slot` has taken a page in [pa, pa + size). */
export function hasTaken(slot: u32, pa: u64, size: u64): bool {
  for (let index: u32 = 0; index < PERIPHERALS_MAX; index++) {
    const taken = readPhysical64(takenAtPa(slot, index));
    if (taken !== 0 && taken < pa + size && pa < taken + PAGE_SIZE) return true;
  }
  return false;
}
