// Lockdown: the hypervisor's boot is over and no guest has run. Its live stage-1 tables are walked, what may execute is scanned and measured, and
// from here on no translation changes but through the monitor. Whatever is not as it must be stops the machine: nothing untrusted
// has run yet, so that nothing is lost. The other cores are held meanwhile.

import { HARDENING_CALL } from "../../../abi/hardening";
import { PAGE_FREE, PAGE_HYPERVISOR_TEXT, PAGE_STAGE1_TABLE } from "../../../abi/pages";
import {
  INSTRUCTION_SMC,
  INSTRUCTION_SMC_IMM16_SHIFT,
  INSTRUCTION_SMC_MATCH_MASK,
} from "../arm/instructions.gen";
import { PAGE_SIZE, STAGE1_AP_READ_ONLY, STAGE1_CONTIGUOUS } from "../arm/page-tables.gen";
import { dsbSy, fatal, readPhysical32, readSCTLR_EL2, readTCR_EL2, writePhysical64 } from "../hw";
import { findForbidden } from "../measure/forbidden";
import { beginMeasurement, endMeasurement, measurePage } from "../measure/measurement";
import { machine } from "../storage";
import { FATAL_FORBIDDEN_INSTRUCTION, FATAL_STAGE1, FATAL_STAGE1_CONTROL } from "../trace/epitaph";
import { CoreArea } from "../worlds/core-area";
import { isForbiddenDevice } from "./devices";
import { isDirectMap, makeReadOnly, settle } from "./direct-map";
import { buildDirectMap, findDirectMap } from "./direct-map-build";
import { isStage1Format } from "./formats";
import { isRam, mayRetainWritable, pageState, recordTable, recordText, retainWritable } from "./pages";
import { keepEmptyRoot } from "./roots";
import { isTablePlace } from "./stage2-tables";
import { isExecutable, isTableEntry, isWritable, leafPa, leafSize, tablePa } from "./table-entries";
import { beginWalk, enterTable, nextOf, TreeWalk, WALK_END, WALK_ENTRY } from "./tree-walk";

const INSTRUCTION_SIZE: u64 = 4;
/** SMC with bit 15 of its immediate set. */
const HARDENED_SITE: u32 = INSTRUCTION_SMC | (HARDENING_CALL << INSTRUCTION_SMC_IMM16_SHIFT);
const HARDENED_SITE_MASK: u32 = INSTRUCTION_SMC_MATCH_MASK | (HARDENING_CALL << INSTRUCTION_SMC_IMM16_SHIFT);

/** Under LOCK_MEMORY. `rootPa` is what TTBR0_EL2 names on every core. */
export function lockDownMemory(core: CoreArea, rootPa: u64): void {
  examineMemory(core, rootPa);
  machine().stage1RootPa = rootPa;
  findDirectMap(rootPa);
  buildDirectMap(rootPa);
  protectTree(rootPa);
  const emptyRootPa = machine().emptyRootPa;
  machine().emptyRootPa = 0;
  if (emptyRootPa !== 0 && !keepEmptyRoot(emptyRootPa)) fatal(FATAL_STAGE1, emptyRootPa, 0);
  dsbSy();
}

/** Gives tables and text their state; stops the machine at the first thing that is not as it must be. Under LOCK_MEMORY. */
export function examineMemory(core: CoreArea, rootPa: u64): void {
  checkControl();
  recordTree(core, rootPa);
}

function checkControl(): void {
  const sctlr = readSCTLR_EL2();
  const tcr = readTCR_EL2();
  if (!isStage1Format(sctlr, tcr)) fatal(FATAL_STAGE1_CONTROL, sctlr, tcr);
}

/** Gives every table and every executable page its state. No other core runs, and devices are stopped before a page is read. */
function recordTree(core: CoreArea, rootPa: u64): void {
  recordTablePage(rootPa, 0, 0, 0);
  beginMeasurement(core);
  const walk = beginWalk(rootPa, 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    if (isTableEntry(walk.entry, walk.level)) {
      recordTablePage(tablePa(walk.entry), walk.level + 1, walk.address, walk.entryPa);
      enterTable(walk);
    } else {
      recordLeaf(core, walk);
    }
  }
  endMeasurement(core);
}

function recordTablePage(pa: u64, level: u32, base: u64, entryPa: u64): void {
  const isFree = isTablePlace(pa) && pageState(pa) === PAGE_FREE;
  if (!isFree) fatal(FATAL_STAGE1, entryPa, pa);
  settle(pa);
  recordTable(pa, PAGE_STAGE1_TABLE, level, base, 0);
  machine().stage1Tables++;
}

function recordLeaf(core: CoreArea, walk: TreeWalk): void {
  const pa = leafPa(walk.entry, walk.level);
  const size = leafSize(walk.level);
  const it = machine();
  const isPools = pa < it.poolPa + it.poolSize && it.poolPa < pa + size;
  if (isPools || isForbiddenDevice(pa, size)) fatal(FATAL_STAGE1, walk.entryPa, walk.entry);
  if (!isExecutable(walk.entry)) return;
  if (isWritable(walk.entry)) fatal(FATAL_STAGE1, walk.entryPa, walk.entry);
  for (let offset: u64 = 0; offset < size; offset += PAGE_SIZE)
    recordTextPage(core, walk.entryPa, pa + offset);
}

function recordTextPage(core: CoreArea, entryPa: u64, pa: u64): void {
  const isPlace = isTablePlace(pa);
  const state = isPlace ? pageState(pa) : <u32>PAGE_STAGE1_TABLE;
  if (state !== PAGE_FREE && state !== PAGE_HYPERVISOR_TEXT) fatal(FATAL_STAGE1, entryPa, pa);
  settle(pa);
  const offset = findForbidden(pa);
  if (offset >= 0)
    fatal(FATAL_FORBIDDEN_INSTRUCTION, pa + <u64>offset, <u64>readPhysical32(pa + <u64>offset));
  if (state === PAGE_FREE) machine().textPages++;
  recordText(pa);
  measurePage(core, pa);
  machine().hardenedSites += hardenedSitesIn(pa);
}

/** How many writes of translation registers are calls of the monitor. */
function hardenedSitesIn(pa: u64): u64 {
  let sites: u64 = 0;
  for (let offset: u64 = 0; offset < PAGE_SIZE; offset += INSTRUCTION_SIZE)
    if ((readPhysical32(pa + offset) & HARDENED_SITE_MASK) === HARDENED_SITE) sites++;
  return sites;
}

/** Takes every way to write a table or an executable page; counts the other writable mappings. */
function protectTree(rootPa: u64): void {
  makeReadOnly(rootPa);
  const walk = beginWalk(rootPa, 0, 0);
  for (let step = nextOf(walk); step !== WALK_END; step = nextOf(walk)) {
    if (step !== WALK_ENTRY) continue;
    if (!isTableEntry(walk.entry, walk.level)) {
      protectLeaf(walk);
    } else if (tablePa(walk.entry) < machine().poolPa) {
      makeReadOnly(tablePa(walk.entry));
      enterTable(walk);
    }
  }
}

function protectLeaf(walk: TreeWalk): void {
  const pa = leafPa(walk.entry, walk.level);
  let leaf = walk.entry & ~STAGE1_CONTIGUOUS;
  for (let offset: u64 = 0; offset < leafSize(walk.level); offset += PAGE_SIZE) {
    const at = pa + offset;
    if (!isRam(at) || isDirectMap(walk.address + offset, at)) continue;
    if (isExecutable(leaf)) {
      makeReadOnly(at);
    } else if (isWritable(leaf)) {
      if (mayRetainWritable(at)) retainWritable(at);
      else if (leafSize(walk.level) === PAGE_SIZE) leaf |= STAGE1_AP_READ_ONLY;
      else fatal(FATAL_STAGE1, walk.entryPa, walk.entry);
    }
  }
  if (leaf !== walk.entry) writePhysical64(walk.entryPa, leaf);
}
