// What the hypervisor writes at every switch of vCPUs, by the shortest way: HCR_EL2, its empty root (it keeps that in VTTBR_EL2 while it changes
// the VM's EL1 registers), and the root of a VM that is known. All else, and all that is to be refused, takes the long way: registers.ts.

import {
  HARDENED_HCR_EL2,
  HARDENED_REGISTER_MASK,
  HARDENED_REGISTER_SHIFT,
  HARDENED_RT_MASK,
  HARDENED_VTTBR_EL2,
} from "../../../abi/hardening";
import { guestWithVttbr } from "../guests/lookup";
import { showBoundRoot, showGuest } from "../guests/show";
import { rootPaOf } from "../guests/stage2";
import { isb, readPhysical64, writeHCR_EL2, writeVTTBR_EL2 } from "../hw";
import { machine } from "../storage";
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
  if (guest === null) return vttbr === machine().controlDomainVttbr && showBoundRoot(core, vttbr);
  if (mayBeEmpty(vttbr) || !showGuest(core, guest, vttbr)) return false;
  watchGuest(core, guest);
  return true;
}

/** Entry 0 covers all memory that Xen gives a VM. */
function mayBeEmpty(vttbr: u64): bool {
  return readPhysical64(rootPaOf(vttbr)) === 0;
}

/** The hypervisor's empty root, with VMID 0: ours does the same, and no core then has a page of the hypervisor's as its root. */
function loadNoRoot(core: CoreArea): void {
  core.guest = null;
  writeVTTBR_EL2(emptyVttbr(0));
  isb(); // before another core may take the old root for not loaded
  core.requestedVttbrEl2 = 0;
}
