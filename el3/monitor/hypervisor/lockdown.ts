// The moment from which the hypervisor is not trusted: it loads the first VM's stage-2 root. Every core that is on takes part: one does the
// work, the others are held in the monitor and come out with the monitor's vectors in place.

import { EVENT_DEPRIVILEGED, EVENT_LOCKDOWN, EVENT_MEASURED } from "../../../abi/status";
import { TABLE_OUTPUT_ADDRESS_MASK } from "../arm/page-tables.gen";
import { isEl2 } from "../arm/values";
import { FACTS_HYPERVISOR } from "../attest/facts";
import { installHypervisorVectors, mapHypervisorVectors } from "../exceptions/hypervisor-vectors";
import { mapTrappingVectors } from "../exceptions/trapping-vectors";
import {
  compareAndSwap32,
  dsbSy,
  fatal,
  holdCores,
  icIalluis,
  isb,
  loadAcquire32,
  lock,
  readCNTPCT_EL0,
  readHCR_EL2,
  readMAIR_EL2,
  readSCTLR_EL2,
  readTCR_EL2,
  readTTBR0_EL2,
  readVTCR_EL2,
  readVTTBR_EL2,
  releaseCores,
  storeRelease32,
  tlbiAlle1is,
  tlbiAlle2is,
  unlock,
  waitWhileHeld,
  writeHCR_EL2,
  writeVTTBR_EL2,
} from "../hw";
import { Machine } from "../machine";
import { copyMeasurement, MEASUREMENT_WORDS, measurementWord } from "../measure/measurement";
import { isStage2Format } from "../memory/formats";
import { examineMemory, lockDownMemory } from "../memory/lockdown";
import { CORE_MAX, coreArea, LOCK_MEMORY, machine, machineFacts } from "../storage";
import { FATAL_NO_LOCKDOWN, FATAL_STAGE1, FATAL_STAGE1_CONTROL, FATAL_STAGE2_FORMAT } from "../trace/epitaph";
import { recordEvent } from "../trace/events";
import { publishMeasurement, publishProtection } from "../trace/status";
import { CoreArea } from "../worlds/core-area";
import { emptyVttbr } from "../worlds/normal-world";
import { armAt, stopTimer } from "../worlds/timer";
import { frameOf } from "../worlds/world-context";
import { enforcedHcr, HCR_FORBIDDEN } from "./hcr";

const NOT_YET: u32 = 0;
const UNDER_WAY: u32 = 1;
const DONE: u32 = 2;

function statePtr(): usize {
  return changetype<usize>(machine()) + offsetof<Machine>("lockdown");
}

export function isLockedDown(): bool {
  return machine().lockdown === DONE;
}

/** Returns when it is done, whoever has done it. `vttbr` is the control domain's: the VM that runs first. */
export function lockDown(core: CoreArea, vttbr: u64): void {
  if (compareAndSwap32(statePtr(), NOT_YET, UNDER_WAY) === NOT_YET) {
    const others = othersOf(core);
    if (others !== 0) holdCores(others);
    performLockdown(core, vttbr);
    storeRelease32(statePtr(), DONE);
    if (others !== 0) releaseCores();
  } else {
    while (loadAcquire32(statePtr()) !== DONE) waitWhileHeld(core.index);
  }
  takeControl(core);
}

/** Until lockdown, each core looks so often whether a VM runs already: every 100 ms at 62.5 MHz. */
const WATCH_TICKS: u64 = 6250000;

/** This core is about to enter the hypervisor. */
export function beginWatch(core: CoreArea): void {
  if (!isLockedDown()) armAt(core, readCNTPCT_EL0() + WATCH_TICKS);
}

/** The watch's timer has fired. A hypervisor that loads roots without asking would never come to its lockdown. */
export function watchForVm(core: CoreArea): void {
  const frame = frameOf(changetype<usize>(core));
  if (!isEl2(frame.spsrEl3)) refuseUnasked(core, frame.elrEl3);
  beginWatch(core);
}

/** A VM runs, and nobody has looked at what the hypervisor may execute: that is to be said first. */
function refuseUnasked(core: CoreArea, elr: u64): void {
  lock(LOCK_MEMORY);
  examineMemory(core, readTTBR0_EL2() & TABLE_OUTPUT_ADDRESS_MASK);
  fatal(FATAL_NO_LOCKDOWN, readVTTBR_EL2(), elr);
}

/** From here on this core is under the rules: stage 2 on, exceptions of EL2 past the monitor. */
function takeControl(core: CoreArea): void {
  const it = machine();
  const isSame =
    readSCTLR_EL2() === it.sctlrEl2 &&
    readTCR_EL2() === it.tcrEl2 &&
    readMAIR_EL2() === it.mairEl2 &&
    readVTCR_EL2() === it.vtcrEl2;
  if (!isSame) fatal(FATAL_STAGE1_CONTROL, readSCTLR_EL2(), readTCR_EL2());
  forgetRoot(core);
  writeHCR_EL2(enforcedHcr(readHCR_EL2() & ~HCR_FORBIDDEN));
  stopTimer(core); // the watch is over
  installHypervisorVectors(core);
}

/**
 * The root that a core loaded before lockdown was never checked, and may not be the one that is kept as the empty one: it must be in no
 * register and no TLB. The core that performs the lockdown loads its own afterwards, as one that is checked.
 */
function forgetRoot(core: CoreArea): void {
  writeVTTBR_EL2(emptyVttbr(0));
  isb();
  core.requestedVttbrEl2 = 0;
  tlbiAlle1is(); // each core for itself: until here its walks began at that root
  dsbSy();
  isb();
}

/** This core was asked to wait while another one works (the SGI of `holdCores`). */
export function holdCore(core: CoreArea): void {
  waitWhileHeld(core.index);
  if (isLockedDown()) takeControl(core);
}

/** The other cores that are on, a bit each. */
function othersOf(core: CoreArea): u32 {
  let others: u32 = 0;
  for (let index: u32 = 0; index < CORE_MAX; index++)
    if (index !== core.index && coreArea(index).isOn !== 0) others |= (<u32>1) << index;
  return others;
}

function performLockdown(core: CoreArea, vttbr: u64): void {
  const vtcr = readVTCR_EL2();
  if (!isStage2Format(vtcr)) fatal(FATAL_STAGE2_FORMAT, vtcr, vttbr);
  const ttbr0El2 = readTTBR0_EL2();
  checkCores(ttbr0El2);
  machine().controlDomainVttbr = vttbr;
  machine().sctlrEl2 = readSCTLR_EL2();
  machine().tcrEl2 = readTCR_EL2();
  machine().mairEl2 = readMAIR_EL2();
  machine().vtcrEl2 = vtcr;
  lock(LOCK_MEMORY);
  lockDownMemory(core, ttbr0El2 & TABLE_OUTPUT_ADDRESS_MASK);
  mapTrappingVectors(ttbr0El2);
  mapHypervisorVectors();
  unlock(LOCK_MEMORY);
  dsbSy();
  tlbiAlle2is();
  icIalluis();
  dsbSy();
  isb();
  report(vttbr);
}

/** One set of tables for all cores, and all of them through with their boot. */
function checkCores(ttbr0El2: u64): void {
  for (let index: u32 = 0; index < CORE_MAX; index++) {
    const core = coreArea(index);
    if (core.isOn === 0) continue;
    if (core.ttbr0El2 !== ttbr0El2 || core.hypervisorVbarEl2 !== coreArea(0).hypervisorVbarEl2)
      fatal(FATAL_STAGE1, <u64>index, core.ttbr0El2);
  }
}

function report(vttbr: u64): void {
  const it = machine();
  recordEvent(EVENT_LOCKDOWN, 0, vttbr, it.hardenedSites);
  recordEvent(EVENT_DEPRIVILEGED, 0, it.textPages, it.stage1Tables);
  recordEvent(EVENT_MEASURED, 0, measurementWord(0), measurementWord(1));
  recordEvent(EVENT_MEASURED, 0, measurementWord(2), measurementWord(3));
  for (let index: u32 = 0; index < MEASUREMENT_WORDS; index++)
    publishMeasurement(index, measurementWord(index));
  copyMeasurement(changetype<usize>(machineFacts()) + FACTS_HYPERVISOR); // for evidence
  publishProtection();
}
