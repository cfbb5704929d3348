// Bounded preemption: a TEE that does not leave in time is taken off the core at whatever instruction it is. The vCPU is
// shown to the hypervisor as interrupted *at* the SMC instruction: when the normal world executes it again, the TEE goes on.

import { FAULT_STUCK } from "../../../abi/status";
import { stopTee } from "../exceptions/exits";
import { Guest } from "../guests/guest";
import { publishExits } from "../trace/status";
import { isPreemptedCaller, rememberCaller, repeatCall } from "./caller";
import { releaseTeeCore } from "./claim";
import { CoreArea } from "./core-area";
import { markDetached } from "./detached";
import { ExceptionFrame } from "./exception-frame";
import { enterTee, leaveTee } from "./switch";
import { TEE_CORE_CALLED, TEE_CORE_INTERRUPTED, TeeCore } from "./tee-core";
import { setWatched } from "./watch";
import { frameOf } from "./world-context";

/** A TEE that is preempted so often without once leaving by itself has hung: 10 s at 20 ms each. */
const PREEMPTIONS_MAX: u32 = 500;

/** The TEE has stayed too long. Its frame must hold where it was; the normal world's frame becomes the current one. */
export function preemptTee(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  guest.preemptions++;
  teeCore.preemptionsInARow++;
  if (teeCore.preemptionsInARow > PREEMPTIONS_MAX) {
    stopTee(core, guest, teeCore, FAULT_STUCK, frameOf(changetype<usize>(teeCore)).elrEl3);
    return;
  }
  setTeeAside(core, guest, teeCore);
  publishExits(guest);
}

/** Takes the TEE off the core as it is: preempted, yielding, idle, or interrupted where its profile asks for nothing else. */
export function setTeeAside(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  const caller = frameOf(changetype<usize>(core));
  teeCore.isPreempted = 1;
  if (teeCore.activity === TEE_CORE_CALLED && teeCore.isCallerAway === 0) {
    rememberCaller(core, teeCore);
    repeatCall(caller);
    markDetached(guest);
  } else if (teeCore.callFollows !== 0) {
    repeatCall(caller);
  }
  if (teeCore.activity === TEE_CORE_INTERRUPTED) setWatched(guest, teeCore, true); // nobody calls for it
  leaveTee(core, guest, teeCore);
}

/** A call finds its TEE core preempted. */
export function resumeForCall(core: CoreArea, guest: Guest, teeCore: TeeCore, caller: ExceptionFrame): void {
  const isOwn =
    teeCore.activity === TEE_CORE_CALLED && teeCore.isCallerAway === 0 && isPreemptedCaller(teeCore, caller);
  if (!isOwn && teeCore.callFollows === 0) {
    if (teeCore.activity === TEE_CORE_CALLED) {
      if (teeCore.hasHeldAnswer !== 0) {
        repeatCall(caller);
        core.isElsewhere = 0;
        releaseTeeCore(teeCore);
        return; // until the held answer has been fetched
      }
      teeCore.isCallerAway = 1;
    }
    repeatCall(caller);
  }
  resumeTee(core, guest, teeCore);
}

/** The TEE goes on where it was. */
export function resumeTee(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  teeCore.isPreempted = 0;
  enterTee(core, guest, teeCore);
}
