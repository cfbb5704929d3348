// The model machine's memory as the specification looks at it (spec/memory-state.ts).

import {
  PARTITION_GIBS_MAX,
  PARTITION_GRANULES_MAX,
  PERIPHERALS_MAX,
} from "../../abi/devices-compartment.ts";
import {
  DRAM_PA,
  FW_CFG_PA,
  FW_CFG_SIZE,
  ITS_PA,
  ITS_SIZE,
  POOL_HYPERVISOR_VECTORS_OFFSET,
  POOL_PAGES_OFFSET,
  POOL_PARTITION_OFFSET,
  POOL_PARTITION_SIZE,
  POOL_VECTORS_OFFSET,
  SMMU_PA,
  SMMU_SIZE,
  TEE_RAM_SIZE,
  VIRTIO_MMIO_PA,
  VIRTIO_MMIO_SIZE,
} from "../../abi/memory-map.ts";
import * as pages from "../../abi/pages.ts";
import type { BoundRoot, MemoryState, TeeWorld } from "../../spec/memory-state.ts";
import type { Machine } from "../machine/machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { decodeRecord, pageRecord } from "../machine/page-records.ts";
import { size, word } from "../machine/source-words.ts";
import { rootOf } from "../machine/translation.ts";

const PAGE = 0x1000;
const VMIDS = 256;

export function memoryStateOf(machine: Machine, slotCount: number): MemoryState {
  const { ramPa, ramSize, poolPa } = machine.bootPackage;
  const state = new MonitorState(machine);
  return {
    ramPa,
    ramSize,
    poolPa,
    stage1RootPa: Number(state.machine("stage1RootPa")),
    directMapOffset: state.machine("directMapOffset"),
    roots: rootsOf(state),
    emptyRootPa: Number(state.machine("emptyRootPa")),
    tees: teesOf(machine, state, slotCount),
    vectorPages: new Set([
      poolPa + POOL_VECTORS_OFFSET,
      ...Array.from(
        { length: size("CORE_MAX") },
        (_, core) => poolPa + POOL_HYPERVISOR_VECTORS_OFFSET + core * PAGE,
      ),
    ]),
    forbiddenDevices: [
      { pa: SMMU_PA, size: SMMU_SIZE },
      { pa: FW_CFG_PA, size: FW_CFG_SIZE },
      { pa: ITS_PA, size: ITS_SIZE },
      { pa: VIRTIO_MMIO_PA, size: VIRTIO_MMIO_SIZE },
      ...takenDevices(machine, slotCount),
    ],
    read64: (pa) => machine.memory.read64(pa),
    record: (pa) => pageRecord(machine, pa),
    recordedPages: () => recordedPages(machine),
  };
}

/** Pages of devices that TEEs have taken, by the pages of peripherals (el3/monitor/partition/peripherals.ts). */
function takenDevices({ memory, bootPackage }: Machine, slotCount: number): { pa: number; size: number }[] {
  const found: { pa: number; size: number }[] = [];
  for (let slot = 0; slot < slotCount; slot++) {
    const partitionPa = bootPackage.poolPa + POOL_PARTITION_OFFSET + slot * POOL_PARTITION_SIZE;
    const takenPa =
      partitionPa + (1 + PARTITION_GIBS_MAX + PARTITION_GRANULES_MAX) * PAGE + Number(word("TAKEN"));
    for (let index = 0; index < PERIPHERALS_MAX; index++) {
      const pa = Number(memory.read64(takenPa + index * 8));
      if (pa !== 0 && pa < DRAM_PA) found.push({ pa, size: PAGE });
    }
  }
  return found;
}

function rootsOf(state: MonitorState): BoundRoot[] {
  return Array.from({ length: VMIDS }, (_, vmid) => ({ vmid, rootPa: state.boundRoot(vmid) })).filter(
    ({ rootPa }) => rootPa !== 0,
  );
}

function teesOf(machine: Machine, state: MonitorState, slotCount: number): TeeWorld[] {
  return Array.from({ length: slotCount }, (_, slot) => slot)
    .filter((slot) => state.guest(slot, "teeVttbr") !== 0n)
    .map((slot) => ({
      slot,
      rootPa: rootOf(state.guest(slot, "teeVttbr")),
      ramPa: machine.poolTeePa + slot * TEE_RAM_SIZE,
      ramSize: TEE_RAM_SIZE,
    }));
}

function* recordedPages({ memory, bootPackage }: Machine): Generator<number> {
  const { ramPa, ramSize, poolPa } = bootPackage;
  const bytes = memory.bytes(poolPa + POOL_PAGES_OFFSET, (ramSize / PAGE) * pages.PAGE_RECORD_SIZE);
  const words = new BigUint64Array(bytes.buffer);
  for (let index = 0; index < words.length; index++) {
    if (words[index] === 0n) continue;
    const { state, word } = decodeRecord(words[index]!);
    // What only says when the page was last in a guest's TLB is no record of a mapping.
    if (state !== pages.PAGE_FREE || (word & pages.PAGE_WRITABLE_MASK) !== 0) yield ramPa + index * PAGE;
  }
}
