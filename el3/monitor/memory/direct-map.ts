// The hypervisor's direct map: all of its RAM, writable, at VA = PA + directMapOffset. At lockdown its last level is replaced by tables of
// the monitor's own, one entry a page, so that any page can be made read-only later by one store that changes
// a permission and nothing else: no break-before-make is needed while cores run (Arm ARM, D8.16.1). One array of entries, in the
// order of the pages; the hypervisor reads through it and can never write it, since the pool is not mapped.

import { PAGE_SHIFT, PAGE_SIZE, STAGE1_AP_READ_ONLY, STAGE1_VALID } from "../arm/page-tables.gen";
import { protectFromDma, releaseToDma } from "../dma/protect";
import { cleanInvalidateRange, dsbSy, readPhysical64, tlbiAlle2is, tlbiVae2is, writePhysical64 } from "../hw";
import { machine } from "../storage";

const ENTRY_SHIFT: u64 = 3;

/** PA of the entry that maps the page at `pa` for EL2; `pa` is RAM of the hypervisor. */
export function directMapEntryPa(pa: u64): u64 {
  const it = machine();
  return it.directMapTablesPa + (((pa - it.ramPa) >> PAGE_SHIFT) << ENTRY_SHIFT);
}

export function directMapVa(pa: u64): u64 {
  return pa + machine().directMapOffset;
}

/** Whether `va` is where the direct map has `pa`. */
export function isDirectMap(va: u64, pa: u64): bool {
  return va === directMapVa(pa);
}

/** Nobody but the monitor writes the page from here on, and what EL3 reads of it is what all others read. */
export function makeReadOnly(pa: u64): void {
  const entryPa = directMapEntryPa(pa);
  const entry = readPhysical64(entryPa);
  if ((entry & STAGE1_VALID) !== 0) writePhysical64(entryPa, entry | STAGE1_AP_READ_ONLY);
  dsbSy();
  tlbiVae2is(directMapVa(pa) >> PAGE_SHIFT);
  dsbSy();
  settle(pa);
}

/**
 * No core stores to the page any more. Devices stop as well; then lines that the caches still have of it go: what was written past them, without
 * caching, is what a walk or a fetch would find one day, and so what EL3 must look at.
 */
export function settle(pa: u64): void {
  protectFromDma(pa);
  cleanInvalidateRange(pa, PAGE_SIZE);
}

/** A page without protection: more access needs no maintenance, a TLB that still says less faults and asks again. */
export function makeWritable(pa: u64): void {
  const entryPa = directMapEntryPa(pa);
  const entry = readPhysical64(entryPa);
  if ((entry & STAGE1_VALID) !== 0) writePhysical64(entryPa, entry & ~STAGE1_AP_READ_ONLY);
  dsbSy();
  tlbiVae2is(directMapVa(pa) >> PAGE_SHIFT);
  releaseToDma(pa);
  dsbSy();
}

/** For EL2 the page is not there. The TLBs still have it until `forgetDirectMap`. */
export function hidePage(pa: u64): void {
  const entryPa = directMapEntryPa(pa);
  writePhysical64(entryPa, readPhysical64(entryPa) & ~STAGE1_VALID);
}

/** It is there again; devices may use it too. What was a hole stays one. */
export function showPage(pa: u64): void {
  const entryPa = directMapEntryPa(pa);
  const entry = readPhysical64(entryPa);
  if (entry !== 0) writePhysical64(entryPa, entry | STAGE1_VALID);
  releaseToDma(pa);
}

/** No TLB has what EL2's tables do not have any more. */
export function forgetDirectMap(): void {
  dsbSy();
  tlbiAlle2is();
  dsbSy();
}
