// The hypervisor stored to a page that is read-only for it. If the page is one of its translation tables, the store is
// checked and performed here, whole or not at all; if the page has become its own meanwhile, it stores again.

import { PAGE_FREE, PAGE_GUEST, PAGE_STAGE1_TABLE, PAGE_STAGE2_TABLE } from "../../../abi/pages";
import { PAGE_SIZE } from "../arm/page-tables.gen";
import { lock, readPhysical32, readPhysical64, unlock } from "../hw";
import { LOCK_MEMORY, machine, storeUndo, treeWalk } from "../storage";
import { publishTableStores } from "../trace/status";
import { isRam, pageState, tableLevel } from "./pages";
import { isRoot, releaseRoot } from "./roots";
import { isRemovable, storeStage1 } from "./stage1-store";
import { storeStage2 } from "./stage2-store";
import { Store } from "./store-instruction";
import { isExecutable, isValid, isWritable } from "./table-entries";
import { NOT_MAPPED, translateEl2 } from "./translate";

/** The store is done. */
export const STORE_DONE: u32 = 0;
/** Nothing keeps the hypervisor from storing by itself now. */
export const STORE_AGAIN: u32 = 1;
/** Not allowed: nothing has changed. */
export const STORE_REFUSED: u32 = 2;
/** The page is the hypervisor's own, and read-only because it wants it so: a fault like any other. */
export const STORE_ITS_OWN_FAULT: u32 = 3;

const ENTRY_SIZE: u64 = 8;
const INSTRUCTION_SIZE: u64 = 4;
const BITS_PER_BYTE: u64 = 8;
const HALF_BITS: u64 = 32;

/** The instruction at `va`, if EL2 may execute it: its page is text, which nobody writes; else 0, which is none. */
export function fetchEl2(va: u64): u32 {
  lock(LOCK_MEMORY);
  const pa = translateEl2(va);
  const isFetched =
    pa !== NOT_MAPPED && va % INSTRUCTION_SIZE === 0 && isRam(pa) && isExecutable(treeWalk().entry);
  const instruction = isFetched ? readPhysical32(pa) : 0;
  unlock(LOCK_MEMORY);
  return instruction;
}

/** Performs `it`, an outcome of STORE_*. */
export function storeToTable(it: Store): u32 {
  lock(LOCK_MEMORY);
  const outcome = storeAll(it);
  unlock(LOCK_MEMORY);
  return outcome;
}

function storeAll(it: Store): u32 {
  const pa = translateEl2(it.va);
  const size = it.size * <u64>it.count;
  if (pa === NOT_MAPPED || !isRam(pa) || (pa % PAGE_SIZE) + size > PAGE_SIZE || pa % it.size !== 0)
    return STORE_REFUSED;
  const state = pageState(pa);
  const isWritableNow = isWritable(treeWalk().entry);
  if (state === PAGE_FREE || state === PAGE_GUEST) return isWritableNow ? STORE_AGAIN : STORE_ITS_OWN_FAULT;
  const pagePa = pa - (pa % PAGE_SIZE);
  if (isRoot(pagePa) && releaseRoot(pagePa)) return STORE_AGAIN; // an old one that is nobody's root any more
  joinHalves(it, pa);
  if (it.count > 1 && !isWhole(state, pa, it)) return STORE_REFUSED;
  for (let done: u32 = 0; done < it.count; done++) {
    const at = pa + <u64>done * it.size;
    const entryPa = at - (at % ENTRY_SIZE);
    store<u64>(storeUndo(done), readPhysical64(entryPa));
    if (storeEntry(state, entryPa, merged(entryPa, at, it, done))) continue;
    undo(state, pa, it, done);
    return STORE_REFUSED;
  }
  machine().tableStores++;
  publishTableStores();
  return STORE_DONE;
}

/** A pair of words that fill one entry is one store of it. */
function joinHalves(it: Store, pa: u64): void {
  if (it.count !== 2 || it.size * 2 !== ENTRY_SIZE || pa % ENTRY_SIZE !== 0) return;
  it.first = <u64>(<u32>it.first) | (it.second << HALF_BITS);
  it.size = ENTRY_SIZE;
  it.count = 1;
}

/**
 * Whether a store of several entries is performed whole or leaves everything as it was. One that only removes is refused nowhere. One that
 * only adds can be: what it has added until then is removed again, which nobody can prevent. What is removed could not be put back so: once
 * a table is unlinked, other cores write it.
 */
function isWhole(state: u32, pa: u64, it: Store): bool {
  const level = tableLevel(pa - (pa % PAGE_SIZE));
  let onlyAdds = true;
  let onlyRemoves = true;
  for (let index: u32 = 0; index < it.count; index++) {
    const at = pa + <u64>index * it.size;
    const entryPa = at - (at % ENTRY_SIZE);
    const old = readPhysical64(entryPa);
    if (isValid(old)) onlyAdds = false;
    const isKept = state === PAGE_STAGE1_TABLE && !isRemovable(old, level);
    if (isKept || isValid(merged(entryPa, at, it, index))) onlyRemoves = false;
  }
  return onlyAdds || onlyRemoves;
}

function storeEntry(state: u32, entryPa: u64, value: u64): bool {
  if (state === PAGE_STAGE1_TABLE) return storeStage1(entryPa, value);
  return state === PAGE_STAGE2_TABLE && storeStage2(entryPa, value);
}

/** The entry as it will be: a store narrower than an entry changes a part of it. */
function merged(entryPa: u64, at: u64, it: Store, index: u32): u64 {
  let value: u64 = 0;
  if (index === 0) value = it.first;
  else if (index === 1) value = it.second;
  if (it.size === ENTRY_SIZE) return value;
  const shift = (at - entryPa) * BITS_PER_BYTE;
  const mask = (((<u64>1) << (it.size * BITS_PER_BYTE)) - 1) << shift;
  return (readPhysical64(entryPa) & ~mask) | ((value << shift) & mask);
}

/** Removes what was added before the refused entry: all of them were invalid, and an invalid one is never refused. */
function undo(state: u32, pa: u64, it: Store, count: u32): void {
  for (let index = count; index > 0; index--) {
    const at = pa + <u64>(index - 1) * it.size;
    storeEntry(state, at - (at % ENTRY_SIZE), load<u64>(storeUndo(index - 1)));
  }
}
