// The header and the memory reservation block (Devicetree Specification 0.4, sections 5.2 and 5.3), checked. The order
// of the blocks is that of section 5.1; between them and at the end there may be free space.

import {
  GUEST_BOOT_BAD_HEADER,
  GUEST_BOOT_BAD_RESERVATIONS,
  GUEST_BOOT_BAD_VERSION,
  GUEST_BOOT_CUT_OFF,
  GUEST_BOOT_DONE,
  GUEST_BOOT_NO_TREE,
  GUEST_BOOT_TOO_LARGE,
  GUEST_BOOT_TREE_MAX,
} from "../../abi/guest-boot-compartment";
import { doubleWordAt, wordAt } from "./source";

export const FDT_MAGIC: u32 = 0xd00dfeed;
export const FDT_VERSION: u32 = 17;
export const FDT_LAST_COMPATIBLE_VERSION: u32 = 16;

// Section 5.2: the header's fields.
export const HEADER_MAGIC: u32 = 0;
export const HEADER_TOTAL_SIZE: u32 = 4;
export const HEADER_STRUCT_OFFSET: u32 = 8;
export const HEADER_STRINGS_OFFSET: u32 = 12;
export const HEADER_RESERVATIONS_OFFSET: u32 = 16;
export const HEADER_VERSION: u32 = 20;
export const HEADER_LAST_COMPATIBLE_VERSION: u32 = 24;
export const HEADER_BOOT_CPU: u32 = 28;
export const HEADER_STRINGS_SIZE: u32 = 32;
export const HEADER_STRUCT_SIZE: u32 = 36;
export const HEADER_SIZE: u32 = 40;

export const RESERVATION_SIZE: u32 = 16;

const WORD_ALIGNMENT_MASK: u32 = 3;
const RESERVATION_ALIGNMENT_MASK: u32 = 7;

export function totalSize(): u32 {
  return wordAt(HEADER_TOTAL_SIZE);
}

export function structOffset(): u32 {
  return wordAt(HEADER_STRUCT_OFFSET);
}

/** The first byte behind the structure block. */
export function structEnd(): u32 {
  return structOffset() + wordAt(HEADER_STRUCT_SIZE);
}

export function stringsOffset(): u32 {
  return wordAt(HEADER_STRINGS_OFFSET);
}

export function stringsSize(): u32 {
  return wordAt(HEADER_STRINGS_SIZE);
}

export function reservationsOffset(): u32 {
  return wordAt(HEADER_RESERVATIONS_OFFSET);
}

/** Of `available` bytes that were lent. */
export function checkHeader(available: u32): u32 {
  if (available < HEADER_SIZE || wordAt(HEADER_MAGIC) !== FDT_MAGIC) return GUEST_BOOT_NO_TREE;
  if (totalSize() > GUEST_BOOT_TREE_MAX) return GUEST_BOOT_TOO_LARGE;
  if (totalSize() > available) return GUEST_BOOT_CUT_OFF;
  if (!isVersionKnown()) return GUEST_BOOT_BAD_VERSION;
  if (!areBlocksInOrder()) return GUEST_BOOT_BAD_HEADER;
  return reservationCount() === NO_END ? GUEST_BOOT_BAD_RESERVATIONS : GUEST_BOOT_DONE;
}

/** Version 17 was the first with the size of the structure block; the standard wants 16 as the oldest that can read it. */
function isVersionKnown(): bool {
  const oldest = wordAt(HEADER_LAST_COMPATIBLE_VERSION);
  return (
    wordAt(HEADER_VERSION) === FDT_VERSION && oldest >= FDT_LAST_COMPATIBLE_VERSION && oldest <= FDT_VERSION
  );
}

/** Each comparison subtracts what the one before has shown to be no more, so that nothing wraps. */
function areBlocksInOrder(): bool {
  const total = totalSize();
  const reservations = reservationsOffset();
  const structure = structOffset();
  const strings = stringsOffset();
  const structureSize = wordAt(HEADER_STRUCT_SIZE);
  if (reservations < HEADER_SIZE || (reservations & RESERVATION_ALIGNMENT_MASK) !== 0) return false;
  if (((structure | structureSize) & WORD_ALIGNMENT_MASK) !== 0) return false;
  if (reservations > structure || structure > strings || strings > total) return false;
  return structureSize <= strings - structure && stringsSize() <= total - strings;
}

const NO_END: u32 = 0xffffffff;

/** How many entries the reservation block has, the empty one at its end left out; NO_END if that is not before the structure. */
export function reservationCount(): u32 {
  const limit = (structOffset() - reservationsOffset()) / RESERVATION_SIZE;
  for (let index: u32 = 0; index < limit; index++) {
    if (reservationAddress(index) === 0 && reservationSize(index) === 0) return index;
  }
  return NO_END;
}

export function reservationAddress(index: u32): u64 {
  return doubleWordAt(reservationsOffset() + index * RESERVATION_SIZE);
}

export function reservationSize(index: u32): u64 {
  return doubleWordAt(reservationsOffset() + index * RESERVATION_SIZE + RESERVATION_SIZE / 2);
}
