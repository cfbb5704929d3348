// What the monitor knows of the SMMU, and the ways to its registers. Arm IHI 0070, chapter 6.

import { SMMU_PA } from "../../../abi/memory-map";
import { fatal, readPhysical32, writePhysical32, writePhysical64 } from "../hw";
import { FATAL_SMMU_SILENT } from "../trace/epitaph";

@unmanaged
export class Smmu {
  /** Accesses that were refused, ever. */
  blockedCount: u64;
  /** The last one in the event ring: first word of its record, its page, when. */
  recordedWord: u64;
  recordedPage: u64;
  recordedTicks: u64;
  /** The command queue: entry that is written next, the wrap bit above it. */
  commandIndex: u32;
  /** The event queue: entry that is read next, the wrap bit above it. */
  eventIndex: u32;
  /** 1: a block may become a table while devices use it (SMMU_IDR3.BBML 2). */
  replacesBlocks: u32;
}

/** What the SMMU is told takes effect within microseconds. */
const POLLS_MAX: u32 = 1000000;

export function readSmmu(register: u32): u32 {
  return readPhysical32(<u64>(SMMU_PA + register));
}

export function writeSmmu(register: u32, value: u32): void {
  writePhysical32(<u64>(SMMU_PA + register), value);
}

export function writeSmmu64(register: u32, value: u64): void {
  writePhysical64(<u64>(SMMU_PA + register), value);
}

/** Returns when the register, under the mask, has the value; a machine whose SMMU does not obey stops. */
export function waitForSmmu(register: u32, mask: u32, value: u32): void {
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) {
    if ((readSmmu(register) & mask) === value) return;
  }
  fatal(FATAL_SMMU_SILENT, <u64>register, <u64>readSmmu(register));
}
