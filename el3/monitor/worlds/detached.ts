// Calls that their callers have left: preempted, or answered while the caller was away. A guest kernel may go on with such a caller on another
// vCPU; the call is then looked for in all cores of its TEE and goes on there, on this vCPU's physical core.

import { Guest } from "../guests/guest";
import { dsbSy } from "../hw";
import { teeCoreAt } from "../storage";
import { isAwaitedCaller, isPreemptedCaller } from "./caller";
import { ExceptionFrame } from "./exception-frame";
import { TEE_CORE_CALLED, TeeCore } from "./tee-core";

function isDetached(teeCore: TeeCore): bool {
  if (teeCore.hasHeldAnswer !== 0 || teeCore.isCallerAway !== 0) return true;
  return teeCore.isPreempted !== 0 && teeCore.activity === TEE_CORE_CALLED;
}

/** After the TEE core's own words say so: the guest's callers are looked for from now on. */
export function markDetached(guest: Guest): void {
  dsbSy();
  guest.hasDetached = 1;
}

/** The TEE core that holds this caller's call or answer, or null. The claim is not held: the caller of this checks again. */
export function detachedCoreOf(guest: Guest, caller: ExceptionFrame): TeeCore | null {
  let found: TeeCore | null = null;
  if (!scan(guest)) return null;
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    const teeCore = teeCoreAt(guest.slot, index);
    if (!isDetached(teeCore)) continue;
    if (isAwaitedCaller(teeCore, caller) || isPreemptedCaller(teeCore, caller)) found = teeCore;
  }
  return found;
}

/** Clears the guest's mark if no core is detached. Cleared before the look, so that a mark set meanwhile is not lost. */
function scan(guest: Guest): bool {
  guest.hasDetached = 0;
  dsbSy();
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    if (!isDetached(teeCoreAt(guest.slot, index))) continue;
    guest.hasDetached = 1;
    return true;
  }
  return false;
}
