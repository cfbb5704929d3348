// A VM is gone: its TEE's RAM is zeroed and goes back to the pool. The hypervisor shows it by flushing the VMID of a root
// that it has emptied (the last thing that it does with a root before freeing it).

import { TEE_RAM_SIZE } from "../../../abi/memory-map";
import { PAGE_MONITOR } from "../../../abi/pages";
import { EVENT_GUEST_DESTROYED } from "../../../abi/status";
import {
  cleanInvalidateRange,
  compareAndSwap32,
  dsbSy,
  lock,
  readPhysical64,
  unlock,
  zeroPhysical,
} from "../hw";
import { assignTeeRam } from "../memory/pages";
import { CORE_MAX, coreArea, LOCK_GUESTS, LOCK_MEMORY, machine, TEE_CORE_MAX, teeCoreAt } from "../storage";
import { recordEvent } from "../trace/events";
import { publishGuest, publishMachine, statusRowPa } from "../trace/status";
import { claimTeeCore, releaseTeeCore } from "../worlds/claim";
import { CoreArea } from "../worlds/core-area";
import { WORLD_CONTEXT_SIZE } from "../worlds/world-context";
import { GUEST_STATE_NONE, Guest } from "./guest";
import { invalidateTlb, rootPaOf } from "./stage2";

/** Whether the hypervisor has emptied the guest's root: level-0 entry 0 covers all of a VM's memory. */
export function isRootEmpty(guest: Guest): bool {
  return readPhysical64(rootPaOf(guest.normalVttbr)) === 0;
}

/** Gives everything of the guest back. Refused (false) while a core still runs its TEE. */
export function destroyGuest(guest: Guest): bool {
  lock(LOCK_GUESTS);
  if (guest.state === GUEST_STATE_NONE || !claimAllCores(guest)) {
    unlock(LOCK_GUESTS);
    return false;
  }
  const id = guest.id;
  const switches = guest.switches;
  const teeVttbr = guest.teeVttbr;
  lock(LOCK_MEMORY);
  guest.teeVttbr = 0; // what the hypervisor changes from here on is mirrored no more
  invalidateTlb(teeVttbr);
  unlock(LOCK_MEMORY);
  zeroPhysical(guest.teeRamPa, <u64>TEE_RAM_SIZE);
  cleanInvalidateRange(guest.teeRamPa, <u64>TEE_RAM_SIZE);
  dsbSy();
  lock(LOCK_MEMORY);
  assignTeeRam(guest.teeRamPa, <u64>TEE_RAM_SIZE, PAGE_MONITOR, guest.slot);
  unlock(LOCK_MEMORY);
  forgetGuest(guest);
  machine().guestsDestroyed++;
  publishMachine();
  publishGuest(guest);
  unlock(LOCK_GUESTS);
  recordEvent(EVENT_GUEST_DESTROYED, id, switches, 0);
  return true;
}

/** All TEE cores, so that none is entered any more; they are made anew with the slot's next guest. */
function claimAllCores(guest: Guest): bool {
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    if (claimTeeCore(teeCoreAt(guest.slot, index))) continue;
    for (let claimed: u32 = 0; claimed < index; claimed++) releaseTeeCore(teeCoreAt(guest.slot, claimed));
    return false;
  }
  return true;
}

function forgetGuest(guest: Guest): void {
  const slot = guest.slot;
  for (let index: u32 = 0; index < TEE_CORE_MAX; index++) {
    memory.fill(changetype<usize>(teeCoreAt(slot, index)), 0, WORLD_CONTEXT_SIZE); // the TEE's registers, and the claims
  }
  for (let core: u32 = 0; core < CORE_MAX; core++) {
    const guestPtr = changetype<usize>(coreArea(core)) + offsetof<CoreArea>("guest");
    compareAndSwap32(guestPtr, <u32>changetype<usize>(guest), 0);
  }
  memory.fill(changetype<usize>(guest), 0, 0x200);
  guest.slot = slot;
  guest.statusRowPa = statusRowPa(slot);
}
