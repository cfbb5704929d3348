// How the machine's RAM is shared out: the pool of the guests' TEEs lies at the top, hidden from the
// hypervisor; everything below is the hypervisor's.

import { DRAM_PA } from "../../abi/memory-map.ts";

const MIB = 1024 * 1024;

/** Pages of the monitor at the start of the pool: status page, event ring, translation tables. */
export const MONITOR_POOL_SIZE = 16 * MIB;
export const GUEST_TEE_SIZE = 16 * MIB;
export const POOL_ALIGNMENT = 16 * MIB;

export interface RamLayout {
  readonly ramPa: number;
  readonly ramSize: number;
  readonly poolPa: number;
  readonly poolSize: number;
  /** What the hypervisor's device tree shows as memory: from ramPa on. */
  readonly hypervisorSize: number;
}

/** Of the monitor at the end of the pool: a page for each 2 MiB of RAM (el3/monitor/dma/memory.ts). */
function dmaTableSize(ramSize: number): number {
  return Math.ceil(ramSize / 512 / POOL_ALIGNMENT) * POOL_ALIGNMENT;
}

export function layOutRam(ramSize: number, guestTeeCount: number): RamLayout {
  const poolSize = MONITOR_POOL_SIZE + guestTeeCount * GUEST_TEE_SIZE + dmaTableSize(ramSize);
  const end = DRAM_PA + Math.floor(ramSize / POOL_ALIGNMENT) * POOL_ALIGNMENT;
  const poolPa = end - poolSize;
  if (poolPa <= DRAM_PA) {
    throw new RangeError(`${ramSize} bytes of RAM cannot hold a pool of ${poolSize}`);
  }
  return { ramPa: DRAM_PA, ramSize, poolPa, poolSize, hypervisorSize: poolPa - DRAM_PA };
}
