// What the rest of the monitor calls when a page changes hands. LOCK_MEMORY is held. A page is out of every device's reach
// when the call returns, not before.

import { PAGE_SIZE } from "../arm/page-tables.gen";
import { recordBlockedDma } from "./blocked";
import { removeAllTranslations, removeTranslations } from "./commands";
import { mapPage, unmapPage } from "./table";

/** From now on no device reads or writes the page of 4 KiB. Costs nothing if that is so. */
export function protectFromDma(pa: u64): void {
  if (!unmapPage(pa)) return;
  removeTranslations(pa);
  recordBlockedDma();
}

/** The same for many pages at the price of one invalidation. `pa` and `size` are multiples of a page's size. */
export function protectRangeFromDma(pa: u64, size: u64): void {
  let changed = false;
  for (let at = pa; at < pa + size; at += PAGE_SIZE) {
    if (unmapPage(at)) changed = true;
  }
  if (!changed) return;
  removeAllTranslations();
  recordBlockedDma();
}

/** Devices may use the page again; it holds no secret any more. A page of the pool stays out. */
export function releaseToDma(pa: u64): void {
  mapPage(pa);
}
