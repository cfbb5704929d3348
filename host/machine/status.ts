// The monitor's status page and event ring (abi/status.ts) as values. They lie at the start of the pool.

import * as abi from "../../abi/status.ts";

export const STATUS_SIZE = abi.EVENT_BASE + abi.EVENT_SLOTS * abi.EVENT_SIZE;

export interface MonitorStatus {
  readonly poolTotal: number;
  readonly poolFree: number;
  readonly guestsCreated: number;
  readonly guestsDestroyed: number;
  readonly protection: ProtectionStatus;
  readonly dmaBlocked: number;
  readonly guests: readonly GuestStatus[];
  readonly eventCount: number;
  /** The latest ones, oldest first; the ring forgets. */
  readonly events: readonly MonitorEvent[];
}

/** What lockdown found, and what happened since. */
export interface ProtectionStatus {
  /** The hypervisor's writes of translation registers that are calls of the monitor; 0 before lockdown. */
  readonly hardenedSites: number;
  readonly textPages: number;
  readonly stage1Tables: number;
  readonly tableStores: number;
  readonly violations: number;
  /** SHA-256 of the hypervisor's executable pages, in hexadecimal. */
  readonly measurement: string;
}

export interface GuestStatus {
  readonly slot: number;
  readonly state: GuestStateName;
  readonly vmid: number;
  readonly id: number;
  readonly switches: number;
  readonly foreignInterrupts: number;
  readonly preemptions: number;
  readonly exits: number;
  readonly teeCores: number;
  readonly adaptedSites: number;
  readonly timerInterrupts: number;
  readonly bootTicks: number;
  /** MiB of its normal world's memory that the TEE has now. */
  readonly secureMib: number;
  /** SHA-256 of the TEE's image, in hexadecimal. */
  readonly measurement: string;
  /** Times the TEE has taken its hardware unique key from the monitor. */
  readonly keyReads: number;
}

export interface MonitorEvent {
  readonly index: number;
  readonly ticks: number;
  readonly kind: string;
  readonly guest: number;
  readonly arguments: readonly [string, string];
}

const GUEST_STATES = ["none", "booting", "ready", "faulted"] as const;
export type GuestStateName = (typeof GUEST_STATES)[number] | "unknown";

const EVENT_NAMES: Record<number, string> = {
  [abi.EVENT_MONITOR_BOOTED]: "monitor-booted",
  [abi.EVENT_LOCKDOWN]: "lockdown",
  [abi.EVENT_GUEST_CREATED]: "guest-created",
  [abi.EVENT_SITE_ADAPTED]: "site-adapted",
  [abi.EVENT_TEE_READY]: "tee-ready",
  [abi.EVENT_TEE_CORE_ON]: "tee-core-on",
  [abi.EVENT_TEE_FAULTED]: "tee-faulted",
  [abi.EVENT_GUEST_DESTROYED]: "guest-destroyed",
  [abi.EVENT_POOL_EXHAUSTED]: "pool-exhausted",
  [abi.EVENT_VIOLATION]: "violation",
  [abi.EVENT_DEPRIVILEGED]: "deprivileged",
  [abi.EVENT_MEASURED]: "measured",
  [abi.EVENT_KEY_SITE_ADAPTED]: "key-site-adapted",
  [abi.EVENT_DMA_BLOCKED]: "dma-blocked",
  [abi.EVENT_COMPARTMENT_FAULTED]: "compartment-faulted",
  [abi.EVENT_GUEST_TREE]: "guest-tree",
  [abi.EVENT_MEMORY_SECURED]: "memory-secured",
  [abi.EVENT_MEMORY_RETURNED]: "memory-returned",
  [abi.EVENT_DMA_LOST]: "dma-lost",
};

const MEASUREMENT_SIZE = 32;
const GRANULE_MIB = 2;
const MAGIC = (BigInt(abi.STATUS_MAGIC_HIGH) << 32n) | BigInt(abi.STATUS_MAGIC_LOW);

/** Undefined until the monitor has written the page. */
export function decodeStatus(bytes: Uint8Array): MonitorStatus | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < STATUS_SIZE || view.getBigUint64(abi.STATUS_MAGIC, true) !== MAGIC) return undefined;
  const slotCount = view.getUint32(abi.STATUS_GUEST_SLOTS, true);
  const slotsEnd = abi.STATUS_GUEST_BASE + slotCount * abi.STATUS_GUEST_SIZE;
  if (slotsEnd > abi.EVENT_BASE) throw new Error(`status page names ${slotCount} guest slots`);
  const guests = Array.from({ length: slotCount }, (_, slot) => decodeGuest(view, slot));
  return {
    poolTotal: quad(view, abi.STATUS_POOL_TOTAL),
    poolFree: quad(view, abi.STATUS_POOL_FREE),
    guestsCreated: quad(view, abi.STATUS_GUESTS_CREATED),
    guestsDestroyed: quad(view, abi.STATUS_GUESTS_DESTROYED),
    protection: decodeProtection(view),
    dmaBlocked: quad(view, abi.STATUS_DMA_BLOCKED),
    guests: guests.filter((guest) => guest.state !== "none"),
    eventCount: quad(view, abi.STATUS_EVENT_COUNT),
    events: decodeEvents(view),
  };
}

function decodeProtection(view: DataView): ProtectionStatus {
  return {
    hardenedSites: quad(view, abi.STATUS_HARDENED_SITES),
    textPages: quad(view, abi.STATUS_TEXT_PAGES),
    stage1Tables: quad(view, abi.STATUS_STAGE1_TABLES),
    tableStores: quad(view, abi.STATUS_TABLE_STORES),
    violations: quad(view, abi.STATUS_VIOLATIONS),
    measurement: digestAt(view, abi.STATUS_MEASUREMENT),
  };
}

function decodeGuest(view: DataView, slot: number): GuestStatus {
  const base = abi.STATUS_GUEST_BASE + slot * abi.STATUS_GUEST_SIZE;
  return {
    slot,
    state: GUEST_STATES[view.getUint32(base + abi.GUEST_STATE, true)] ?? "unknown",
    vmid: view.getUint32(base + abi.GUEST_VMID, true),
    id: quad(view, base + abi.GUEST_ID),
    switches: quad(view, base + abi.GUEST_SWITCHES),
    foreignInterrupts: quad(view, base + abi.GUEST_FOREIGN),
    preemptions: quad(view, base + abi.GUEST_PREEMPTIONS),
    exits: quad(view, base + abi.GUEST_EXITS),
    teeCores: view.getUint32(base + abi.GUEST_TEE_CORES, true),
    adaptedSites: view.getUint32(base + abi.GUEST_ADAPTED_SITES, true),
    timerInterrupts: quad(view, base + abi.GUEST_TIMER_INTERRUPTS),
    bootTicks: quad(view, base + abi.GUEST_BOOT_TICKS),
    secureMib: view.getUint32(base + abi.GUEST_SECURE_GRANULES, true) * GRANULE_MIB,
    measurement: digestAt(view, base + abi.GUEST_MEASUREMENT),
    keyReads: view.getUint32(base + abi.GUEST_KEY_READS, true),
  };
}

function decodeEvents(view: DataView): MonitorEvent[] {
  const count = quad(view, abi.STATUS_EVENT_COUNT);
  const slots = Math.min(view.getUint32(abi.STATUS_EVENT_SLOTS, true), abi.EVENT_SLOTS);
  const first = Math.max(0, count - slots);
  return Array.from({ length: count - first }, (_, offset) => {
    const index = first + offset;
    const base = abi.EVENT_BASE + (index % slots) * abi.EVENT_SIZE;
    const kind = view.getUint32(base + abi.EVENT_KIND, true);
    return {
      index,
      ticks: quad(view, base + abi.EVENT_TICKS),
      kind: EVENT_NAMES[kind] ?? `event-${kind}`,
      guest: view.getUint32(base + abi.EVENT_GUEST, true),
      arguments: [hex(view, base + abi.EVENT_ARGUMENT_0), hex(view, base + abi.EVENT_ARGUMENT_1)],
    };
  });
}

function digestAt(view: DataView, at: number): string {
  return Buffer.from(view.buffer, view.byteOffset + at, MEASUREMENT_SIZE).toString("hex");
}

function quad(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function hex(view: DataView, at: number): string {
  return `0x${view.getBigUint64(at, true).toString(16)}`;
}

const COUNTER_FREQUENCY = 62_500_000;

export function formatEvent({ index, ticks, kind, guest, arguments: [first, second] }: MonitorEvent): string {
  const seconds = (ticks / COUNTER_FREQUENCY).toFixed(6).padStart(12);
  const who = guest === 0 ? "" : `guest ${guest}`;
  return `${String(index).padStart(5)} ${seconds}  ${kind.padEnd(16)}${who.padEnd(10)}${first} ${second}`;
}
