// Every byte of the monitor's own memory that changes, in one place. Nothing is allocated, nothing grows.

import { Smmu } from "./dma/smmu";
import { Guest } from "./guests/guest";
import { Machine } from "./machine";
import { CoreArea } from "./worlds/core-area";
import { TeeCore } from "./worlds/tee-core";
import { WORLD_CONTEXT_SIZE } from "./worlds/world-context";

export const CORE_MAX: u32 = 8;
export const GUEST_MAX: u32 = 16;
export const TEE_CORE_MAX: u32 = 4;
const GUEST_RECORD_SIZE: usize = 0x200;

const MACHINE: usize = memory.data(256, 64);
const CORE_AREAS: usize = memory.data(12288, 64); // CORE_MAX × WORLD_CONTEXT_SIZE
const GUESTS: usize = memory.data(8192, 64); // GUEST_MAX × GUEST_RECORD_SIZE
const AWAITED_VTTBRS: usize = memory.data(2048, 64); // one for each VMID
const REFUSED_VTTBRS: usize = memory.data(2048, 64); // one for each VMID
const TEE_CORES: usize = memory.data(98304, 64); // GUEST_MAX × TEE_CORE_MAX × WORLD_CONTEXT_SIZE
const SMMU: usize = memory.data(64, 64);

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

// Locks, in the order in which they may be taken.
export const LOCK_GUESTS: u32 = 0;
export const LOCK_POWER: u32 = 1;
/** Who owns which page, the tables that follow from it, and the SMMU's commands. */
export const LOCK_MEMORY: u32 = 2;
/** The SMMU's event queue. */
export const LOCK_DMA: u32 = 3;
export const LOCK_EVENTS: u32 = 4;
export const LOCK_CONSOLE: u32 = 5;
