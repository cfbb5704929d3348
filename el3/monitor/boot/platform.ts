// Cold boot of the machine, on the boot core: what later code relies on, set up once.

import {
  BOOT_CORE_COUNT,
  BOOT_POOL_PA,
  BOOT_POOL_SIZE,
  BOOT_POOL_TEE_OFFSET,
  BOOT_RAM_PA,
  BOOT_RAM_SIZE,
} from "../../../abi/boot-package";
import { POOL_EMPTY_ROOT_OFFSET, POOL_PAGES_OFFSET, TEE_RAM_SIZE } from "../../../abi/memory-map";
import { PAGE_RECORD_SIZE } from "../../../abi/pages";
import { EVENT_MONITOR_BOOTED } from "../../../abi/status";
import { LEVEL_SHIFT_2, PAGE_SHIFT, PAGE_SIZE } from "../arm/page-tables.gen";
import { checkProfiles, readBoot32, readBoot64 } from "../boot-package";
import { initialiseCompartments } from "../compartments/images";
import { initialiseDma } from "../dma/initialise";
import { writeTrappingVectors } from "../exceptions/trapping-vectors";
import { cleanInvalidateRange, fatal, zeroPhysical } from "../hw";
import { initialisePages } from "../memory/pages";
import { CORE_MAX, GUEST_MAX, guestAt, machine } from "../storage";
import { FATAL_BOOT_PACKAGE, FATAL_CORES } from "../trace/epitaph";
import { recordEvent } from "../trace/events";
import { initialiseStatus } from "../trace/status";
import { CoreArea } from "../worlds/core-area";
import { prepareCore } from "./core";
import { tellMachineFacts } from "./facts";
import { initialiseDistributor, takeSmmuInterrupts } from "./gic";
import { verifyImages, verifyPackage } from "./verify";

/** 20 ms at 62.5 MHz. */
const PREEMPTION_TICKS: u32 = 1250000;

/** Tables of level 2 for a direct map that consists of blocks of 1 GiB. */
const UPPER_TABLES_SIZE: u64 = 0x10_0000;

export function initialiseMachine(core: CoreArea): void {
  initialiseCompartments();
  initialiseDistributor();
  prepareCore(core);
  verifyPackage(core);
  checkProfiles();
  const it = machine();
  it.ramPa = readBoot64(BOOT_RAM_PA);
  it.ramSize = readBoot64(BOOT_RAM_SIZE);
  it.poolPa = readBoot64(BOOT_POOL_PA);
  it.poolSize = readBoot64(BOOT_POOL_SIZE);
  it.coreCount = readBoot32(BOOT_CORE_COUNT);
  if (it.coreCount < 1 || it.coreCount > CORE_MAX) fatal(FATAL_CORES, <u64>it.coreCount, 0);
  it.preemptionTicks = PREEMPTION_TICKS;
  verifyImages(core);
  tellMachineFacts(core);
  layOutPool();
  forgetTees();
  const slots = (it.poolPa + it.poolSize - it.teePoolPa) / <u64>TEE_RAM_SIZE;
  it.guestSlots = slots < <u64>GUEST_MAX ? <u32>slots : GUEST_MAX;
  for (let slot: u32 = 0; slot < it.guestSlots; slot++) guestAt(slot).slot = slot;
  zeroPhysical(it.poolPa + <u64>POOL_EMPTY_ROOT_OFFSET, PAGE_SIZE);
  initialisePages();
  writeTrappingVectors();
  initialiseStatus();
  initialiseDma();
  takeSmmuInterrupts();
  recordEvent(EVENT_MONITOR_BOOTED, 0, it.poolPa, it.poolSize);
}

/** A reset leaves RAM as it was: what TEEs had there is nobody's, not even in memory behind the caches. */
function forgetTees(): void {
  const it = machine();
  const size = it.poolPa + it.poolSize - it.teePoolPa;
  zeroPhysical(it.teePoolPa, size);
  cleanInvalidateRange(it.teePoolPa, size);
}

/** The page records, the tables of single pages of the direct map and of the DMA table, TEE RAM. The host has made room for them (host/machine/ram-layout.ts). */
function layOutPool(): void {
  const it = machine();
  const teeOffset = readBoot64(BOOT_POOL_TEE_OFFSET);
  it.pagesPa = it.poolPa + <u64>POOL_PAGES_OFFSET;
  it.directMapTablesPa = it.pagesPa + (it.ramSize >> PAGE_SHIFT) * <u64>PAGE_RECORD_SIZE;
  it.dmaTablesPa = it.directMapTablesPa + (it.ramSize >> LEVEL_SHIFT_2) * PAGE_SIZE + UPPER_TABLES_SIZE;
  const endPa = it.dmaTablesPa + (it.ramSize >> LEVEL_SHIFT_2) * PAGE_SIZE;
  it.teePoolPa = it.poolPa + teeOffset;
  const ramEndPa = it.ramPa + it.ramSize;
  const isInRam = it.poolPa >= it.ramPa && it.poolPa <= ramEndPa && it.poolSize <= ramEndPa - it.poolPa;
  // Blocks map TEE RAM: where it does not begin one, the hardware would round down into what is before it.
  const isAligned = ((it.poolPa | teeOffset) & (<u64>TEE_RAM_SIZE - 1)) === 0;
  if (endPa > it.teePoolPa || teeOffset > it.poolSize || !isInRam || !isAligned)
    fatal(FATAL_BOOT_PACKAGE, teeOffset, endPa - it.poolPa);
}
