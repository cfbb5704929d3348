// The partition of a guest's memory: which of its normal world's memory its TEE has taken for itself, in granules
// (PARTITION_GRANULE: 2 MiB, one entry of a level-2 table). A row for each granule, one for each GiB in which some lie.
// Under LOCK_MEMORY.
//
//   POOL_PARTITION_OFFSET + slot × POOL_PARTITION_SIZE
//     page 0          the registers of the guest's devices (abi/devices-compartment.ts)
//     pages 1…4       level-2 tables of the S world's own, one for each row of a GiB (mirror.ts)
//     pages 5…36      level-3 tables of its own, one for each row of a granule that the hypervisor had mapped in pages
//     page 37         its peripherals (peripherals.ts), and pages 38…41 level-3 tables for those that are taken

import { PARTITION_GIBS_MAX, PARTITION_GRANULES_MAX } from "../../../abi/devices-compartment";
import { POOL_PARTITION_OFFSET, POOL_PARTITION_SIZE } from "../../../abi/memory-map";
import { LEVEL_SHIFT_1, PAGE_SIZE } from "../arm/page-tables.gen";
import { zeroPhysical } from "../hw";
import { machine, PARTITION_RECORD_SIZE, partitionAt } from "../storage";

/** No row. */
export const NO_ROW: u32 = 0xffff_ffff;

@unmanaged
export class Partition {
  /** Rows of granules that are not free. */
  granuleCount: u32;
  /** Of the last refusal: the first address that cannot be taken. */
  refusedIpa: u64;
  /** Which GiB, 0 if the row is free: the first one is never the normal world's. More follow, PARTITION_GIBS_MAX. */
  gib0: u64;
  gib1: u64;
  gib2: u64;
  gib3: u64;
  /** IPA and GRANULE_LOST, 0 if the row is free. More follow, PARTITION_GRANULES_MAX. */
  granule0: u64;
}

/** The hypervisor has taken it back: it is neither world's until the guest ends. */
const GRANULE_LOST: u64 = 1;

const DEVICES_PAGE: u64 = 0;
const LEVEL2_PAGE: u64 = 1;
const LEVEL3_PAGE: u64 = LEVEL2_PAGE + <u64>PARTITION_GIBS_MAX;

const PERIPHERALS_PAGE: u64 = LEVEL3_PAGE + <u64>PARTITION_GRANULES_MAX;

function pagePa(slot: u32, page: u64): u64 {
  const offset = <u64>POOL_PARTITION_OFFSET + <u64>slot * <u64>POOL_PARTITION_SIZE;
  return machine().poolPa + offset + page * PAGE_SIZE;
}

/** Where the state of a guest's devices stands. */
export function devicesPa(slot: u32): u64 {
  return pagePa(slot, DEVICES_PAGE);
}

/** The S world's own level-2 table of a row of a GiB. */
export function ownLevel2Pa(slot: u32, row: u32): u64 {
  return pagePa(slot, LEVEL2_PAGE + <u64>row);
}

/** The S world's own level-3 table of a row of a granule. */
export function ownLevel3Pa(slot: u32, row: u32): u64 {
  return pagePa(slot, LEVEL3_PAGE + <u64>row);
}

/** Which peripherals a guest has, and which are taken. */
export function peripheralsPa(slot: u32): u64 {
  return pagePa(slot, PERIPHERALS_PAGE);
}

/** The S world's own level-3 table of a row of peripherals. */
export function peripheralTablePa(slot: u32, row: u32): u64 {
  return pagePa(slot, PERIPHERALS_PAGE + 1 + <u64>row);
}

/** As after reset: nothing is taken. */
export function resetPartition(slot: u32): void {
  memory.fill(changetype<usize>(partitionAt(slot)), 0, PARTITION_RECORD_SIZE);
  zeroPhysical(devicesPa(slot), PAGE_SIZE);
  zeroPhysical(peripheralsPa(slot), PAGE_SIZE);
}

function gibPtr(slot: u32, row: u32): usize {
  return changetype<usize>(partitionAt(slot)) + offsetof<Partition>("gib0") + ((<usize>row) << 3);
}

function granulePtr(slot: u32, row: u32): usize {
  return changetype<usize>(partitionAt(slot)) + offsetof<Partition>("granule0") + ((<usize>row) << 3);
}

/** The row of this GiB of the IPA space, or NO_ROW. */
export function rowOfGib(slot: u32, gib: u64): u32 {
  return gib === 0 ? NO_ROW : gibRowWith(slot, gib);
}

export function freeRowOfGib(slot: u32): u32 {
  return gibRowWith(slot, 0);
}

function gibRowWith(slot: u32, gib: u64): u32 {
  for (let row: u32 = 0; row < PARTITION_GIBS_MAX; row++)
    if (load<u64>(gibPtr(slot, row)) === gib) return row;
  return NO_ROW;
}

export function isGibRowFree(slot: u32, row: u32): bool {
  return load<u64>(gibPtr(slot, row)) === 0;
}

export function setGib(slot: u32, row: u32, gib: u64): void {
  store<u64>(gibPtr(slot, row), gib);
}

/** The row of the granule that begins at `ipa`, which is none of the first GiB, or NO_ROW. */
export function rowOfGranule(slot: u32, ipa: u64): u32 {
  return ipa === 0 ? NO_ROW : granuleRowWith(slot, ipa);
}

export function freeRowOfGranule(slot: u32): u32 {
  return granuleRowWith(slot, 0);
}

function granuleRowWith(slot: u32, ipa: u64): u32 {
  for (let row: u32 = 0; row < PARTITION_GRANULES_MAX; row++) if (granuleAt(slot, row) === ipa) return row;
  return NO_ROW;
}

/** IPA of a row's granule, 0 if it is free. */
export function granuleAt(slot: u32, row: u32): u64 {
  return load<u64>(granulePtr(slot, row)) & ~GRANULE_LOST;
}

export function isLost(slot: u32, row: u32): bool {
  return (load<u64>(granulePtr(slot, row)) & GRANULE_LOST) !== 0;
}

export function setGranule(slot: u32, row: u32, ipa: u64): void {
  store<u64>(granulePtr(slot, row), ipa);
  partitionAt(slot).granuleCount++;
}

export function setLost(slot: u32, row: u32): void {
  store<u64>(granulePtr(slot, row), granuleAt(slot, row) | GRANULE_LOST);
}

export function clearGranule(slot: u32, row: u32): void {
  store<u64>(granulePtr(slot, row), 0);
  partitionAt(slot).granuleCount--;
}

/** Whether a granule of this GiB is taken. */
export function isGibUsed(slot: u32, gib: u64): bool {
  for (let row: u32 = 0; row < PARTITION_GRANULES_MAX; row++)
    if (granuleAt(slot, row) !== 0 && granuleAt(slot, row) >> LEVEL_SHIFT_1 === gib) return true;
  return false;
}
