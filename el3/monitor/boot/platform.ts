// Cold boot of the machine, on the boot core: what later code relies on, set up once.

import {
  BOOT_CORE_COUNT,
  BOOT_POOL_PA,
  BOOT_POOL_SIZE,
  BOOT_RAM_PA,
  BOOT_RAM_SIZE,
} from "../../../abi/boot-package";
import { POOL_EMPTY_ROOT_OFFSET, POOL_TEE_OFFSET, TEE_RAM_SIZE } from "../../../abi/memory-map";
import { EVENT_MONITOR_BOOTED } from "../../../abi/status";
import { PAGE_SIZE } from "../arm/page-tables.gen";
import { checkBootPackage, readBoot32, readBoot64 } from "../boot-package";
import { initialiseDma } from "../dma/initialise";
import { singlePagesPa } from "../dma/memory";
import { writeTrappingVectors } from "../exceptions/trapping-vectors";
import { fatal, zeroPhysical } from "../hw";
import { CORE_MAX, GUEST_MAX, guestAt, machine } from "../storage";
import { FATAL_CORES } from "../trace/epitaph";
import { recordEvent } from "../trace/events";
import { initialiseStatus } from "../trace/status";
import { initialiseDistributor, takeSmmuInterrupts } from "./gic";

/** 20 ms at 62.5 MHz. */
const PREEMPTION_TICKS: u32 = 1250000;

export function initialiseMachine(): void {
  checkBootPackage();
  const it = machine();
  it.ramPa = readBoot64(BOOT_RAM_PA);
  it.ramSize = readBoot64(BOOT_RAM_SIZE);
  it.poolPa = readBoot64(BOOT_POOL_PA);
  it.poolSize = readBoot64(BOOT_POOL_SIZE);
  it.coreCount = readBoot32(BOOT_CORE_COUNT);
  if (it.coreCount < 1 || it.coreCount > CORE_MAX) fatal(FATAL_CORES, <u64>it.coreCount, 0);
  it.preemptionTicks = PREEMPTION_TICKS;
  const slots = (singlePagesPa() - it.poolPa - <u64>POOL_TEE_OFFSET) / <u64>TEE_RAM_SIZE;
  it.guestSlots = slots < <u64>GUEST_MAX ? <u32>slots : GUEST_MAX;
  for (let slot: u32 = 0; slot < it.guestSlots; slot++) guestAt(slot).slot = slot;
  zeroPhysical(it.poolPa + <u64>POOL_EMPTY_ROOT_OFFSET, PAGE_SIZE);
  writeTrappingVectors();
  initialiseStatus();
  initialiseDistributor();
  initialiseDma();
  takeSmmuInterrupts();
  recordEvent(EVENT_MONITOR_BOOTED, 0, it.poolPa, it.poolSize);
}
