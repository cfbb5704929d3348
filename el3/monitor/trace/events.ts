// The event ring (abi/status.ts): what happened, for the host's tools and tests. Not written on hot paths.

import {
  EVENT_ARGUMENT_0,
  EVENT_ARGUMENT_1,
  EVENT_BASE,
  EVENT_GUEST,
  EVENT_KIND,
  EVENT_SIZE,
  EVENT_SLOTS,
  EVENT_TICKS,
  STATUS_EVENT_COUNT,
} from "../../../abi/status";
import { dsbSy, lock, readCNTPCT_EL0, readPhysical64, unlock, writePhysical32, writePhysical64 } from "../hw";
import { LOCK_EVENTS } from "../storage";
import { hasStatusPage, statusPa } from "./status";

/** Appends an event. `guestId` 0 means none; the arguments' meaning stands beside each EVENT_* word. */
export function recordEvent(kind: u32, guestId: u64, argument0: u64, argument1: u64): void {
  if (!hasStatusPage()) return;
  lock(LOCK_EVENTS);
  const countPa = statusPa() + <u64>STATUS_EVENT_COUNT;
  const count = readPhysical64(countPa);
  const entryPa = statusPa() + <u64>EVENT_BASE + (count % <u64>EVENT_SLOTS) * <u64>EVENT_SIZE;
  writePhysical64(entryPa + <u64>EVENT_TICKS, readCNTPCT_EL0());
  writePhysical32(entryPa + <u64>EVENT_KIND, kind);
  writePhysical32(entryPa + <u64>EVENT_GUEST, <u32>guestId);
  writePhysical64(entryPa + <u64>EVENT_ARGUMENT_0, argument0);
  writePhysical64(entryPa + <u64>EVENT_ARGUMENT_1, argument1);
  dsbSy(); // the entry is whole before it counts
  writePhysical64(countPa, count + 1);
  unlock(LOCK_EVENTS);
}
