// How the machine's RAM is shared out: the pool of the guests' TEEs lies at the top, hidden from the
// hypervisor; everything below is the hypervisor's.

import { DRAM_PA, POOL_PAGES_OFFSET } from "../../abi/memory-map.ts";
import { PAGE_RECORD_SIZE } from "../../abi/pages.ts";

const MIB = 1024 * 1024;
const PAGE_SIZE = 4096;
/** What one table of the last level translates. */
const TABLE_SPAN = 2 * MIB;

export const GUEST_TEE_SIZE = 16 * MIB;
export const POOL_ALIGNMENT = 16 * MIB;

export interface RamLayout {
  readonly ramPa: number;
  readonly ramSize: number;
  readonly poolPa: number;
  readonly poolSize: number;
  /** Where the pool's TEE RAM starts; before it, the monitor's own. */
  readonly poolTeeOffset: number;
  /** What the hypervisor's device tree shows as memory: from ramPa on. */
  readonly hypervisorSize: number;
}

/**
 * The monitor's own part of the pool: what memory-map.ts names, a record for each page, and
 * the tables of single pages: of the direct map, and of what devices reach.
 */
export function monitorPoolSize(ramSize: number): number {
  const records = (ramSize / PAGE_SIZE) * PAGE_RECORD_SIZE;
  const lastLevelTables = Math.ceil(ramSize / TABLE_SPAN) * PAGE_SIZE;
  const upperTables = MIB; // one for each GiB
  const dmaTables = lastLevelTables;
  const size = POOL_PAGES_OFFSET + records + lastLevelTables + upperTables + dmaTables;
  return Math.ceil(size / POOL_ALIGNMENT) * POOL_ALIGNMENT;
}

export function layOutRam(ramSize: number, guestTeeCount: number): RamLayout {
  const poolTeeOffset = monitorPoolSize(ramSize);
  const poolSize = poolTeeOffset + guestTeeCount * GUEST_TEE_SIZE;
  const end = DRAM_PA + Math.floor(ramSize / POOL_ALIGNMENT) * POOL_ALIGNMENT;
  const poolPa = end - poolSize;
  if (poolPa <= DRAM_PA) {
    throw new RangeError(`${ramSize} bytes of RAM cannot hold a pool of ${poolSize}`);
  }
  return { ramPa: DRAM_PA, ramSize, poolPa, poolSize, poolTeeOffset, hypervisorSize: poolPa - DRAM_PA };
}
