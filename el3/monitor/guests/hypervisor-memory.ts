// What the monitor may read at the hypervisor's word: ordinary RAM outside the pool. A table anywhere else (a device, the monitor's
// own memory, nothing at all) is not a table.

import { PAGE_SIZE } from "../arm/page-tables.gen";
import { machine } from "../storage";

/** Whether a translation table of the hypervisor may lie at `pa`. */
export function isTablePa(pa: u64): bool {
  const it = machine();
  return pa % PAGE_SIZE === 0 && pa >= it.ramPa && pa < it.poolPa;
}
