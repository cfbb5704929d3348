// The status page (abi/status.ts): counters that the host reads from normal DRAM while the machine runs.

import { POOL_STATUS_OFFSET, TEE_RAM_SIZE } from "../../../abi/memory-map";
import {
  EVENT_SLOTS,
  GUEST_ADAPTED_SITES,
  GUEST_BOOT_TICKS,
  GUEST_EXITS,
  GUEST_FOREIGN,
  GUEST_ID,
  GUEST_KEY_READS,
  GUEST_MEASUREMENT,
  GUEST_PREEMPTIONS,
  GUEST_SECURE_GRANULES,
  GUEST_STATE,
  GUEST_SWITCHES,
  GUEST_TEE_CORES,
  GUEST_TIMER_INTERRUPTS,
  GUEST_VMID,
  STATUS_COMPARTMENT_CALLS,
  STATUS_COMPARTMENT_FAULTS,
  STATUS_DMA_BLOCKED,
  STATUS_EVENT_COUNT,
  STATUS_EVENT_SLOTS,
  STATUS_GUEST_BASE,
  STATUS_GUEST_SIZE,
  STATUS_GUEST_SLOTS,
  STATUS_GUESTS_CREATED,
  STATUS_GUESTS_DESTROYED,
  STATUS_HARDENED_SITES,
  STATUS_MAGIC,
  STATUS_MAGIC_HIGH,
  STATUS_MAGIC_LOW,
  STATUS_MEASUREMENT,
  STATUS_POOL_FREE,
  STATUS_POOL_TOTAL,
  STATUS_STAGE1_TABLES,
  STATUS_TABLE_STORES,
  STATUS_TEXT_PAGES,
  STATUS_VIOLATIONS,
} from "../../../abi/status";
import { VTTBR_EL2_VMID_MASK, VTTBR_EL2_VMID_SHIFT } from "../arm/registers.gen";
import { FACT_SIZE, FACTS_TEE } from "../attest/facts";
import { GUEST_STATE_NONE, Guest } from "../guests/guest";
import { writePhysical32, writePhysical64, zeroPhysical } from "../hw";
import { guestAt, guestFactsPtr, machine, partitionAt } from "../storage";

export function statusPa(): u64 {
  return machine().poolPa + <u64>POOL_STATUS_OFFSET;
}

/** Not before the boot package, which says where it is, was accepted. */
export function hasStatusPage(): bool {
  return machine().poolPa !== 0;
}

export function initialiseStatus(): void {
  zeroPhysical(statusPa(), 0x10000);
  writePhysical32(statusPa() + <u64>STATUS_GUEST_SLOTS, machine().guestSlots);
  writePhysical32(statusPa() + <u64>STATUS_EVENT_SLOTS, EVENT_SLOTS);
  writePhysical64(statusPa() + <u64>STATUS_EVENT_COUNT, 0);
  writePhysical64(statusPa() + <u64>STATUS_POOL_TOTAL, <u64>machine().guestSlots * <u64>TEE_RAM_SIZE);
  publishMachine();
  writePhysical64(statusPa() + <u64>STATUS_MAGIC, ((<u64>STATUS_MAGIC_HIGH) << 32) | <u64>STATUS_MAGIC_LOW);
}

/** Called when a guest comes or goes. */
export function publishMachine(): void {
  let free: u64 = 0;
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    if (guestAt(slot).state === GUEST_STATE_NONE) free += <u64>TEE_RAM_SIZE;
  }
  writePhysical64(statusPa() + <u64>STATUS_POOL_FREE, free);
  writePhysical64(statusPa() + <u64>STATUS_GUESTS_CREATED, machine().guestsCreated);
  writePhysical64(statusPa() + <u64>STATUS_GUESTS_DESTROYED, machine().guestsDestroyed);
  publishProtection();
}

/** What lockdown found, and what has become of it. */
export function publishProtection(): void {
  const it = machine();
  writePhysical64(statusPa() + <u64>STATUS_HARDENED_SITES, it.hardenedSites);
  writePhysical64(statusPa() + <u64>STATUS_TEXT_PAGES, it.textPages);
  writePhysical64(statusPa() + <u64>STATUS_STAGE1_TABLES, it.stage1Tables);
  publishTableStores();
}

/** Under the lock with which they are counted. */
export function publishViolations(): void {
  writePhysical64(statusPa() + <u64>STATUS_VIOLATIONS, machine().violations);
}

export function publishCompartments(): void {
  if (!hasStatusPage()) return;
  writePhysical64(statusPa() + <u64>STATUS_COMPARTMENT_CALLS, machine().compartmentCalls);
  writePhysical64(statusPa() + <u64>STATUS_COMPARTMENT_FAULTS, machine().compartmentFaults);
}

/** Hot path of a mapping. */
export function publishTableStores(): void {
  writePhysical64(statusPa() + <u64>STATUS_TABLE_STORES, machine().tableStores);
}

/** Word `index`, below 4, of the executable pages' measurement. */
export function publishMeasurement(index: u32, value: u64): void {
  writePhysical64(statusPa() + <u64>STATUS_MEASUREMENT + <u64>index * 8, bswap<u64>(value));
}

export function publishBlockedDma(count: u64): void {
  writePhysical64(statusPa() + <u64>STATUS_DMA_BLOCKED, count);
}

/** Where the row of a slot lies; a guest keeps it in `statusRowPa`. */
export function statusRowPa(slot: u32): u64 {
  return statusPa() + <u64>STATUS_GUEST_BASE + <u64>slot * <u64>STATUS_GUEST_SIZE;
}

/** Called when the guest's state changes; the counters of its hot path are published one by one. */
export function publishGuest(guest: Guest): void {
  const pa = guest.statusRowPa;
  const vmid = (guest.normalVttbr & VTTBR_EL2_VMID_MASK) >> VTTBR_EL2_VMID_SHIFT;
  writePhysical32(pa + <u64>GUEST_STATE, guest.state);
  writePhysical32(pa + <u64>GUEST_VMID, <u32>vmid);
  writePhysical64(pa + <u64>GUEST_ID, guest.id);
  writePhysical32(pa + <u64>GUEST_TEE_CORES, guest.coresOn);
  writePhysical32(pa + <u64>GUEST_ADAPTED_SITES, guest.adaptedSites);
  publishKeyReads(guest);
  const factsPtr = guestFactsPtr(guest.slot);
  for (let offset: usize = 0; offset < FACT_SIZE; offset += 8)
    writePhysical64(pa + <u64>GUEST_MEASUREMENT + <u64>offset, load<u64>(factsPtr + FACTS_TEE + offset));
  publishPartition(guest);
  publishExits(guest);
  publishSwitches(guest);
}

/** Called when memory changes between its worlds. */
export function publishPartition(guest: Guest): void {
  writePhysical32(guest.statusRowPa + <u64>GUEST_SECURE_GRANULES, partitionAt(guest.slot).granuleCount);
}

export function publishKeyReads(guest: Guest): void {
  writePhysical32(guest.statusRowPa + <u64>GUEST_KEY_READS, guest.keyReads);
}

export function publishBootTicks(guest: Guest, ticks: u64): void {
  writePhysical64(guest.statusRowPa + <u64>GUEST_BOOT_TICKS, ticks);
}

/** The counters that other exits than calls move. */
export function publishExits(guest: Guest): void {
  const pa = guest.statusRowPa;
  writePhysical64(pa + <u64>GUEST_FOREIGN, guest.foreignInterrupts);
  writePhysical64(pa + <u64>GUEST_PREEMPTIONS, guest.preemptions);
  writePhysical64(pa + <u64>GUEST_EXITS, guest.exits);
  writePhysical64(pa + <u64>GUEST_TIMER_INTERRUPTS, guest.timerInterrupts);
}

/** Hot path. */
export function publishSwitches(guest: Guest): void {
  writePhysical64(guest.statusRowPa + <u64>GUEST_SWITCHES, guest.switches);
}
