// A guest's own root takes effect on a core: from here on its VM runs there, and its calls go to its TEE.

import { isb, lock, unlock, writeVTTBR_EL2 } from "../hw";
import { boundRootPa } from "../memory/roots";
import { LOCK_MEMORY } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { GUEST_STATE_NONE, Guest, isTeeAwaited } from "./guest";
import { rootPaOf, vmidOf } from "./stage2";

/**
 * Loads `vttbr`, if it is (still) that of this guest and the guest's TEE has booted. Under the lock, with which guests are published and taken
 * back, and roots released. False: nothing has changed.
 */
export function showGuest(core: CoreArea, guest: Guest, vttbr: u64): bool {
  lock(LOCK_MEMORY);
  const isIts = guest.normalVttbr === vttbr && guest.state !== GUEST_STATE_NONE && !isTeeAwaited(guest);
  if (isIts) {
    loadRequested(core, vttbr);
    core.guest = guest;
  }
  unlock(LOCK_MEMORY);
  return isIts;
}

/** Loads a root without a guest that is bound to its VMID already. False: it is not, and nothing has changed. */
export function showBoundRoot(core: CoreArea, vttbr: u64): bool {
  lock(LOCK_MEMORY);
  const isBound = boundRootPa(vmidOf(vttbr)) === rootPaOf(vttbr);
  if (isBound) {
    loadRequested(core, vttbr);
    core.guest = null;
  }
  unlock(LOCK_MEMORY);
  return isBound;
}

function loadRequested(core: CoreArea, vttbr: u64): void {
  writeVTTBR_EL2(vttbr);
  isb(); // before another core may take the root that was loaded for released
  core.requestedVttbrEl2 = vttbr;
}
