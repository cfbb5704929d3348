// What evidence is made of, as the monitor keeps it: zeros are what nobody has found out, and of that no evidence is made.
// Digests and identities are bytes, as they stand in memory.

/** Of the machine. */
@unmanaged
export class MachineFacts {
  /** SHA-256 of what the flash holds of the monitor. */
  monitor0: u64;
  monitor1: u64;
  monitor2: u64;
  monitor3: u64;
  /** Of the hypervisor's executable pages, at lockdown. */
  hypervisor0: u64;
  hypervisor1: u64;
  hypervisor2: u64;
  hypervisor3: u64;
  /** Whether the boot package's signature and images were verified. */
  isBootVerified: u32;
  /** RFC 9711, section 4.2.9. */
  debugStatus: u32;
}

/** Of the guest in a slot; the evidence that was made of it last follows. */
@unmanaged
export class GuestFacts {
  /** What its device tree says that it is: the toolstack's word, not proven. A random number if it says nothing (attest/identity.ts). */
  identity0: u64;
  identity1: u64;
  identity2: u64;
  identity3: u64;
  /** SHA-256 of its TEE's image, as it was before adaptation. */
  tee0: u64;
  tee1: u64;
  tee2: u64;
  tee3: u64;
  /** Bytes of evidence, 0 if there is none. */
  evidenceSize: u64;
}

export const FACTS_MONITOR: usize = 0x00;
export const FACTS_HYPERVISOR: usize = 0x20;
export const FACTS_IDENTITY: usize = 0x00;
export const FACTS_TEE: usize = 0x20;
export const FACTS_EVIDENCE: usize = 0x80;
export const FACTS_GUEST_SIZE: usize = 0x480; // the evidence has room for ATTEST_EVIDENCE_SIZE_MAX
export const FACT_SIZE: usize = 32;
