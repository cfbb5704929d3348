// Which state of a page may follow which, once more and independently of the monitor's own table (el3/monitor/memory/transitions.ts).

import * as pages from "../abi/pages.ts";

export const TRANSITIONS: readonly (readonly [from: number, to: number, by: string])[] = [
  [pages.PAGE_FREE, pages.PAGE_GUEST, "a stage-2 leaf names it"],
  [pages.PAGE_GUEST, pages.PAGE_FREE, "the last such leaf is gone"],
  [pages.PAGE_FREE, pages.PAGE_STAGE1_TABLE, "a checked entry of EL2's tables, or lockdown"],
  [pages.PAGE_STAGE1_TABLE, pages.PAGE_FREE, "unlinked, empty"],
  [pages.PAGE_FREE, pages.PAGE_STAGE2_TABLE, "a checked entry, or VTTBR_EL2"],
  [pages.PAGE_STAGE2_TABLE, pages.PAGE_FREE, "unlinked; a root: empty and on no core"],
  [pages.PAGE_FREE, pages.PAGE_HYPERVISOR_TEXT, "lockdown"],
  [pages.PAGE_HYPERVISOR_TEXT, pages.PAGE_FREE, "the last executable mapping is gone"],
  [pages.PAGE_GUEST, pages.PAGE_GUEST_SECURE, "its guest's TEE takes it"],
  [pages.PAGE_GUEST_SECURE, pages.PAGE_FREE, "scrubbed"],
  [pages.PAGE_MONITOR, pages.PAGE_GUEST_TEE, "a guest is created"],
  [pages.PAGE_GUEST_TEE, pages.PAGE_MONITOR, "it is destroyed, its RAM zeroed"],
];

/** After lockdown. */
export function mayFollow(from: number, to: number): boolean {
  if (from === to) return true;
  if (to === pages.PAGE_HYPERVISOR_TEXT) return false;
  return TRANSITIONS.some(([before, after]) => before === from && after === to);
}
