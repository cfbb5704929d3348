// TEE cores that have to be entered without a call: their timer is armed, or the service of an interrupt was set aside. A guest's record
// says when the first of them is due, since that is looked at whenever a vCPU of it is loaded.

import { Guest } from "../guests/guest";
import { dsbSy } from "../hw";
import { teeCoreAt } from "../storage";
import { TEE_CORE_INTERRUPTED, TeeCore } from "./tee-core";

/** Of Guest.watchTicks: no TEE core is watched. */
export const WATCH_NEVER: u64 = 0;
const WATCH_AT_ONCE: u64 = 1;

/** Sets whether a TEE core is watched, whose timer may have changed. Under its claim. */
export function setWatched(guest: Guest, teeCore: TeeCore, isWatched: bool): void {
  dsbSy(); // when it is due is seen before it is watched
  teeCore.isWatched = isWatched ? 1 : 0;
  // Others may do the same: whoever stores last has then seen what everybody has changed.
  let first: u64;
  do {
    first = firstDue(guest);
    guest.watchTicks = first;
    dsbSy();
  } while (firstDue(guest) !== first);
}

function firstDue(guest: Guest): u64 {
  let first = WATCH_NEVER;
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    const teeCore = teeCoreAt(guest.slot, index);
    if (teeCore.isWatched === 0) continue;
    const isSetAside = teeCore.activity === TEE_CORE_INTERRUPTED;
    const ticks = isSetAside || teeCore.timerDueTicks === 0 ? WATCH_AT_ONCE : teeCore.timerDueTicks;
    if (first === WATCH_NEVER || ticks < first) first = ticks;
  }
  return first;
}
