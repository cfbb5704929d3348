// Measurements: SHA-256 (FIPS 180-4) by the boot compartment, at boot of what flash holds of the monitor, at lockdown of
// what the hypervisor may execute, its pages in the order in which they are added. One at a time, under LOCK_MEMORY or
// before there is a second core.

import {
  BOOT_ACCEPTED,
  BOOT_MEASURE_BEGIN,
  BOOT_MEASURE_END,
  BOOT_MEASURE_PART,
  BOOT_MESSAGE_DIGEST,
  BOOT_REFUSED_LENT,
} from "../../../abi/boot-compartment";
import { COMPARTMENT_BOOT } from "../../../abi/compartments";
import { PAGE_SIZE } from "../arm/page-tables.gen";
import { callCompartment, closeCompartment, messagePa, openCompartment } from "../compartments/call";
import { Compartment } from "../compartments/compartment";
import { lend, takeBack } from "../compartments/lend";
import { fatal, readPhysical64 } from "../hw";
import { compartmentAt, measurementPtr } from "../storage";
import { FATAL_MEASUREMENT } from "../trace/epitaph";
import { CoreArea } from "../worlds/core-area";

/** 64 bits at a time. */
export const MEASUREMENT_WORDS: u32 = 4;

/** The boot compartment is this core's from here until the measurement ends. */
export function beginMeasurement(core: CoreArea): void {
  demand(callCompartment(core, openCompartment(COMPARTMENT_BOOT), BOOT_MEASURE_BEGIN, 0, 0, 0));
}

export function measurePage(core: CoreArea, pa: u64): void {
  measureRange(core, pa, PAGE_SIZE);
}

/** `pa` begins a page; at most what one call hashes in its time (boot/verify.ts). */
export function measureRange(core: CoreArea, pa: u64, size: u64): void {
  const it = measuring();
  takeBack(it);
  const isLent = lend(it, 0, pa, size, false);
  demand(isLent ? callCompartment(core, it, BOOT_MEASURE_PART, size, 0, 0) : <u64>BOOT_REFUSED_LENT);
}

export function endMeasurement(core: CoreArea): void {
  const it = measuring();
  demand(callCompartment(core, it, BOOT_MEASURE_END, 0, 0, 0));
  for (let index: u32 = 0; index < MEASUREMENT_WORDS; index++) {
    const word = readPhysical64(messagePa(it) + <u64>(BOOT_MESSAGE_DIGEST + index * 8));
    store<u64>(measurementPtr(index), bswap<u64>(word));
  }
  closeCompartment(it);
}

/** 64 bits of the digest, the first ones first and highest; `index` is below MEASUREMENT_WORDS. */
export function measurementWord(index: u32): u64 {
  return load<u64>(measurementPtr(index));
}

/** The bytes of the digest, in their order. */
export function copyMeasurement(toPtr: usize): void {
  for (let index: u32 = 0; index < MEASUREMENT_WORDS; index++)
    store<u64>(toPtr + <usize>index * 8, bswap<u64>(measurementWord(index)));
}

function measuring(): Compartment {
  return compartmentAt(COMPARTMENT_BOOT);
}

/** What cannot be measured is not locked down. */
function demand(status: u64): void {
  if (status !== <u64>BOOT_ACCEPTED) fatal(FATAL_MEASUREMENT, status, 0);
}
