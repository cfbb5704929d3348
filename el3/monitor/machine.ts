// What the monitor knows of the machine as a whole.

@unmanaged
export class Machine {
  poolPa: u64;
  poolSize: u64;
  ramPa: u64;
  ramSize: u64;
  /** VTTBR_EL2 of dom0: the first stage-2 root that the hypervisor loads. 0 before lockdown. */
  controlDomainVttbr: u64;
  /** 0 before it, 1 under way, 2 done (hypervisor/lockdown.ts). */
  lockdown: u32;
  /** Counts removals of all stage-2 translations from the TLBs (memory/pages.ts). */
  guestTlbEpoch: u32;
  /** The page records (abi/pages.ts). */
  pagesPa: u64;
  /** The last level of the hypervisor's direct map (memory/direct-map.ts). */
  directMapTablesPa: u64;
  /** The last level of what devices reach (dma/memory.ts). */
  dmaTablesPa: u64;
  /** VA of the direct map less PA. */
  directMapOffset: u64;
  // EL2's control registers, the same on every core from lockdown on.
  sctlrEl2: u64;
  tcrEl2: u64;
  mairEl2: u64;
  vtcrEl2: u64;
  /** Root of EL2's stage 1, from lockdown on. */
  stage1RootPa: u64;
  /** Where EL2 sees the monitor's vectors for the hypervisor. */
  hypervisorVectorsVa: u64;
  /** RAM of the TEEs. */
  teePoolPa: u64;
  // What lockdown found, and what happened since; mirrored in the status page.
  textPages: u64;
  stage1Tables: u64;
  hardenedSites: u64;
  tableStores: u64;
  violations: u64;
  /** PA of the hypervisor's own empty stage-2 root, once seen. */
  emptyRootPa: u64;
  compartmentCalls: u64;
  compartmentFaults: u64;
  compartmentCount: u32;
  /** Pages of devices that TEEs have taken from their normal worlds (partition/peripherals.ts). */
  takenDevices: u32;
  guestsCreated: u64;
  guestsDestroyed: u64;
  /** RAM windows for TEEs in the pool; each is one guest slot. */
  guestSlots: u32;
  /** 1 once the stage-1 tables of the trapping vectors are built. */
  hasVectorTables: u32;
  coreCount: u32;
  /** Implemented list registers of the virtual CPU interface. */
  listRegisters: u32;
  /** CNTPCT ticks that a TEE may keep a core after a foreign interrupt. */
  preemptionTicks: u32;
}
