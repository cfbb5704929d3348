// A guest: a VM of the hypervisor together with its TEE. One record a slot; a slot is a window of the pool.

/** Free slot. */
export const GUEST_STATE_NONE: u32 = 0;
/** The TEE boots; the VM has not executed an instruction yet. */
export const GUEST_STATE_BOOTING: u32 = 1;
export const GUEST_STATE_READY: u32 = 2;
/** The TEE has broken a rule or panicked: it never runs again, its calls are answered NOT_SUPPORTED. */
export const GUEST_STATE_FAULTED: u32 = 3;

@unmanaged
export class Guest {
  slot: u32;
  /** GUEST_STATE_*. */
  state: u32;
  /** 1 for the first guest that ever was; never used again. */
  id: u64;
  /** VTTBR_EL2 of the N world, as the hypervisor writes it: stage-2 root and VMID. */
  normalVttbr: u64;
  /** VTTBR_EL2 of the S world. */
  teeVttbr: u64;
  /** HCR_EL2 of the S world, no interrupt pending. */
  teeHcr: u64;
  teeRamPa: u64;
  /** Its row of the status page. */
  statusRowPa: u64;
  /** The TEE's entry table, as it gave it in ENTRY_DONE; 0 for a resume TEE. */
  vectorTableVa: u64;
  /** PA of the TEE's row in the boot package: its profile. */
  profilePa: u64;
  entryKind: u32;
  coreCount: u32;
  /** TIMER_*. */
  timer: u32;
  foreignInterrupt: u32;
  foreignIntid: u32;
  wfi: u32;
  /** CLOCK_*. */
  clock: u32;
  hiddenCapabilities: u32;
  /** Instructions adapted in the image. */
  adaptedSites: u32;
  /** Whether the next two are its hardware unique key (guests/key.ts). */
  hasKey: u32;
  /** Times its TEE has taken it. */
  keyReads: u32;
  coresOn: u32;
  /** 1 while a call of it may be preempted or an answer held (worlds/detached.ts). */
  hasDetached: u32;
  consoleLength: u32;
  /** CNTPCT_EL0 when the first of its watched TEE cores is due, or WATCH_NEVER (worlds/watch.ts). */
  watchTicks: u64;
  createdTicks: u64;
  /** The first 8 bytes of the key, then the others; little-endian. */
  keyLow: u64;
  keyHigh: u64;
  // Statistics, mirrored in the status page (abi/status.ts).
  switches: u64;
  foreignInterrupts: u64;
  preemptions: u64;
  exits: u64;
  timerInterrupts: u64;
  // The virtual distributor (devices/secure-gic.ts): GICD_CTLR and the enables of INTID 32…191.
  distributorControl: u32;
  distributorEnabled0: u32;
  distributorEnabled1: u32;
  distributorEnabled2: u32;
  distributorEnabled3: u32;
  distributorEnabled4: u32;
}
export const GUEST_CONSOLE: usize = 0x100; // the line that the TEE is writing
export const GUEST_CONSOLE_SIZE: u32 = 0x100;

/** Whether the TEE's boot was preempted: the VM may not run before it is done. */
export function isTeeAwaited(guest: Guest): bool {
  return guest.state === GUEST_STATE_BOOTING && guest.vectorTableVa === 0;
}
