// Memory of a guest's N world, by its IPAs, for what the monitor itself reads or writes there before the VM runs: through
// the hypervisor's own stage 2, and only pages that are a guest's (abi/pages.ts). Sizes and IPAs are multiples of 8.

import { PAGE_GUEST } from "../../../abi/pages";
import { PAGE_SIZE, STAGE2_S2AP_MASK, STAGE2_S2AP_RO } from "../arm/page-tables.gen";
import { cleanInvalidateRange, dsbSy, lock, readPhysical64, unlock, writePhysical64 } from "../hw";
import { isRam, pageState } from "../memory/pages";
import { isLeaf, leafPa, leafSize } from "../memory/table-entries";
import { NOT_MAPPED } from "../memory/translate";
import { entryPaOf } from "../memory/tree-walk";
import { LOCK_MEMORY, treeWalk } from "../storage";
import { Guest } from "./guest";
import { rootPaOf } from "./stage2";

/** Level 0 to 3 of a 4 KiB granule. */
const IPA_BITS: u64 = 48;
const ALIGNMENT_MASK: u64 = 7;

/** Copies up to `size` bytes from `ipa` to `pa`; answers how many, as far as the VM can read its memory. */
export function copyFromNormalWorld(guest: Guest, ipa: u64, pa: u64, size: u64): u64 {
  if ((ipa & ALIGNMENT_MASK) !== 0) return 0;
  let done: u64 = 0;
  lock(LOCK_MEMORY);
  while (done < size) {
    const fromPa = normalPa(guest, ipa + done, STAGE2_S2AP_RO);
    if (fromPa === NOT_MAPPED) break;
    const length = min(size - done, restOfPage(ipa + done));
    copyWords(pa + done, fromPa, length);
    done += length;
  }
  unlock(LOCK_MEMORY);
  return done;
}

/** All of it or nothing: false, and nothing has changed, if the VM may not write there. It is clean to the PoC then. */
export function copyToNormalWorld(guest: Guest, ipa: u64, pa: u64, size: u64): bool {
  if (((ipa | size) & ALIGNMENT_MASK) !== 0) return false;
  lock(LOCK_MEMORY);
  const isDone = isWritable(guest, ipa, size);
  for (let done: u64 = 0; isDone && done < size; ) {
    const toPa = normalPa(guest, ipa + done, STAGE2_S2AP_MASK);
    const length = min(size - done, restOfPage(ipa + done));
    copyWords(toPa, pa + done, length);
    cleanInvalidateRange(toPa, length); // the VM begins with its caches off
    done += length;
  }
  unlock(LOCK_MEMORY);
  dsbSy();
  return isDone;
}

function isWritable(guest: Guest, ipa: u64, size: u64): bool {
  for (let done: u64 = 0; done < size; done += restOfPage(ipa + done)) {
    if (normalPa(guest, ipa + done, STAGE2_S2AP_MASK) === NOT_MAPPED) return false;
  }
  return true;
}

/** PA behind `ipa`, or NOT_MAPPED if the VM has no RAM there or not this access to it. */
function normalPa(guest: Guest, ipa: u64, access: u64): u64 {
  if (ipa >> IPA_BITS !== 0) return NOT_MAPPED;
  entryPaOf(rootPaOf(guest.normalVttbr), ipa);
  const walk = treeWalk();
  if (!isLeaf(walk.entry, walk.level) || (walk.entry & access) !== access) return NOT_MAPPED;
  const pa = leafPa(walk.entry, walk.level) | (ipa & (leafSize(walk.level) - 1));
  return isRam(pa) && pageState(pa) === PAGE_GUEST ? pa : NOT_MAPPED;
}

function restOfPage(ipa: u64): u64 {
  return PAGE_SIZE - (ipa & (PAGE_SIZE - 1));
}

function copyWords(toPa: u64, fromPa: u64, size: u64): void {
  for (let offset: u64 = 0; offset < size; offset += 8)
    writePhysical64(toPa + offset, readPhysical64(fromPa + offset));
}
