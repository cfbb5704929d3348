// Which state of a page may follow which: the whole of it, as data. A row is a state, a bit the state that may follow. The test of
// the model machine checks every change of every record against the same rows (abi/pages.ts has the words).
//
//   FREE           ─ a stage-2 leaf names it ──────────────▶ GUEST
//   GUEST          ─ the last such leaf is gone ───────────▶ FREE
//   GUEST          ─ its guest's TEE takes it ─────────────▶ GUEST_SECURE
//   GUEST_SECURE   ─ scrubbed ─────────────────────────────▶ FREE
//   FREE           ─ a checked table entry, VTTBR, lockdown ▶ STAGE1_TABLE, STAGE2_TABLE
//   STAGE*_TABLE   ─ unlinked, TLBs flushed ───────────────▶ FREE
//   FREE           ─ lockdown only ────────────────────────▶ HYPERVISOR_TEXT
//   HYPERVISOR_TEXT ─ no executable mapping is left ───────▶ FREE
//   MONITOR        ─ a guest is created ───────────────────▶ GUEST_TEE
//   GUEST_TEE      ─ it is destroyed, RAM zeroed ──────────▶ MONITOR

import {
  PAGE_FREE,
  PAGE_GUEST,
  PAGE_GUEST_SECURE,
  PAGE_GUEST_TEE,
  PAGE_HYPERVISOR_TEXT,
  PAGE_MONITOR,
  PAGE_STAGE1_TABLE,
  PAGE_STAGE2_TABLE,
} from "../../../abi/pages";

const FROM_FREE: u32 =
  (1 << PAGE_GUEST) | (1 << PAGE_STAGE1_TABLE) | (1 << PAGE_STAGE2_TABLE) | (1 << PAGE_HYPERVISOR_TEXT);
const TO_FREE: u32 = 1 << PAGE_FREE;

/** Bit n: the state n may follow. */
export function followersOf(state: u32): u32 {
  switch (state) {
    case PAGE_FREE:
      return FROM_FREE;
    case PAGE_GUEST:
      return TO_FREE | (1 << PAGE_GUEST_SECURE);
    case PAGE_GUEST_SECURE:
    case PAGE_HYPERVISOR_TEXT:
    case PAGE_STAGE1_TABLE:
    case PAGE_STAGE2_TABLE:
      return TO_FREE;
    case PAGE_GUEST_TEE:
      return 1 << PAGE_MONITOR;
    case PAGE_MONITOR:
      return 1 << PAGE_GUEST_TEE;
    default:
      return 0;
  }
}

export function mayMove(from: u32, to: u32): bool {
  return ((followersOf(from) >> to) & 1) !== 0;
}
