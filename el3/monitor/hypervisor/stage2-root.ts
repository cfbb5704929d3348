// The hypervisor loads a stage-2 root (VTTBR_EL2): to run a VM, or only to flush its VMID from the TLB. From this one event the monitor
// learns of every VM's birth (a root it has not seen, with something in it) and death (a flush of the VMID of a root that was emptied).
// A switch between vCPUs that changes nothing of this comes past here: vcpu-switch.ts.

import { VTTBR_EL2_VMID_MASK } from "../arm/registers.gen";
import { awaitedVttbr, rememberAwaited } from "../guests/awaited";
import { destroyGuest } from "../guests/destroy";
import { Guest } from "../guests/guest";
import { guestWithVmidOf, guestWithVttbr } from "../guests/lookup";
import { forgetRefused, isRefused } from "../guests/refused";
import { showGuest } from "../guests/show";
import { invalidateTlb, rootPaOf, vmidOf } from "../guests/stage2";
import { isb, lock, unlock, writeVBAR_EL2, writeVTTBR_EL2 } from "../hw";
import { admitRoot, boundRootPa, hasNoEntry, releaseRoot } from "../memory/roots";
import { isTablePlace } from "../memory/stage2-tables";
import { LOCK_MEMORY, machine } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { emptyVttbr, hideNormalWorld } from "../worlds/normal-world";
import { watchGuest } from "../worlds/timer";
import { isLockedDown, lockDown } from "./lockdown";

/** False if the hypervisor may not load this value: nothing has changed. */
export function loadStage2Root(core: CoreArea, value: u64): bool {
  // The hypervisor may put back what it read, which is our empty root if the VM still waits for its TEE.
  const vttbr = value === emptyVttbr(value) ? awaitedVttbr(value) : value;
  if (vttbr === 0) requestRoot(core, 0);
  else if (!isAllowed(core, vttbr)) return false;
  core.guest = null;
  const guest = guestWithVttbr(vttbr);
  if (guest !== null) loadGuestRoot(core, guest, vttbr);
  else if (vttbr === 0) load(core, isLockedDown() ? emptyVttbr(0) : 0);
  else if (vttbr === machine().controlDomainVttbr) load(core, vttbr);
  else if (rootPaOf(vttbr) === machine().emptyRootPa || hasNoEntry(rootPaOf(vttbr)))
    loadEmptyRoot(core, vttbr);
  else if (isRefused(vttbr)) load(core, vttbr);
  else awaitTee(core, vttbr);
  return true;
}

/** The first root with something in it is the control domain's: lockdown. From then on a root is checked when it is new. */
function isAllowed(core: CoreArea, vttbr: u64): bool {
  const rootPa = rootPaOf(vttbr);
  if (!isTablePlace(rootPa) || rootPa >= machine().poolPa) return false;
  if (!isLockedDown()) {
    if (hasNoEntry(rootPa)) {
      machine().emptyRootPa = rootPa;
      core.requestedVttbrEl2 = vttbr;
      return true;
    }
    lockDown(core, vttbr);
  }
  lock(LOCK_MEMORY);
  const isAdmitted = admitRoot(vttbr);
  if (isAdmitted) requestRoot(core, vttbr); // before another core can give the root back
  unlock(LOCK_MEMORY);
  return isAdmitted;
}

/** From here on the new root counts as loaded, and the old one is in no register: it may be the hypervisor's memory at once. */
function requestRoot(core: CoreArea, vttbr: u64): void {
  if (isLockedDown()) writeVTTBR_EL2(emptyVttbr(vttbr));
  isb();
  core.requestedVttbrEl2 = vttbr;
}

function loadGuestRoot(core: CoreArea, guest: Guest, vttbr: u64): void {
  const isGone = hasNoEntry(rootPaOf(vttbr)) && destroyGuest(core, guest, vttbr);
  if (isGone) {
    load(core, vttbr); // without an entry, and it gets none while it is loaded
    return;
  }
  if (!showGuest(core, guest, vttbr)) {
    awaitTee(core, vttbr);
    return;
  }
  forgetAwaited(core);
  watchGuest(core, guest);
}

/** A root without entries: the hypervisor's way of loading a VMID only. */
function loadEmptyRoot(core: CoreArea, vttbr: u64): void {
  if ((vttbr & VTTBR_EL2_VMID_MASK) !== 0) {
    forgetRefused(vttbr);
    const guest = guestWithVmidOf(vttbr);
    if (guest !== null) flushGuest(core, guest);
    if (isLockedDown()) releaseEmptied(vttbr);
  }
  load(core, vttbr);
}

/** The N world's translations are flushed: what the S world shares of them goes too, and all of it if the VM is gone. */
function flushGuest(core: CoreArea, guest: Guest): void {
  const vttbr = guest.normalVttbr;
  if (vttbr === 0 || (hasNoEntry(rootPaOf(vttbr)) && destroyGuest(core, guest, vttbr))) return;
  lock(LOCK_MEMORY); // under which teeVttbr is set and cleared: its tables are not another guest's meanwhile
  if (guest.teeVttbr !== 0) invalidateTlb(guest.teeVttbr);
  unlock(LOCK_MEMORY);
}

/** The root that was bound to this VMID is the hypervisor's memory again, if its VM is gone. */
function releaseEmptied(vttbr: u64): void {
  lock(LOCK_MEMORY);
  const boundPa = boundRootPa(vmidOf(vttbr));
  if (boundPa !== 0 && boundPa !== rootPaOf(vttbr)) releaseRoot(boundPa);
  unlock(LOCK_MEMORY);
}

function load(core: CoreArea, vttbr: u64): void {
  writeVTTBR_EL2(vttbr);
  forgetAwaited(core);
}

function forgetAwaited(core: CoreArea): void {
  if (core.awaitsTee === 0) return;
  core.awaitsTee = 0;
  writeVBAR_EL2(core.vbarEl2);
}

/** A VM that has no TEE yet: nothing of its memory is mapped until it has (worlds/first-run.ts). */
function awaitTee(core: CoreArea, vttbr: u64): void {
  core.awaitsTee = 1;
  rememberAwaited(vttbr);
  hideNormalWorld(core);
}
