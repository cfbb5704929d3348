// The monitor's page records (abi/pages.ts), read from the pool as the monitor wrote them.

import { POOL_PAGES_OFFSET } from "../../abi/memory-map.ts";
import * as abi from "../../abi/pages.ts";
import type { BootPackage } from "../../host/machine/boot-package.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

export interface PageRecord {
  readonly state: number;
  readonly level: number;
  readonly references: number;
  /** Word 1: what it means depends on the state. */
  readonly word: number;
}

export interface MachineMemory {
  readonly memory: PhysicalMemory;
  readonly bootPackage: BootPackage;
}

const PAGE_SIZE = 0x1000;

/** PA of the record of the page at `pa`, which is RAM. */
export function pageRecordPa({ bootPackage }: MachineMemory, pa: number): number {
  const { poolPa, ramPa } = bootPackage;
  return poolPa + POOL_PAGES_OFFSET + Math.floor((pa - ramPa) / PAGE_SIZE) * abi.PAGE_RECORD_SIZE;
}

export function pageRecord(machine: MachineMemory, pa: number): PageRecord {
  return decodeRecord(machine.memory.read64(pageRecordPa(machine, pa)));
}

export function decodeRecord(record: bigint): PageRecord {
  const first = Number(record & 0xffffffffn);
  return {
    state: first & abi.PAGE_STATE_MASK,
    level: (first & abi.PAGE_LEVEL_MASK) >>> abi.PAGE_LEVEL_SHIFT,
    references: first >>> abi.PAGE_REFERENCES_SHIFT,
    word: Number(record >> 32n),
  };
}
