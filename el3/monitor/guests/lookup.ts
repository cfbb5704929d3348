// Which guest a stage-2 root or a VMID belongs to.

import { VTTBR_EL2_VMID_MASK } from "../arm/registers.gen";
import { guestAt, machine } from "../storage";
import { GUEST_STATE_NONE, Guest } from "./guest";
import { rootPaOf, vmidOf } from "./stage2";

/** The guest whose N world has exactly this VTTBR_EL2, or null. */
export function guestWithVttbr(vttbr: u64): Guest | null {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    const guest = guestAt(slot);
    if (guest.state !== GUEST_STATE_NONE && guest.normalVttbr === vttbr) return guest;
  }
  return null;
}

/** The guest whose N world has the VMID of this VTTBR_EL2, or null. */
export function guestWithVmidOf(vttbr: u64): Guest | null {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    const guest = guestAt(slot);
    if (guest.state !== GUEST_STATE_NONE && ((guest.normalVttbr ^ vttbr) & VTTBR_EL2_VMID_MASK) === 0)
      return guest;
  }
  return null;
}

/** The guest with this VMID whose S world has tables, or null. Under LOCK_MEMORY, with which they come and go. */
export function guestWithTeeOf(vmid: u32): Guest | null {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    const guest = guestAt(slot);
    if (guest.teeVttbr !== 0 && vmidOf(guest.normalVttbr) === vmid) return guest;
  }
  return null;
}

/** Whether a guest that is not destroyed yet has this root. */
export function isRootOfGuest(rootPa: u64): bool {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    const guest = guestAt(slot);
    if (guest.state !== GUEST_STATE_NONE && rootPaOf(guest.normalVttbr) === rootPa) return true;
  }
  return false;
}
