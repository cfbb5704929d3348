// The hypervisor loads a stage-2 root (VTTBR_EL2): to run a VM, or only to flush its VMID from the TLB. From this one event the monitor
// learns of every VM's birth (a root it has not seen, with something in it) and death (a flush of the VMID of a root that was emptied).

import { EVENT_LOCKDOWN, EVENT_VIOLATION } from "../../../abi/status";
import {
  VTCR_EL2_SL0_LEVEL_0,
  VTCR_EL2_SL0_MASK,
  VTCR_EL2_TG0_K4,
  VTCR_EL2_TG0_MASK,
  VTTBR_EL2_VMID_MASK,
} from "../arm/registers.gen";
import { mapTrappingVectors } from "../exceptions/trapping-vectors";
import { awaitedVttbr, rememberAwaited } from "../guests/awaited";
import { destroyGuest, isRootEmpty } from "../guests/destroy";
import { GUEST_STATE_BOOTING, Guest } from "../guests/guest";
import { isTablePa } from "../guests/hypervisor-memory";
import { guestWithVmidOf, guestWithVttbr } from "../guests/lookup";
import { forgetRefused, isRefused } from "../guests/refused";
import { invalidateTlb, rootPaOf } from "../guests/stage2";
import { fatal, readPhysical64, readTTBR0_EL2, readVTCR_EL2, writeVBAR_EL2, writeVTTBR_EL2 } from "../hw";
import { CORE_MAX, coreArea, machine, teeCoreAt } from "../storage";
import { FATAL_STAGE2_FORMAT } from "../trace/epitaph";
import { recordEvent } from "../trace/events";
import { CoreArea } from "../worlds/core-area";
import { emptyVttbr, hideNormalWorld } from "../worlds/normal-world";
import { retryTimer } from "../worlds/timer";

/** The stage-2 format that the monitor shares tables of: walks from level 0, 4 KiB granule. */
const VTCR_LEVEL0_4K: u64 = VTCR_EL2_SL0_LEVEL_0 | VTCR_EL2_TG0_K4;
const TABLE_SIZE: u64 = 0x1000;
/** Argument 0 of EVENT_VIOLATION: a stage-2 root outside RAM. */
const VIOLATION_STAGE2_ROOT: u64 = 1;

export function loadStage2Root(core: CoreArea, value: u64): void {
  // The hypervisor may put back what it read, which is our empty root if the VM still waits for its TEE.
  const vttbr = value === emptyVttbr(value) ? awaitedVttbr(value) : value;
  if (vttbr !== 0 && !isTablePa(rootPaOf(vttbr))) {
    recordEvent(EVENT_VIOLATION, 0, VIOLATION_STAGE2_ROOT, vttbr);
    core.guest = null;
    load(core, emptyVttbr(vttbr)); // that VMID maps nothing
    return;
  }
  core.requestedVttbrEl2 = vttbr;
  core.guest = null;
  const guest = guestWithVttbr(vttbr);
  if (guest !== null) loadGuestRoot(core, guest, vttbr);
  else if (vttbr === 0 || vttbr === machine().controlDomainVttbr) load(core, vttbr);
  else if (isEmptyRoot(rootPaOf(vttbr))) loadEmptyRoot(core, vttbr);
  else if (machine().controlDomainVttbr === 0) lockDown(core, vttbr);
  else if (isRefused(vttbr)) load(core, vttbr);
  else awaitTee(core, vttbr);
}

function loadGuestRoot(core: CoreArea, guest: Guest, vttbr: u64): void {
  if (isRootEmpty(guest)) {
    destroyGuest(guest);
    load(core, vttbr);
    return;
  }
  if (guest.vectorTableVa === 0 && guest.state === GUEST_STATE_BOOTING) {
    awaitTee(core, vttbr); // its boot was preempted
    return;
  }
  core.guest = guest;
  load(core, vttbr);
  if (isWatched(guest)) retryTimer(core);
}

function isWatched(guest: Guest): bool {
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    if (teeCoreAt(guest.slot, index).isWatched !== 0) return true;
  }
  return false;
}

/** A root without entries: the hypervisor's way of loading a VMID only. */
function loadEmptyRoot(core: CoreArea, vttbr: u64): void {
  if ((vttbr & VTTBR_EL2_VMID_MASK) !== 0) {
    forgetRefused(vttbr);
    const guest = guestWithVmidOf(vttbr);
    if (guest !== null) flushGuest(guest);
  }
  load(core, vttbr);
}

/** The N world's translations are flushed: what the S world shares of them goes too, and all of it if the VM is gone. */
function flushGuest(guest: Guest): void {
  if (isRootEmpty(guest)) destroyGuest(guest);
  else invalidateTlb(guest.teeVttbr);
}

function load(core: CoreArea, vttbr: u64): void {
  writeVTTBR_EL2(vttbr);
  if (core.awaitsTee === 0) return;
  core.awaitsTee = 0;
  writeVBAR_EL2(core.hypervisorVbarEl2);
}

/** The first VM of all, the control domain, which has no TEE: the hypervisor's own boot is over. */
function lockDown(core: CoreArea, vttbr: u64): void {
  const vtcr = readVTCR_EL2();
  if ((vtcr & (VTCR_EL2_SL0_MASK | VTCR_EL2_TG0_MASK)) !== VTCR_LEVEL0_4K)
    fatal(FATAL_STAGE2_FORMAT, vtcr, vttbr);
  machine().controlDomainVttbr = vttbr;
  for (let index: u32 = 0; index < CORE_MAX; index++) {
    const ttbr0El2 = coreArea(index).ttbr0El2;
    if (ttbr0El2 !== 0) mapTrappingVectors(ttbr0El2);
  }
  mapTrappingVectors(readTTBR0_EL2());
  recordEvent(EVENT_LOCKDOWN, 0, vttbr, 0);
  load(core, vttbr);
}

/** A VM that has no TEE yet: nothing of its memory is mapped until it has (worlds/first-run.ts). */
function awaitTee(core: CoreArea, vttbr: u64): void {
  core.awaitsTee = 1;
  rememberAwaited(vttbr);
  hideNormalWorld(core);
}

/** The hypervisor keeps one empty root for all VMs; once found it is known by its address. */
function isEmptyRoot(rootPa: u64): bool {
  if (rootPa === machine().emptyRootPa && readPhysical64(rootPa) === 0) return true;
  for (let offset: u64 = 0; offset < TABLE_SIZE; offset += 8) {
    if (readPhysical64(rootPa + offset) !== 0) return false;
  }
  machine().emptyRootPa = rootPa;
  return true;
}
