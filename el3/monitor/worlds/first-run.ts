// A VM's first run. Its stage-2 root has been replaced by an empty one, so its first instruction fetch lands here: the TEE is
// created and booted, and only then does the VM go on. The boot can be preempted like any other run of a TEE; the VM
// then faults again on the same instruction and the boot continues.

import { showTee } from "../guests/boot-tree";
import { findOrCreateGuest } from "../guests/create";
import { Guest, isTeeAwaited } from "../guests/guest";
import { giveKey } from "../guests/key";
import { showGuest } from "../guests/show";
import { readELR_EL2, readSPSR_EL2 } from "../hw";
import { teeCoreAt } from "../storage";
import { claimTeeCore, releaseTeeCore } from "./claim";
import { CoreArea } from "./core-area";
import { showNormalWorld } from "./normal-world";
import { resumeTee } from "./preempt";
import { enterTee } from "./switch";
import { TeeCore } from "./tee-core";
import { frameOf } from "./world-context";

export function startGuest(core: CoreArea): void {
  returnToFault(core);
  const vttbr = core.requestedVttbrEl2;
  const guest = findOrCreateGuest(core, vttbr);
  if (guest === null)
    showNormalWorld(core); // the pool is exhausted: the VM runs without a TEE
  else if (isTeeAwaited(guest)) bootTee(core, guest, vttbr);
  else if (showGuest(core, guest, vttbr)) showNormalWorld(core);
}

/** Nothing happens, and the VM faults again, if the TEE boots on another core, has booted meanwhile, or is gone. */
function bootTee(core: CoreArea, guest: Guest, vttbr: u64): void {
  const teeCore = teeCoreAt(guest.slot, 0);
  if (!claimTeeCore(teeCore)) return;
  if (guest.normalVttbr !== vttbr || !isTeeAwaited(guest)) {
    releaseTeeCore(teeCore);
    return;
  }
  core.guest = guest; // it cannot be destroyed while its core is claimed
  if (teeCore.isPreempted !== 0) resumeTee(core, guest, teeCore);
  else beginTee(core, guest, teeCore, vttbr);
}

/** Once: a boot that has begun is resumed. The key depends on who the guest is, as its device tree says. */
function beginTee(core: CoreArea, guest: Guest, teeCore: TeeCore, vttbr: u64): void {
  showTee(core, guest);
  if (giveKey(core, guest)) {
    enterTee(core, guest, teeCore);
    return;
  }
  releaseTeeCore(teeCore);
  if (showGuest(core, guest, vttbr)) showNormalWorld(core); // without its TEE
}

/** The N world runs its faulting instruction (again) when it is entered next. */
function returnToFault(core: CoreArea): void {
  const frame = frameOf(changetype<usize>(core));
  frame.elrEl3 = readELR_EL2();
  frame.spsrEl3 = readSPSR_EL2();
}
