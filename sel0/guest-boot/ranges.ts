// Ranges of the guest's memory: its banks, and what of them is taken. Both tables are bounded; banks beyond the bound are
// left out, and if not everything taken could be noted, nothing counts as free. Ends are the first byte behind a range.

import { GUEST_BOOT_BANK_MAX } from "../../abi/guest-boot-compartment";
import { IPA_BITS } from "./message";
import { addressCells, cellsAt, sizeCells, VALUE_REG, valueOffset, valueSize } from "./values";

export const TAKEN_MAX: u32 = 64;

const CELL_SIZE: u32 = 4;
const RANGE_SIZE: u32 = 16;
const BANKS: usize = memory.data(128, 8); // GUEST_BOOT_BANK_MAX × RANGE_SIZE
const TAKEN: usize = memory.data(1024, 8); // TAKEN_MAX × RANGE_SIZE

@unmanaged
class Range {
  start: u64;
  end: u64;
}

@unmanaged
class Ranges {
  bankCount: u32;
  takenCount: u32;
  /** Something taken is not in the table. */
  isIncomplete: bool;
}

const RANGES: usize = memory.data(16, 8);

function ranges(): Ranges {
  return changetype<Ranges>(RANGES);
}

export function clearRanges(): void {
  ranges().bankCount = 0;
  ranges().takenCount = 0;
  ranges().isIncomplete = false;
}

export function bankCount(): u32 {
  return ranges().bankCount;
}

/** `index` is below bankCount(). */
export function bankStart(index: u32): u64 {
  return bank(index).start;
}

export function bankEnd(index: u32): u64 {
  return bank(index).end;
}

function bank(index: u32): Range {
  return changetype<Range>(BANKS + <usize>((index & (GUEST_BOOT_BANK_MAX - 1)) * RANGE_SIZE));
}

export function takenCount(): u32 {
  return ranges().takenCount;
}

export function takenEnd(index: u32): u64 {
  return taken(index).end;
}

function taken(index: u32): Range {
  return changetype<Range>(TAKEN + <usize>((index & (TAKEN_MAX - 1)) * RANGE_SIZE));
}

/** The `reg` of the node of memory that has just ended (section 3.4). */
export function addBanks(): void {
  const pairSize = (addressCells() + sizeCells()) * CELL_SIZE;
  if (addressCells() === 0 || sizeCells() === 0) return;
  const count = valueSize(VALUE_REG) / pairSize;
  for (let index: u32 = 0; index < count && bankCount() < GUEST_BOOT_BANK_MAX; index++) {
    const offset = valueOffset(VALUE_REG) + index * pairSize;
    const start = cellsAt(offset, addressCells());
    const size = cellsAt(offset + addressCells() * CELL_SIZE, sizeCells());
    if (size === 0 || !isRange(start, size)) continue;
    bank(bankCount()).start = start;
    bank(bankCount()).end = start + size;
    ranges().bankCount++;
  }
}

/** The `reg` at `value` of a child of /reserved-memory, whose cells are those of the root (section 3.5). */
export function addReservedMemory(value: u32, valueSize: u32): void {
  const pairSize = (addressCells() + sizeCells()) * CELL_SIZE;
  if (addressCells() === 0 || sizeCells() === 0) {
    ranges().isIncomplete = true;
    return;
  }
  for (let offset: u32 = 0; offset + pairSize <= valueSize; offset += pairSize) {
    const start = cellsAt(value + offset, addressCells());
    addTaken(start, cellsAt(value + offset + addressCells() * CELL_SIZE, sizeCells()));
  }
}

/** What cannot be a range of the guest's is in nobody's way. */
export function addTaken(start: u64, size: u64): void {
  if (size === 0 || start >> IPA_BITS !== 0) return;
  if (takenCount() === TAKEN_MAX || !isRange(start, size)) {
    ranges().isIncomplete = true;
    return;
  }
  taken(takenCount()).start = start;
  taken(takenCount()).end = start + size;
  ranges().takenCount++;
}

function isRange(start: u64, size: u64): bool {
  return start >> IPA_BITS === 0 && size >> IPA_BITS === 0;
}

/** Whether it is certain that nothing noted lies in these bytes. */
export function isUntaken(start: u64, end: u64): bool {
  for (let index: u32 = 0; index < takenCount(); index++) {
    if (start < taken(index).end && taken(index).start < end) return false;
  }
  return !ranges().isIncomplete;
}

export function isInBank(start: u64, end: u64): bool {
  for (let index: u32 = 0; index < bankCount(); index++) {
    if (bankStart(index) <= start && end <= bankEnd(index)) return true;
  }
  return false;
}
