// The stage-2 tables of an S world. Its first GiB is the monitor's: the TEE's RAM in 2 MiB blocks and nothing else
// (devices trap). Everything above is the N world's, shared by pointing at the hypervisor's own subtrees, so that both
// worlds see the same pages at the same IPAs. Those subtrees are checked (memory/), and what the hypervisor changes above them is
// mirrored here at once. Root at level 0, 4 KiB granule, as the hypervisor's VTCR_EL2 says. Under LOCK_MEMORY.
//
//   root (level 0)        [0] → level 1 of ours · [1…] → the N world's level-1 tables
//   level 1               [0] → level 2 of ours · [1…] → the N world's entries for 1 GiB each, or level 2 of ours
//                         where the TEE has taken memory from its N world (partition/mirror.ts)
//   level 2               [112…119] → 2 MiB blocks of TEE RAM at TEE_RAM_IPA; tables for peripherals that the TEE has
//                         taken (partition/peripherals.ts)

import { POOL_STAGE2_OFFSET, POOL_STAGE2_SIZE, TEE_RAM_IPA, TEE_RAM_SIZE } from "../../../abi/memory-map";
import {
  BLOCK_L1_SIZE,
  BLOCK_L2_SIZE,
  DESCRIPTOR_TABLE,
  DESCRIPTOR_TYPE_MASK,
  LEVEL_SHIFT_1,
  LEVEL_SHIFT_2,
  PAGE_SIZE,
  STAGE2_BLOCK_NORMAL_RWX,
  STAGE2_VALID,
  TABLE_ENTRIES,
  TABLE_OUTPUT_ADDRESS_MASK,
} from "../arm/page-tables.gen";
import { VTTBR_EL2_BADDR_MASK, VTTBR_EL2_VMID_SHIFT } from "../arm/registers.gen";
import {
  dsbSy,
  isb,
  readPhysical64,
  readVTTBR_EL2,
  tlbiVmalls12e1is,
  writePhysical64,
  writeVTTBR_EL2,
  zeroPhysical,
} from "../hw";
import { isOwnTable, mirrorOwnLevel2 } from "../partition/mirror";
import { machine } from "../storage";
import { Guest } from "./guest";

/** VMIDs of S worlds count down from the top of the 8-bit space; the hypervisor's count up from 1. */
const TEE_VMID_LAST: u64 = 0xff;

export function rootPaOf(vttbr: u64): u64 {
  return vttbr & VTTBR_EL2_BADDR_MASK;
}

const VMID_MASK: u64 = 0xff; // 8-bit VMIDs (VTCR_EL2.VS = 0)

/** Below 256. */
export function vmidOf(vttbr: u64): u32 {
  return <u32>((vttbr >> VTTBR_EL2_VMID_SHIFT) & VMID_MASK);
}

function tablesPa(slot: u32): u64 {
  return machine().poolPa + <u64>POOL_STAGE2_OFFSET + <u64>slot * <u64>POOL_STAGE2_SIZE;
}

/** PA of the S world's entry for a GiB, from 1 on; below 512. */
export function teeLevel1EntryPa(slot: u32, gib: u64): u64 {
  return tablesPa(slot) + PAGE_SIZE + gib * 8;
}

/** PA of the S world's entry of level 2 for `ipa`, below 1 GiB. */
export function teeLevel2EntryPa(slot: u32, ipa: u64): u64 {
  return tablesPa(slot) + 2 * PAGE_SIZE + (ipa >> LEVEL_SHIFT_2) * 8;
}

/** Builds the S world's tables and returns its VTTBR_EL2. */
export function buildTeeStage2(guest: Guest): u64 {
  const rootPa = tablesPa(guest.slot);
  const level1Pa = rootPa + PAGE_SIZE;
  const level2Pa = level1Pa + PAGE_SIZE;
  zeroPhysical(rootPa, 3 * PAGE_SIZE);
  writePhysical64(rootPa, level1Pa | DESCRIPTOR_TABLE);
  writePhysical64(level1Pa, level2Pa | DESCRIPTOR_TABLE);
  for (let offset: u64 = 0; offset < <u64>TEE_RAM_SIZE; offset += BLOCK_L2_SIZE) {
    const index = (<u64>TEE_RAM_IPA + offset) >> LEVEL_SHIFT_2;
    writePhysical64(level2Pa + index * 8, (guest.teeRamPa + offset) | STAGE2_BLOCK_NORMAL_RWX);
  }
  shareNormalWorld(guest);
  const vttbr = rootPa | ((TEE_VMID_LAST - <u64>guest.slot) << VTTBR_EL2_VMID_SHIFT);
  invalidateTlb(vttbr);
  return vttbr;
}

/** Copies the N world's upper entries into the S world's tables. True if one of them was new or has changed. */
export function shareNormalWorld(guest: Guest): bool {
  const rootPa = tablesPa(guest.slot);
  const normalRootPa = rootPaOf(guest.normalVttbr);
  let changed = copyEntries(guest, rootPa, normalRootPa);
  const normalLevel0 = readPhysical64(normalRootPa);
  const level1Pa = rootPa + PAGE_SIZE;
  if (isTable(normalLevel0)) {
    if (copyEntries(guest, level1Pa, normalLevel0 & TABLE_OUTPUT_ADDRESS_MASK)) changed = true;
  } else if (clearEntries(guest, level1Pa)) {
    changed = true;
  }
  if (changed) dsbSy();
  if (changed && guest.teeVttbr !== 0) invalidateTlb(guest.teeVttbr);
  return changed;
}

/** All but the first, which is ours. */
function clearEntries(guest: Guest, pa: u64): bool {
  let changed = false;
  for (let offset: u64 = 8; offset < TABLE_ENTRIES * 8; offset += 8)
    if (shareEntry(guest, pa + offset, 0)) changed = true;
  return changed;
}

function copyEntries(guest: Guest, toPa: u64, fromPa: u64): bool {
  let changed = false;
  for (let offset: u64 = 8; offset < TABLE_ENTRIES * 8; offset += 8)
    if (shareEntry(guest, toPa + offset, readPhysical64(fromPa + offset))) changed = true;
  return changed;
}

/** The S world's entry at `entryPa`, of level 0 or 1, becomes what the N world has there, but for what its TEE has taken. True if it has changed. */
function shareEntry(guest: Guest, entryPa: u64, normalEntry: u64): bool {
  const old = readPhysical64(entryPa);
  if (isOwnTable(old)) return mirrorOwnLevel2(guest.slot, (entryPa % PAGE_SIZE) / 8, normalEntry);
  const entry = sharedEntry(normalEntry);
  if (entry === old) return false;
  writePhysical64(entryPa, entry);
  return true;
}

/** What an S world has where its N world has `entry`, above the last level. */
export function sharedEntry(entry: u64): u64 {
  return (entry & STAGE2_VALID) !== 0 ? entry : 0;
}

/** The hypervisor's entry at `entryPa`, of level 0 or 1 of the N world, holds `value` now. */
export function mirrorEntry(guest: Guest, entryPa: u64, value: u64): void {
  const rootPa = tablesPa(guest.slot);
  const normalRootPa = rootPaOf(guest.normalVttbr);
  const offset = entryPa % PAGE_SIZE;
  const pagePa = entryPa - offset;
  const normalLevel0 = readPhysical64(normalRootPa);
  if (pagePa === normalRootPa && offset !== 0) replaceShared(guest, rootPa + offset, value);
  else if (pagePa === normalRootPa) shareNormalWorld(guest);
  else if (isTable(normalLevel0) && pagePa === (normalLevel0 & TABLE_OUTPUT_ADDRESS_MASK) && offset !== 0)
    replaceShared(guest, rootPa + PAGE_SIZE + offset, value);
}

function replaceShared(guest: Guest, entryPa: u64, value: u64): void {
  const old = readPhysical64(entryPa);
  shareEntry(guest, entryPa, value);
  dsbSy();
  if (old !== 0) invalidateTlb(guest.teeVttbr);
}

function isTable(entry: u64): bool {
  return (entry & DESCRIPTOR_TYPE_MASK) === DESCRIPTOR_TABLE;
}

/** Removes every translation of the VMID in `vttbr`, on all cores. */
export function invalidateTlb(vttbr: u64): void {
  const current = readVTTBR_EL2();
  dsbSy();
  writeVTTBR_EL2(vttbr);
  isb();
  tlbiVmalls12e1is();
  dsbSy();
  writeVTTBR_EL2(current);
  isb();
}

/** Bytes of RAM that the N world has from `baseIpa` (a multiple of 1 GiB) upwards without a gap, in steps of 2 MiB. */
export function normalRamSize(guest: Guest, baseIpa: u64): u64 {
  const level0 = readPhysical64(rootPaOf(guest.normalVttbr));
  if (!isTable(level0)) return 0;
  const level1Pa = level0 & TABLE_OUTPUT_ADDRESS_MASK;
  let size: u64 = 0;
  for (let index = baseIpa >> LEVEL_SHIFT_1; index < TABLE_ENTRIES; index++) {
    const entry = readPhysical64(level1Pa + index * 8);
    const mapped = mappedSize(entry);
    size += mapped;
    if (mapped !== BLOCK_L1_SIZE) break;
  }
  return size;
}

/** What a level-1 entry maps from its start without a gap: all, or as many 2 MiB entries as are valid. */
function mappedSize(level1Entry: u64): u64 {
  if ((level1Entry & STAGE2_VALID) === 0) return 0;
  if ((level1Entry & DESCRIPTOR_TYPE_MASK) !== DESCRIPTOR_TABLE) return BLOCK_L1_SIZE;
  if (!isTable(level1Entry)) return 0;
  const level2Pa = level1Entry & TABLE_OUTPUT_ADDRESS_MASK;
  let size: u64 = 0;
  while (
    size < BLOCK_L1_SIZE &&
    (readPhysical64(level2Pa + (size >> LEVEL_SHIFT_2) * 8) & STAGE2_VALID) !== 0
  )
    size += BLOCK_L2_SIZE;
  return size;
}
