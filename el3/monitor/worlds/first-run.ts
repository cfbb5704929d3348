// A VM's first run. Its stage-2 root has been replaced by an empty one, so its first instruction fetch lands here: the TEE is
// created and booted, and only then does the VM go on. The boot can be preempted like any other run of a TEE; the VM
// then faults again on the same instruction and the boot continues.

import { findOrCreateGuest } from "../guests/create";
import { GUEST_STATE_BOOTING, Guest } from "../guests/guest";
import { readELR_EL2, readSPSR_EL2 } from "../hw";
import { teeCoreAt } from "../storage";
import { claimTeeCore, releaseTeeCore } from "./claim";
import { CoreArea } from "./core-area";
import { showNormalWorld } from "./normal-world";
import { resumeTee } from "./preempt";
import { enterTee } from "./switch";
import { frameOf } from "./world-context";

export function startGuest(core: CoreArea): void {
  returnToFault(core);
  const guest = findOrCreateGuest(core.requestedVttbrEl2);
  if (guest === null) {
    showNormalWorld(core); // the pool is exhausted: the VM runs without a TEE
    return;
  }
  const claimed = changetype<Guest>(changetype<usize>(guest));
  if (claimed.state !== GUEST_STATE_BOOTING) {
    core.guest = claimed;
    showNormalWorld(core);
    return;
  }
  const teeCore = teeCoreAt(claimed.slot, 0);
  if (!claimTeeCore(teeCore)) return; // it boots on another core: fault again
  core.guest = claimed;
  if (claimed.state !== GUEST_STATE_BOOTING) {
    releaseTeeCore(teeCore); // it has booted meanwhile
    showNormalWorld(core);
    return;
  }
  if (teeCore.isPreempted !== 0) resumeTee(core, claimed, teeCore);
  else enterTee(core, claimed, teeCore);
}

/** The N world runs its faulting instruction (again) when it is entered next. */
function returnToFault(core: CoreArea): void {
  const frame = frameOf(changetype<usize>(core));
  frame.elrEl3 = readELR_EL2();
  frame.spsrEl3 = readSPSR_EL2();
}
