// The tree as it came: a copy of its own, as the guest's pages can be changed by others meanwhile, and each byte of them
// is read once. Offsets are in the copy, which is as large as the largest tree; numbers are big-endian (Devicetree
// Specification 0.4, section 5).

import { COMPARTMENT_WINDOW_PTR } from "../../abi/compartments";
import { GUEST_BOOT_TREE_MAX } from "../../abi/guest-boot-compartment";

/** As large as GUEST_BOOT_TREE_MAX, and a word that nothing reads but a mistake. */
const COPY: usize = memory.data(0x10008, 8);

/** `available` is within the window. What a call before left behind that in the copy is no part of the tree (header.ts). */
export function copySource(available: u32): void {
  memory.copy(COPY, <usize>COMPARTMENT_WINDOW_PTR, <usize>min(available, GUEST_BOOT_TREE_MAX));
}

/** Where `size` bytes at `offset` are; the copy's start if they are not in it, which callers have excluded. */
export function sourcePtr(offset: u32, size: u32): usize {
  return isInSource(offset, size) ? COPY + <usize>offset : COPY;
}

export function isInSource(offset: u32, size: u32): bool {
  return size <= GUEST_BOOT_TREE_MAX && offset <= GUEST_BOOT_TREE_MAX - size;
}

export function byteAt(offset: u32): u8 {
  return load<u8>(sourcePtr(offset, 1));
}

export function wordAt(offset: u32): u32 {
  return bswap<u32>(load<u32>(sourcePtr(offset, 4)));
}

export function doubleWordAt(offset: u32): u64 {
  return bswap<u64>(load<u64>(sourcePtr(offset, 8)));
}

/** Whether the `size` bytes at `offset` are the same as those at `ptr`. */
export function sourceEquals(offset: u32, ptr: usize, size: u32): bool {
  return isInSource(offset, size) && memory.compare(sourcePtr(offset, size), ptr, <usize>size) === 0;
}
