// What the monitor knows of the machine as a whole.

@unmanaged
export class Machine {
  poolPa: u64;
  poolSize: u64;
  ramPa: u64;
  ramSize: u64;
  /** VTTBR_EL2 of dom0: the first stage-2 root that the hypervisor loads. 0 before lockdown. */
  controlDomainVttbr: u64;
  /** PA of the hypervisor's own empty stage-2 root, once seen. */
  emptyRootPa: u64;
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
