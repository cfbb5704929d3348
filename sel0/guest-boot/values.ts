// Values of properties that are wanted, each kept as it is met the first time: where it is in the copy, and its size.

import { Item } from "./item";
import { sourceEquals, wordAt } from "./source";

export const VALUE_ADDRESS_CELLS: u32 = 0;
export const VALUE_SIZE_CELLS: u32 = 1;
export const VALUE_INITRD_START: u32 = 2;
export const VALUE_INITRD_END: u32 = 3;
export const VALUE_CHOSEN_IDENTITY: u32 = 4;
export const VALUE_PASSTHROUGH_IDENTITY: u32 = 5;
/** Of the node that the pass is in. */
export const VALUE_REG: u32 = 6;
export const VALUE_DEVICE_TYPE: u32 = 7;
const VALUE_COUNT: u32 = 8;

/** Of Linux, and of every address of 64 bits. */
const CELLS_MAX: u32 = 2;
const CELL_SIZE: u32 = 4;

@unmanaged
class Value {
  isKnown: bool;
  offset: u32;
  size: u32;
}

const VALUE_RECORD_SIZE: u32 = 16;
const VALUES: usize = memory.data(128, 8); // VALUE_COUNT × VALUE_RECORD_SIZE

function valueAt(index: u32): Value {
  return changetype<Value>(VALUES + <usize>((index & (VALUE_COUNT - 1)) * VALUE_RECORD_SIZE));
}

export function clearValues(): void {
  for (let index: u32 = 0; index < VALUE_COUNT; index++) forgetValue(index);
}

export function forgetValue(index: u32): void {
  valueAt(index).isKnown = false;
}

export function keepFirst(index: u32, it: Item): void {
  const value = valueAt(index);
  if (value.isKnown) return;
  value.isKnown = true;
  value.offset = it.value;
  value.size = it.valueSize;
}

export function valueOffset(index: u32): u32 {
  return valueAt(index).offset;
}

/** 0 if there is none. */
export function valueSize(index: u32): u32 {
  return valueAt(index).isKnown ? valueAt(index).size : 0;
}

/** Whether it is the text of `size` bytes at `ptr`, which a zero follows. */
export function valueIsText(index: u32, ptr: usize, size: u32): bool {
  return valueSize(index) === size + 1 && sourceEquals(valueOffset(index), ptr, size + 1);
}

/** A number of one or two cells, as Linux reads the ends of an initrd; `otherwise` if it is none. */
export function valueNumber(index: u32, otherwise: u64): u64 {
  const size = valueSize(index);
  return size === CELL_SIZE || size === CELL_SIZE * CELLS_MAX
    ? cellsAt(valueOffset(index), size / CELL_SIZE)
    : otherwise;
}

/** `count` is at most 2; 0 cells are 0. */
export function cellsAt(offset: u32, count: u32): u64 {
  let number: u64 = 0;
  for (let index: u32 = 0; index < count; index++)
    number = (number << 32) | <u64>wordAt(offset + index * CELL_SIZE);
  return number;
}

/** Section 2.3.5: what holds for the root's children, 2 and 1 if it does not say; 0 if it says what nobody can read. */
export function addressCells(): u32 {
  return cellsOf(VALUE_ADDRESS_CELLS, 2);
}

export function sizeCells(): u32 {
  return cellsOf(VALUE_SIZE_CELLS, 1);
}

function cellsOf(index: u32, otherwise: u32): u32 {
  const count = valueNumber(index, <u64>otherwise);
  return count <= <u64>CELLS_MAX ? <u32>count : 0;
}
