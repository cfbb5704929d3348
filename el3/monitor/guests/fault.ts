// The second of the three outcomes: a TEE that broke a rule is stopped, its guest's calls are answered NOT_SUPPORTED,
// everything else goes on.

import { EVENT_TEE_FAULTED } from "../../../abi/status";
import { recordEvent } from "../trace/events";
import { publishGuest } from "../trace/status";
import { GUEST_STATE_FAULTED, Guest } from "./guest";

/** `reason` is one of FAULT_* (abi/status.ts); `detail` is what that word says. */
export function faultTee(guest: Guest, reason: u32, detail: u64): void {
  guest.state = GUEST_STATE_FAULTED;
  recordEvent(EVENT_TEE_FAULTED, guest.id, <u64>reason, detail);
  publishGuest(guest);
}
