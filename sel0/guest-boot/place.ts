// Where the guest can have its new tree: where the old one is, if it ends in the same page and nothing is known to be
// there, or else at the first place in a bank behind something that is taken. What is taken is all that a loader can have
// put there by Linux's arm64 boot protocol: kernel, initrd, tree, and memory that the tree reserves. Of a first
// instruction that does not begin a Linux Image nobody can tell how large its program is: then there is no other place.

import { reservationAddress, reservationCount, reservationSize, totalSize } from "./header";
import { initrdEnd, initrdStart, isInitrdKnown } from "./initrd";
import { entryBytesPtr, entryIpa, treeIpa } from "./message";
import { addTaken, bankCount, bankStart, isInBank, isUntaken, takenCount, takenEnd } from "./ranges";

/** No IPA of a tree: it is not aligned. */
export const NO_PLACE: u64 = u64.MAX_VALUE;

const PAGE_MASK: u64 = 0xfff;
/** Linux's arm64 boot protocol wanted a tree not to cross such a boundary until 4.2. */
const BLOCK_MASK: u64 = 0x1fffff;

// Linux's Image header (Documentation/arch/arm64/booting.rst, section 4): little-endian.
const IMAGE_SIZE_OFFSET: usize = 16;
const IMAGE_MAGIC_OFFSET: usize = 56;
const IMAGE_MAGIC: u32 = 0x644d5241; // "ARM\x64"

export function choosePlace(newSize: u32): u64 {
  noteTaken();
  const oldEnd = treeIpa() + <u64>totalSize();
  const newEnd = treeIpa() + <u64>newSize;
  if (newEnd <= oldEnd) return treeIpa();
  if (newEnd <= pageEnd(oldEnd) && isUntaken(oldEnd, newEnd)) return treeIpa();
  if (kernelSize() === 0) return NO_PLACE;
  const treeStart = treeIpa() & ~PAGE_MASK;
  addTaken(treeStart, pageEnd(oldEnd) - treeStart);
  return firstFree(pageEnd(<u64>newSize));
}

function noteTaken(): void {
  if (isInitrdKnown()) addTaken(initrdStart(), initrdEnd() - initrdStart());
  addTaken(entryIpa(), kernelSize());
  const count = reservationCount();
  for (let index: u32 = 0; index < count; index++)
    addTaken(reservationAddress(index), reservationSize(index));
}

/** With its BSS; 0 if it is unknown, as also before Linux 3.17. */
function kernelSize(): u64 {
  if (load<u32>(entryBytesPtr() + IMAGE_MAGIC_OFFSET) !== IMAGE_MAGIC) return 0;
  return load<u64>(entryBytesPtr() + IMAGE_SIZE_OFFSET);
}

/** Behind what was noted last: that is the old tree, behind which libxl puts nothing. Then the others, then the banks. */
function firstFree(size: u64): u64 {
  for (let index = takenCount(); index > 0; index--) {
    const place = placeFrom(takenEnd(index - 1), size);
    if (place !== NO_PLACE) return place;
  }
  for (let index: u32 = 0; index < bankCount(); index++) {
    const place = placeFrom(bankStart(index), size);
    if (place !== NO_PLACE) return place;
  }
  return NO_PLACE;
}

function placeFrom(ipa: u64, size: u64): u64 {
  let start = pageEnd(ipa);
  const blockEnd = (start | BLOCK_MASK) + 1;
  if (start + size > blockEnd) start = blockEnd;
  return isInBank(start, start + size) && isUntaken(start, start + size) ? start : NO_PLACE;
}

function pageEnd(ipa: u64): u64 {
  return (ipa + PAGE_MASK) & ~PAGE_MASK;
}
