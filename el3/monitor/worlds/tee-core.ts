// One core of a guest's TEE: its S world context and what it is doing.

import { Guest } from "../guests/guest";

/** Not brought up yet: its first call runs the TEE's own CPU_ON entry first. */
export const TEE_CORE_OFF: u32 = 0;
/** In the TEE's boot or CPU_ON code. */
export const TEE_CORE_STARTING: u32 = 1;
/** Left by its own SMC; nothing waits. */
export const TEE_CORE_IDLE: u32 = 2;
/** Serving a call of the normal world. */
export const TEE_CORE_CALLED: u32 = 3;
/** Serving a native interrupt, entered while the normal world ran. */
export const TEE_CORE_INTERRUPTED: u32 = 4;

/** The layout's first 0x100 bytes; the rest of the area is a world context (world-context.ts). */
@unmanaged
export class TeeCore {
  guest: Guest;
  index: u32;
  /** TEE_CORE_*. */
  activity: u32;
  /** 1 while a physical core runs it: the claim that keeps two cores out of one context. */
  isRunning: u32;
  /** 1 if it was taken off its core at an arbitrary instruction; it goes on where it was (preempt.ts). */
  isPreempted: u32;
  /** Preemptions since it last left by itself. */
  preemptionsInARow: u32;
  /** The last IPA of N memory at which it faulted. */
  lastFaultIpa: u64;
  /** ENABLE and IMASK of its timer: the emulated CNTPS, or CNTV as it was left. */
  timerControl: u32;
  /** 1 once its interrupt has been handed to it: not a second time until it has served it. */
  timerPending: u32;
  /** CNTPCT_EL0 at which its timer is due: CVAL of the emulated CNTPS; of CNTV see virtual-timer.ts. */
  timerDueTicks: u64;
  usesGic: u32;
  /** 1 if it leaves by WFI: nobody has taken the core from it. */
  isIdle: u32;
  /** 1: the CPU_ON entry was run for the sake of a call that follows. */
  callFollows: u32;
  /**
   * 1 while it may have to be entered without a call: its timer is armed, or its interrupt service was set aside. Written only under
   * the claim.
   */
  isWatched: u32;
  // The virtual redistributor (devices/secure-gic.ts).
  redistributorEnabled: u32;
  redistributorGroup: u32;
  redistributorModifier: u32;
  redistributorPending: u32;
  /** 1: its CNTV is due, but the interrupt not enabled in its redistributor. */
  isTimerSilenced: u32;
  // CNTV while it is away (virtual-timer.ts).
  virtualOffset: u64;
  virtualCompare: u64;
  /** CNTPCT_EL0 when its clock was stopped; 0 while it goes on. */
  stoppedTicks: u64;
  // Who waits for the preempted call: the normal world's registers at its SMC (caller.ts).
  callerElr: u64;
  callerSp: u64;
  callerX0: u64;
  callerX1: u64;
  callerX2: u64;
  callerX3: u64;
  /** 1 while the call goes on for a caller that is not at its SMC now. */
  isCallerAway: u32;
  /** 1 while the answer below waits for that caller to execute its SMC again. */
  hasHeldAnswer: u32;
  heldElr: u64;
  heldSp: u64;
  heldCallX0: u64;
  heldCallX1: u64;
  heldCallX2: u64;
  heldCallX3: u64;
  heldX0: u64;
  heldX1: u64;
  heldX2: u64;
  heldX3: u64;
}
