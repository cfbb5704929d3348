// The ownership table: one record for every 4 KiB page of RAM (abi/pages.ts says what each state means). All of it is read and
// changed under LOCK_MEMORY. Whoever makes a page protected first takes away every way to write it, then looks at it.

import {
  PAGE_BASE_MASK,
  PAGE_EPOCH_MASK,
  PAGE_EPOCH_SHIFT,
  PAGE_EPOCHS,
  PAGE_FREE,
  PAGE_GUEST,
  PAGE_GUEST_SECURE,
  PAGE_GUEST_TEE,
  PAGE_HYPERVISOR_TEXT,
  PAGE_LEVEL_MASK,
  PAGE_LEVEL_SHIFT,
  PAGE_MONITOR,
  PAGE_OWNER_SHIFT,
  PAGE_RECORD_SIZE,
  PAGE_REFERENCE_ONE,
  PAGE_REFERENCES_MAX,
  PAGE_REFERENCES_SHIFT,
  PAGE_STAGE1_TABLE,
  PAGE_STAGE2_TABLE,
  PAGE_STATE_MASK,
  PAGE_WRITABLE_MASK,
} from "../../../abi/pages";
import { LEVEL_SHIFT_2, PAGE_SHIFT, PAGE_SIZE } from "../arm/page-tables.gen";
import { releaseToDma } from "../dma/protect";
import { dsbSy, readPhysical32, tlbiAlle1is, writePhysical32, zeroPhysical } from "../hw";
import { machine } from "../storage";
import { makeReadOnly, makeWritable } from "./direct-map";
import { mayMove } from "./transitions";

const WORD_1: u64 = 4;

export function isRam(pa: u64): bool {
  const it = machine();
  return pa >= it.ramPa && pa - it.ramPa < it.ramSize;
}

/** `pa` must be RAM. */
function recordPa(pa: u64): u64 {
  const it = machine();
  return it.pagesPa + ((pa - it.ramPa) >> PAGE_SHIFT) * <u64>PAGE_RECORD_SIZE;
}

function word0(pa: u64): u32 {
  return readPhysical32(recordPa(pa));
}

function word1(pa: u64): u32 {
  return readPhysical32(recordPa(pa) + WORD_1);
}

function write(pa: u64, state: u32, level: u32, references: u32, word: u32): void {
  const at = recordPa(pa);
  writePhysical32(at, state | (level << PAGE_LEVEL_SHIFT) | (references << PAGE_REFERENCES_SHIFT));
  writePhysical32(at + WORD_1, word);
}

export function pageState(pa: u64): u32 {
  return word0(pa) & PAGE_STATE_MASK;
}

export function tableLevel(pa: u64): u32 {
  return (word0(pa) & PAGE_LEVEL_MASK) >> PAGE_LEVEL_SHIFT;
}

export function references(pa: u64): u32 {
  return word0(pa) >> PAGE_REFERENCES_SHIFT;
}

/** VMID whose stage 2 a table of PAGE_STAGE2_TABLE belongs to. */
export function tableOwner(pa: u64): u32 {
  return word1(pa) >> PAGE_OWNER_SHIFT;
}

/** First address that a table translates. */
export function tableBase(pa: u64): u64 {
  const isStage1 = pageState(pa) === PAGE_STAGE1_TABLE;
  return (<u64>(isStage1 ? word1(pa) : word1(pa) & PAGE_BASE_MASK)) << LEVEL_SHIFT_2;
}

// --- cold boot ------------------------------------------------------------------------------------------------

/** All of RAM is the hypervisor's but for the pool. */
export function initialisePages(): void {
  const it = machine();
  zeroPhysical(it.pagesPa, (it.ramSize >> PAGE_SHIFT) * <u64>PAGE_RECORD_SIZE); // PAGE_FREE
  for (let pa = it.poolPa; pa < it.ramPa + it.ramSize; pa += PAGE_SIZE) write(pa, PAGE_MONITOR, 0, 0, 0);
}

// --- pages mapped in guests -----------------------------------------------------------------------------------

/** Whether one more stage-2 leaf may name the page. */
export function mayRetain(pa: u64): bool {
  const state = pageState(pa);
  if (state === PAGE_FREE) return true;
  return state === PAGE_GUEST && references(pa) < PAGE_REFERENCES_MAX;
}

/** `mayRetain` has said yes. */
export function retainPage(pa: u64): void {
  const at = recordPa(pa);
  const record = readPhysical32(at);
  writePhysical32(at, ((record & ~PAGE_STATE_MASK) | PAGE_GUEST) + PAGE_REFERENCE_ONE);
}

/** A stage-2 leaf that named the page is gone; a TLB may hold it until the next `flushGuests`. */
export function releasePage(pa: u64): void {
  const at = recordPa(pa);
  const rest = readPhysical32(at) - PAGE_REFERENCE_ONE;
  const isLast = rest >> PAGE_REFERENCES_SHIFT === 0;
  writePhysical32(at, isLast ? (rest & ~PAGE_STATE_MASK) | PAGE_FREE : rest);
  const word = readPhysical32(at + WORD_1) & ~PAGE_EPOCH_MASK;
  writePhysical32(at + WORD_1, word | (machine().guestTlbEpoch << PAGE_EPOCH_SHIFT));
}

/** Removes every stage-2 translation from every TLB: what was unmapped before is unreachable now. */
export function flushGuests(): void {
  dsbSy();
  tlbiAlle1is();
  dsbSy();
  machine().guestTlbEpoch = (machine().guestTlbEpoch + 1) % PAGE_EPOCHS;
}

/** After a full turn of the epochs this may be true without need; it is never false wrongly. */
function mayBeInGuestTlb(pa: u64): bool {
  return (word1(pa) & PAGE_EPOCH_MASK) >> PAGE_EPOCH_SHIFT === machine().guestTlbEpoch;
}

// --- writable mappings at EL2 beside the direct map -------------------------------------------------------------

export function mayRetainWritable(pa: u64): bool {
  const state = pageState(pa);
  return (
    (state === PAGE_FREE || state === PAGE_GUEST) && (word1(pa) & PAGE_WRITABLE_MASK) < PAGE_WRITABLE_MASK
  );
}

export function retainWritable(pa: u64): void {
  writePhysical32(recordPa(pa) + WORD_1, word1(pa) + 1);
}

export function releaseWritable(pa: u64): void {
  writePhysical32(recordPa(pa) + WORD_1, word1(pa) - 1);
}

// --- protected pages --------------------------------------------------------------------------------------------

/** Whether nobody but the hypervisor, through its direct map, can reach the page. */
export function mayProtect(pa: u64): bool {
  return pageState(pa) === PAGE_FREE && (word1(pa) & PAGE_WRITABLE_MASK) === 0;
}

/**
 * A page of the hypervisor becomes a table of its; from here on nobody writes it but the monitor. False, and nothing has changed, if it is
 * not the hypervisor's alone. `base` is the first address that the table translates; `owner` a VMID, 0 for stage 1.
 */
export function protectTable(pa: u64, state: u32, level: u32, base: u64, owner: u32): bool {
  if (!mayProtect(pa) || !mayMove(PAGE_FREE, state)) return false;
  if (mayBeInGuestTlb(pa)) flushGuests();
  makeReadOnly(pa);
  recordTable(pa, state, level, base, owner);
  return true;
}

/** The record alone: at lockdown, when the mappings follow. */
export function recordTable(pa: u64, state: u32, level: u32, base: u64, owner: u32): void {
  const place = <u32>(base >> LEVEL_SHIFT_2);
  // A root has entries for IPAs that no VM has, which no walk reads; its tables are the owner's nonetheless.
  const word = state === PAGE_STAGE2_TABLE ? (place & PAGE_BASE_MASK) | (owner << PAGE_OWNER_SHIFT) : place;
  write(pa, state, level, 1, word);
}

/** At lockdown: a table of the hypervisor's that one of ours has replaced. */
export function forgetTable(pa: u64): void {
  machine().stage1Tables--;
  write(pa, PAGE_FREE, 0, 0, 0);
  releaseToDma(pa);
}

/** The reverse. No translation, and no walk that is cached, reaches the table any more. */
export function unprotectTable(pa: u64): void {
  write(pa, PAGE_FREE, 0, 0, 0);
  makeWritable(pa);
}

/** At lockdown: one more executable mapping of a page of the hypervisor. */
export function recordText(pa: u64): void {
  write(pa, PAGE_HYPERVISOR_TEXT, 0, pageState(pa) === PAGE_HYPERVISOR_TEXT ? references(pa) + 1 : 1, 0);
}

/** An executable mapping is gone, from the TLBs as well. */
export function releaseText(pa: u64): void {
  const rest = references(pa) - 1;
  if (rest !== 0) {
    write(pa, PAGE_HYPERVISOR_TEXT, 0, rest, 0);
    return;
  }
  machine().textPages--;
  write(pa, PAGE_FREE, 0, 0, 0);
  makeWritable(pa);
}

export function isTable(pa: u64): bool {
  const state = pageState(pa);
  return state === PAGE_STAGE1_TABLE || state === PAGE_STAGE2_TABLE;
}

// --- TEE RAM ------------------------------------------------------------------------------------------------------

/** The RAM window of a guest's TEE changes hands: `state` is PAGE_GUEST_TEE or PAGE_MONITOR. */
export function assignTeeRam(pa: u64, size: u64, state: u32, slot: u32): void {
  for (let offset: u64 = 0; offset < size; offset += PAGE_SIZE)
    write(pa + offset, state, 0, 0, state === PAGE_GUEST_TEE ? slot : 0);
}

// --- memory that a TEE has taken from its normal world ----------------------------------------------------------------

/** Whether the page is mapped in one guest, there once, and the hypervisor writes it through its direct map only. */
export function mayTake(pa: u64): bool {
  return pageState(pa) === PAGE_GUEST && references(pa) === 1 && (word1(pa) & PAGE_WRITABLE_MASK) === 0;
}

/** Whether the page at `pa`, which is RAM, is mapped in a guest. */
export function isGuestPage(pa: u64): bool {
  return pageState(pa) === PAGE_GUEST;
}

/** The record alone. `mayTake` has said yes, and the guest's normal world has lost it. */
export function recordTaken(pa: u64, slot: u32): void {
  write(pa, PAGE_GUEST_SECURE, 0, 0, slot);
}

/** The record alone: it is zero, and whoever of the hypervisor's wants it may have it. */
export function recordGivenBack(pa: u64): void {
  write(pa, PAGE_FREE, 0, 0, 0);
}

/** Whether the page at `pa`, which may be anything, is one that a TEE has taken. */
export function isTaken(pa: u64): bool {
  return isRam(pa) && pageState(pa) === PAGE_GUEST_SECURE;
}

/** Slot of the guest whose TEE has taken the page. */
export function takerOf(pa: u64): u32 {
  return word1(pa);
}
