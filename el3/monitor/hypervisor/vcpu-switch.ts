// What the hypervisor writes at every switch of vCPUs, by the shortest way: HCR_EL2, its empty root (it keeps that in VTTBR_EL2 while it changes
// the VM's EL1 registers), and the root of a VM that is known. All else, and all that is to be refused, takes the long way: registers.ts.

import {
  HARDENED_HCR_EL2,
  HARDENED_REGISTER_MASK,
  HARDENED_REGISTER_SHIFT,
  HARDENED_RT_MASK,
  HARDENED_VTTBR_EL2,
} from "../../../abi/hardening";
import { isRootEmpty } from "../guests/destroy";
import { isTeeAwaited } from "../guests/guest";
import { guestWithVttbr } from "../guests/lookup";
import { rootPaOf, vmidOf } from "../guests/stage2";
import { isb, lock, unlock, writeHCR_EL2, writeVTTBR_EL2 } from "../hw";
import { boundRootPa } from "../memory/roots";
import { LOCK_MEMORY, machine } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { emptyVttbr } from "../worlds/normal-world";
import { watchGuest } from "../worlds/timer";
import { registerOf } from "../worlds/world-context";
import { enforcedHcr, HCR_FORBIDDEN } from "./hcr";
import { isLockedDown } from "./lockdown";

/** False: not such a write, and nothing has changed. */
export function writeForSwitch(core: CoreArea, imm16: u32): bool {
  if (!isLockedDown()) return false;
  const value = registerOf(changetype<usize>(core), imm16 & HARDENED_RT_MASK);
  const register = (imm16 >> HARDENED_REGISTER_SHIFT) & HARDENED_REGISTER_MASK;
  if (register === HARDENED_VTTBR_EL2) return core.awaitsTee === 0 && switchRoot(core, value);
  if (register !== HARDENED_HCR_EL2 || (value & HCR_FORBIDDEN) !== 0) return false;
  writeHCR_EL2(enforcedHcr(value));
  return true;
}

function switchRoot(core: CoreArea, vttbr: u64): bool {
  if (vttbr === machine().emptyRootPa) {
    loadNoRoot(core);
    return true;
  }
  const guest = guestWithVttbr(vttbr);
  const mayRun =
    guest === null ? vttbr === machine().controlDomainVttbr : !isTeeAwaited(guest) && !isRootEmpty(guest);
  if (!mayRun || !loadBoundRoot(core, vttbr)) return false;
  core.guest = guest;
  if (guest !== null) watchGuest(core, guest);
  return true;
}

/** The hypervisor's empty root, with VMID 0: ours does the same, and no core then has a page of the hypervisor's as its root. */
function loadNoRoot(core: CoreArea): void {
  core.guest = null;
  writeVTTBR_EL2(emptyVttbr(0));
  isb(); // before another core may take the old root for not loaded
  core.requestedVttbrEl2 = 0;
}

/** Under the lock, with which roots are released: what is bound stays so until it counts as loaded. */
function loadBoundRoot(core: CoreArea, vttbr: u64): bool {
  lock(LOCK_MEMORY);
  const isBound = boundRootPa(vmidOf(vttbr)) === rootPaOf(vttbr);
  if (isBound) {
    writeVTTBR_EL2(vttbr);
    isb(); // as above
    core.requestedVttbrEl2 = vttbr;
  }
  unlock(LOCK_MEMORY);
  return isBound;
}
