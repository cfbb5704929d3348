// The hypervisor's store to an entry of a live stage-1 table of EL2: check, then perform. What Xen does after its boot is little: it maps and
// unmaps pages and blocks of its virtual areas, links empty tables there, and takes its initialisation code away.

import { PAGE_HYPERVISOR_TEXT, PAGE_STAGE1_TABLE } from "../../../abi/pages";
import { PAGE_SHIFT, PAGE_SIZE, STAGE1_CONTIGUOUS, TABLE_ENTRIES } from "../arm/page-tables.gen";
import { dsbSy, readPhysical64, tlbiAlle2is, tlbiVae2is, writePhysical64 } from "../hw";
import { machine } from "../storage";
import { publishProtection } from "../trace/status";
import { isForbiddenDevice } from "./devices";
import { isDirectMap } from "./direct-map";
import {
  isRam,
  isTaken,
  mayRetainWritable,
  pageState,
  protectTable,
  references,
  releaseText,
  releaseWritable,
  retainWritable,
  tableBase,
  tableLevel,
  unprotectTable,
} from "./pages";
import { isTablePlace } from "./stage2-tables";
import {
  isAlignedLeaf,
  isExecutable,
  isReserved,
  isTableEntry,
  isValid,
  isWritable,
  leafPa,
  leafSize,
  levelShift,
  tablePa,
} from "./table-entries";

const ENTRY_SIZE: u64 = 8;
const TABLE_SIZE: u64 = TABLE_ENTRIES * ENTRY_SIZE;

/** False: refused, nothing has changed. */
export function storeStage1(entryPa: u64, wanted: u64): bool {
  const pagePa = entryPa & ~(TABLE_SIZE - 1);
  const level = tableLevel(pagePa);
  const address = tableBase(pagePa) + (((entryPa - pagePa) / ENTRY_SIZE) << levelShift(level));
  const old = readPhysical64(entryPa);
  const value = isValid(wanted) ? wanted & ~STAGE1_CONTIGUOUS : wanted;
  if (value === old) return true;
  if (isReserved(value, level) || isMonitors(old, level)) return false;
  if (isTableEntry(old, level)) return replaceTable(entryPa, old, value, level);
  if (isTableEntry(value, level)) return linkTable(entryPa, old, value, level, address);
  return storeLeaf(entryPa, old, value, level, address);
}

/** An entry through which the monitor's own tables hang: the trapping vectors, the direct map. */
function isMonitors(entry: u64, level: u32): bool {
  return isTableEntry(entry, level) && tablePa(entry) >= machine().poolPa;
}

function storeLeaf(entryPa: u64, old: u64, value: u64, level: u32, address: u64): bool {
  if (isValid(value) && !mayMap(old, value, level, address)) return false;
  if (isValid(value) && isExecutable(value)) return rewriteText(entryPa, value, level, address);
  if (isValid(old)) {
    writePhysical64(entryPa, isValid(value) ? 0 : value);
    invalidate(level, address);
    release(old, level, address);
    if (isExecutable(old)) publishProtection();
  }
  if (isValid(value)) retain(value, level, address);
  if (isValid(value) || !isValid(old)) writePhysical64(entryPa, value);
  dsbSy();
  return true;
}

/** The same text, mapped with other attributes: it stays text, its one mapping counted as it was. */
function rewriteText(entryPa: u64, value: u64, level: u32, address: u64): bool {
  writePhysical64(entryPa, 0);
  invalidate(level, address);
  writePhysical64(entryPa, value);
  dsbSy();
  return true;
}

/** Whether an entry may be made invalid whatever else there is: a table must be empty for it, and not the monitor's. */
export function isRemovable(old: u64, level: u32): bool {
  return !isTableEntry(old, level);
}

/** Nothing executable is added; nothing protected becomes writable; nothing of the monitor's or of a TEE's is named. */
function mayMap(old: u64, value: u64, level: u32, address: u64): bool {
  if (!isAlignedLeaf(value, level)) return false;
  const pa = leafPa(value, level);
  const size = leafSize(level);
  if (isForbiddenDevice(pa, size)) return false;
  if (isExecutable(value) && !isSameText(old, value, level)) return false;
  for (let offset: u64 = 0; offset < size; offset += PAGE_SIZE) {
    const at = pa + offset;
    if (!isRam(at)) continue;
    if (at >= machine().poolPa) return false;
    if (isDirectMap(address + offset, at) || isTaken(at)) return false; // the direct map is the monitor's to change
    if (isWritable(value) && !mayRetainWritable(at) && !losesLastText(at, old, level)) return false;
  }
  return true;
}

/** An executable leaf may only be written again as it is: other attributes, read-only. */
function isSameText(old: u64, value: u64, level: u32): bool {
  return (
    isValid(old) && isExecutable(old) && !isWritable(value) && leafPa(old, level) === leafPa(value, level)
  );
}

/** Xen makes its initialisation code writable in place before it gives it away: a page at a time, each mapped once. */
function losesLastText(pa: u64, old: u64, level: u32): bool {
  return (
    isValid(old) &&
    isExecutable(old) &&
    leafSize(level) === PAGE_SIZE &&
    leafPa(old, level) === pa &&
    pageState(pa) === PAGE_HYPERVISOR_TEXT &&
    references(pa) === 1
  );
}

/** Counts the writable mappings of RAM beside the direct map. */
function retain(leaf: u64, level: u32, address: u64): void {
  if (!isWritable(leaf)) return;
  const pa = leafPa(leaf, level);
  for (let offset: u64 = 0; offset < leafSize(level); offset += PAGE_SIZE) {
    const at = pa + offset;
    if (isRam(at) && !isDirectMap(address + offset, at)) retainWritable(at);
  }
}

/** `leaf` is gone, from the TLBs as well. */
function release(leaf: u64, level: u32, address: u64): void {
  const pa = leafPa(leaf, level);
  for (let offset: u64 = 0; offset < leafSize(level); offset += PAGE_SIZE) {
    const at = pa + offset;
    if (!isRam(at)) continue;
    if (isExecutable(leaf)) releaseText(at);
    else if (isWritable(leaf) && !isDirectMap(address + offset, at)) releaseWritable(at);
  }
}

/** A new table must be empty: Xen clears a page, links it, then fills it, and we see every entry. */
function linkTable(entryPa: u64, old: u64, value: u64, level: u32, address: u64): bool {
  const childPa = tablePa(value);
  if (isValid(old) || !isTablePlace(childPa)) return false;
  if (!protectTable(childPa, PAGE_STAGE1_TABLE, level + 1, address, 0)) return false;
  if (!isEmpty(childPa)) {
    unprotectTable(childPa);
    return false;
  }
  machine().stage1Tables++;
  writePhysical64(entryPa, value);
  dsbSy();
  publishProtection();
  return true;
}

/** A table stays, with other attributes, or goes, empty. */
function replaceTable(entryPa: u64, old: u64, value: u64, level: u32): bool {
  const childPa = tablePa(old);
  if (isTableEntry(value, level) && tablePa(value) === childPa) {
    writePhysical64(entryPa, value);
    dsbSy();
    return true;
  }
  if (isValid(value) || !isEmpty(childPa)) return false;
  writePhysical64(entryPa, value);
  dsbSy();
  tlbiAlle2is(); // cached walks through the table as well
  dsbSy();
  machine().stage1Tables--;
  unprotectTable(childPa);
  publishProtection();
  return true;
}

function isEmpty(pa: u64): bool {
  for (let offset: u64 = 0; offset < TABLE_SIZE; offset += ENTRY_SIZE)
    if (isValid(readPhysical64(pa + offset))) return false;
  return true;
}

function invalidate(level: u32, address: u64): void {
  dsbSy();
  if (leafSize(level) === PAGE_SIZE) tlbiVae2is(address >> PAGE_SHIFT);
  else tlbiAlle2is();
  dsbSy();
}
