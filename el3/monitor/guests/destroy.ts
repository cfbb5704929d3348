// A VM is gone: its TEE's RAM is zeroed and goes back to the pool. The hypervisor shows it by flushing the VMID of a root
// that it has emptied (the last thing that it does with a root before freeing it).

import { TEE_RAM_SIZE } from "../../../abi/memory-map";
import { PAGE_MONITOR } from "../../../abi/pages";
import { EVENT_GUEST_DESTROYED } from "../../../abi/status";
import { FACTS_GUEST_SIZE } from "../attest/facts";
import { cleanInvalidateRange, compareAndSwap32, dsbSy, lock, unlock, zeroPhysical } from "../hw";
import { assignTeeRam } from "../memory/pages";
import { hasNoEntry } from "../memory/roots";
import { endPartition } from "../partition/give-back";
import { forgetRandom } from "../random/random";
import {
  CORE_MAX,
  coreArea,
  GUEST_RECORD_SIZE,
  guestFactsPtr,
  LOCK_GUESTS,
  LOCK_MEMORY,
  machine,
  TEE_CORE_MAX,
  teeCoreAt,
} from "../storage";
import { recordEvent } from "../trace/events";
import { publishGuest, publishMachine, statusRowPa } from "../trace/status";
import { claimTeeCore, clearTeeCore, releaseTeeCore } from "../worlds/claim";
import { CoreArea } from "../worlds/core-area";
import { GUEST_STATE_NONE, Guest } from "./guest";
import { invalidateTlb, rootPaOf } from "./stage2";

/**
 * Ends the guest of this VM, if the hypervisor has emptied its root, and gives everything of it back. False, and nothing has changed, if it is
 * not (any more) so, or a core still runs its TEE.
 */
export function destroyGuest(core: CoreArea, guest: Guest, normalVttbr: u64): bool {
  lock(LOCK_GUESTS); // with which slots change hands
  if (guest.normalVttbr !== normalVttbr || !claimAllCores(guest)) {
    unlock(LOCK_GUESTS);
    return false;
  }
  const id = guest.id;
  const switches = guest.switches;
  if (!unpublish(guest)) {
    releaseCores(guest.slot, guest.coreCount);
    unlock(LOCK_GUESTS);
    return false;
  }
  endPartition(guest);
  zeroPhysical(guest.teeRamPa, <u64>TEE_RAM_SIZE);
  cleanInvalidateRange(guest.teeRamPa, <u64>TEE_RAM_SIZE);
  dsbSy();
  lock(LOCK_MEMORY);
  assignTeeRam(guest.teeRamPa, <u64>TEE_RAM_SIZE, PAGE_MONITOR, guest.slot);
  unlock(LOCK_MEMORY);
  forgetRandom(core, guest.slot);
  forgetGuest(guest);
  machine().guestsDestroyed++;
  publishMachine();
  publishGuest(guest);
  unlock(LOCK_GUESTS);
  recordEvent(EVENT_GUEST_DESTROYED, id, switches, 0);
  return true;
}

/**
 * In one step for all who load or fill roots: the root is empty, no core has the guest, and nobody finds it. What the hypervisor changes from
 * here on is mirrored no more. False if the root is not empty.
 */
function unpublish(guest: Guest): bool {
  lock(LOCK_MEMORY);
  const isEmpty = hasNoEntry(rootPaOf(guest.normalVttbr));
  if (isEmpty) {
    guest.state = GUEST_STATE_NONE;
    for (let core: u32 = 0; core < CORE_MAX; core++) {
      const guestPtr = changetype<usize>(coreArea(core)) + offsetof<CoreArea>("guest");
      compareAndSwap32(guestPtr, <u32>changetype<usize>(guest), 0);
    }
    const teeVttbr = guest.teeVttbr;
    guest.teeVttbr = 0;
    invalidateTlb(teeVttbr);
  }
  unlock(LOCK_MEMORY);
  return isEmpty;
}

/** All TEE cores, so that none is entered any more; they are made anew with the slot's next guest. */
function claimAllCores(guest: Guest): bool {
  for (let index: u32 = 0; index < guest.coreCount; index++) {
    if (claimTeeCore(teeCoreAt(guest.slot, index))) continue;
    releaseCores(guest.slot, index);
    return false;
  }
  return true;
}

/** The claims are free last: who gets one then finds that its core has no guest any more (worlds/claim.ts). */
function forgetGuest(guest: Guest): void {
  const slot = guest.slot;
  const coreCount = guest.coreCount;
  for (let index: u32 = 0; index < TEE_CORE_MAX; index++) clearTeeCore(teeCoreAt(slot, index)); // the TEE's registers
  memory.fill(changetype<usize>(guest), 0, GUEST_RECORD_SIZE);
  memory.fill(guestFactsPtr(slot), 0, FACTS_GUEST_SIZE);
  guest.slot = slot;
  guest.statusRowPa = statusRowPa(slot);
  releaseCores(slot, coreCount);
}

/** The claims of the first `count` TEE cores of a slot. */
function releaseCores(slot: u32, count: u32): void {
  for (let index: u32 = 0; index < count; index++) releaseTeeCore(teeCoreAt(slot, index));
}
