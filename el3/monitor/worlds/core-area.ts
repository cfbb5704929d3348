// What the monitor keeps for one physical core: who runs on it, and what the normal world's registers were while an
// S world runs. TPIDR_EL3 points here; the vectors take the stack from `stackTopVa`.

import { Guest } from "../guests/guest";
import { TeeCore } from "./tee-core";

/** The layout's first 0x100 bytes; the rest of the area is a world context (world-context.ts). */
@unmanaged
export class CoreArea {
  stackTopVa: u64;
  index: u32;
  isOn: u32;
  /** The TEE core that runs here now, or null while the normal world (or the hypervisor) runs. */
  runningTee: TeeCore | null;
  /** The guest whose stage-2 root is loaded, or null: hypervisor idle, dom0, or a VM without a TEE. */
  guest: Guest | null;
  /** VBAR_EL2 as the hypervisor wrote it. */
  hypervisorVbarEl2: u64;
  /** What VBAR_EL2 holds while the normal world runs: the same, or from lockdown on a page of the monitor's. */
  vbarEl2: u64;
  /** VTTBR_EL2 as the hypervisor wrote it. */
  requestedVttbrEl2: u64;
  /** 1 while the loaded root is an empty one of ours, since the VM has no TEE yet. */
  awaitsTee: u32;
  /** 1 while physical interrupts are held back for the running TEE to leave. */
  foreignPending: u32;
  /** When the secure physical timer of this core fires (CNTPCT_EL0), 0 if it is off. */
  timerTicks: u64;
  /** ICC_PMR_EL1 to put back when the TEE has left. */
  priorityMask: u64;
  /** 1 once the running TEE has used FP or SIMD since it was entered. */
  fpSwitched: u32;
  /** 1 while the virtual CPU interface holds the running TEE's state. */
  gicSwitched: u32;
  // The normal world's EL2 registers while a TEE runs.
  normalHcrEl2: u64;
  normalIchHcrEl2: u64;
  normalVmpidrEl2: u64;
  // Its virtual timer while a TEE with a CNTV of its own runs (virtual-timer.ts).
  normalCntvCtl: u64;
  normalCntvCval: u64;
  normalCntvoff: u64;
  /** 1 if its interrupt (INTID 27) was active when the TEE was entered. */
  normalTimerActive: u32;
  /** 1 while the vCPU of this core runs a TEE core of another number (worlds/detached.ts). */
  isElsewhere: u32;
  /** 1 while VMPIDR_EL2 holds the running TEE core's own number: the hypervisor's value was another, and is in `normalVmpidrEl2`. */
  vmpidrSwitched: u32;
  // A core that is being switched on starts with these.
  entryPa: u64;
  entryContext: u64;
  ttbr0El2: u64;
}
