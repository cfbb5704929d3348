// Every byte of the monitor's own memory that changes, in one place. Nothing is allocated, nothing grows.

import { FACTS_GUEST_SIZE, MachineFacts } from "./attest/facts";
import { Compartment } from "./compartments/compartment";
import { Smmu } from "./dma/smmu";
import { Guest } from "./guests/guest";
import { Machine } from "./machine";
import { Store } from "./memory/store-instruction";
import { TreeWalk } from "./memory/tree-walk";
import { Partition } from "./partition/partition";
import { CoreArea } from "./worlds/core-area";
import { TeeCore } from "./worlds/tee-core";
import { WORLD_CONTEXT_SIZE } from "./worlds/world-context";

export const CORE_MAX: u32 = 8;
export const GUEST_MAX: u32 = 16;
export const TEE_CORE_MAX: u32 = 4;
export const GUEST_RECORD_SIZE: usize = 0x200;

export const PARTITION_RECORD_SIZE: usize = 0x200;
export const COMPARTMENT_RECORD_SIZE: usize = 0x200;
const EL1_CONTEXT_SIZE: usize = 0xc0;
const STORE_RECORD_SIZE: usize = 0x80;

const MACHINE: usize = memory.data(512, 64);
const CORE_AREAS: usize = memory.data(12288, 64); // CORE_MAX × WORLD_CONTEXT_SIZE
const GUESTS: usize = memory.data(8192, 64); // GUEST_MAX × GUEST_RECORD_SIZE
const AWAITED_VTTBRS: usize = memory.data(2048, 64); // one for each VMID
const REFUSED_VTTBRS: usize = memory.data(2048, 64); // one for each VMID
const VMID_ROOTS: usize = memory.data(2048, 64); // one for each VMID
const TREE_WALK: usize = memory.data(128, 64);
const STORES: usize = memory.data(1024, 64); // CORE_MAX × STORE_RECORD_SIZE
const STORE_UNDO: usize = memory.data(64, 64); // the entries that one store changes
const TEE_CORES: usize = memory.data(98304, 64); // GUEST_MAX × TEE_CORE_MAX × WORLD_CONTEXT_SIZE
const MEASUREMENT: usize = memory.data(32, 64);
const COMPARTMENTS: usize = memory.data(4096, 64); // COMPARTMENT_ROWS_MAX × COMPARTMENT_RECORD_SIZE
const DISPLACED_EL1: usize = memory.data(1536, 64); // CORE_MAX × EL1_CONTEXT_SIZE
const SMMU: usize = memory.data(64, 64);
const MACHINE_FACTS: usize = memory.data(128, 64);
const GUEST_FACTS: usize = memory.data(18432, 64); // GUEST_MAX × FACTS_GUEST_SIZE
const PARTITIONS: usize = memory.data(8192, 64); // GUEST_MAX × PARTITION_RECORD_SIZE

export function machine(): Machine {
  return changetype<Machine>(MACHINE);
}

export function smmu(): Smmu {
  return changetype<Smmu>(SMMU);
}

/** `core` must be below CORE_MAX: it comes from MPIDR_EL1 of the machine, checked at boot. */
export function coreArea(core: u32): CoreArea {
  return changetype<CoreArea>(CORE_AREAS + <usize>core * WORLD_CONTEXT_SIZE);
}

export function guestAt(slot: u32): Guest {
  return changetype<Guest>(GUESTS + <usize>slot * GUEST_RECORD_SIZE);
}

/** The context of core `index` of the TEE of the guest in `slot`. */
export function teeCoreAt(slot: u32, index: u32): TeeCore {
  return changetype<TeeCore>(TEE_CORES + <usize>(slot * TEE_CORE_MAX + index) * WORLD_CONTEXT_SIZE);
}

/** Where the VTTBR_EL2 of the last VM that waited for its TEE with this VMID stands; `vmid` is below 256. */
export function awaitedVttbrPtr(vmid: u32): usize {
  return AWAITED_VTTBRS + ((<usize>vmid) << 3);
}

/** Where the VTTBR_EL2 of a VM that was refused a TEE stands (guests/refused.ts); `vmid` is below 256. */
export function refusedVttbrPtr(vmid: u32): usize {
  return REFUSED_VTTBRS + ((<usize>vmid) << 3);
}

/** Where the PA of the stage-2 root that is bound to a VMID stands, 0 if none; `vmid` is below 256. */
export function vmidRootPtr(vmid: u32): usize {
  return VMID_ROOTS + ((<usize>vmid) << 3);
}

/** The one walk that goes on at a time, under LOCK_MEMORY. */
export function treeWalk(): TreeWalk {
  return changetype<TreeWalk>(TREE_WALK);
}

/** The store that a core of the hypervisor has attempted. */
export function storeOf(core: u32): Store {
  return changetype<Store>(STORES + <usize>core * STORE_RECORD_SIZE);
}

/** What stood in the entry `index` (below 8) that a store of several has changed, under LOCK_MEMORY. */
export function storeUndo(index: u32): usize {
  return STORE_UNDO + ((<usize>index) << 3);
}

/** `index` is below COMPARTMENT_ROWS_MAX. */
export function compartmentAt(index: u32): Compartment {
  return changetype<Compartment>(COMPARTMENTS + <usize>index * COMPARTMENT_RECORD_SIZE);
}

/** Where EL1's registers wait while a core runs a compartment. */
export function displacedEl1(core: u32): usize {
  return DISPLACED_EL1 + <usize>core * EL1_CONTEXT_SIZE;
}

/** 64 bits of what lockdown has measured; `index` is below 4. */
export function measurementPtr(index: u32): usize {
  return MEASUREMENT + ((<usize>index) << 3);
}

export function machineFacts(): MachineFacts {
  return changetype<MachineFacts>(MACHINE_FACTS);
}

/** What evidence of the guest in `slot` is made of (attest/facts.ts). */
export function guestFactsPtr(slot: u32): usize {
  return GUEST_FACTS + <usize>slot * FACTS_GUEST_SIZE;
}

/** Which memory of its normal world the TEE of the guest in `slot` has, under LOCK_MEMORY. */
export function partitionAt(slot: u32): Partition {
  return changetype<Partition>(PARTITIONS + <usize>slot * PARTITION_RECORD_SIZE);
}

// Locks, in the order in which they may be taken.
export const LOCK_GUESTS: u32 = 0;
/** Page records, every table that EL2, a stage 2 or the SMMU uses, partitions, and the SMMU's commands. */
export const LOCK_MEMORY: u32 = 1;
/** The first of COMPARTMENT_ROWS_MAX; one at a time. */
export const LOCK_COMPARTMENT_FIRST: u32 = 2;
export const LOCK_POWER: u32 = 10;
/** The SMMU's event queue. */
export const LOCK_DMA: u32 = 11;
export const LOCK_EVENTS: u32 = 12;
export const LOCK_CONSOLE: u32 = 13;
