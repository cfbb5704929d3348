// The output area, filled from its start. A first run only counts, so that nothing is written of a tree that has no
// room; the second writes, and not a byte behind the area even if the two should differ.

import { COMPARTMENT_WINDOW_PTR } from "../../abi/compartments";

@unmanaged
class Output {
  /** In linear memory. */
  areaPtr: usize;
  capacity: u32;
  size: u32;
  isCounting: bool;
}

const OUTPUT: usize = memory.data(16, 8);
const ZEROS: usize = memory.data(8, 8);

function output(): Output {
  return changetype<Output>(OUTPUT);
}

export function beginCounting(): void {
  output().size = 0;
  output().isCounting = true;
}

/** Both are within the window. */
export function beginWriting(windowOffset: u32, capacity: u32): void {
  output().areaPtr = <usize>(COMPARTMENT_WINDOW_PTR + windowOffset);
  output().capacity = capacity;
  output().size = 0;
  output().isCounting = false;
}

export function outputSize(): u32 {
  return output().size;
}

export function put(ptr: usize, size: u32): void {
  const out = output();
  if (!out.isCounting) {
    if (size > out.capacity || out.size > out.capacity - size) return;
    memory.copy(out.areaPtr + <usize>out.size, ptr, <usize>size);
  }
  out.size += size;
}

/** Zeros up to a multiple of `alignment`, a power of two that is at most 8. */
export function align(alignment: u32): void {
  put(ZEROS, -output().size & (alignment - 1));
}

/** Big-endian. */
export function putWord(word: u32): void {
  put(ZEROS, 4);
  patchWord(output().size - 4, word);
}

/** What was put at `offset` before. */
export function patchWord(offset: u32, word: u32): void {
  const out = output();
  if (out.isCounting || out.size < 4 || offset > out.size - 4) return;
  store<u32>(out.areaPtr + <usize>offset, bswap<u32>(word));
}
