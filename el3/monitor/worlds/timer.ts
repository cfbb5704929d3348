// The secure physical timer (CNTPS, INTID 29, group 0, FIQ to EL3) is the monitor's. It bounds how long a TEE keeps a core
// after a foreign interrupt, and it drives the secure timers that TEEs are given: CNTPS_*_EL1 of a TEE core is emulated, and its
// interrupt enters the TEE as a native one, also while the normal world runs.

import { TIMER_CNTPS, TIMER_CNTV } from "../../../abi/boot-package";
import { INTID_SECURE_TIMER, INTID_VIRTUAL_TIMER } from "../arm/gic.gen";
import { CNTPS_CTL_EL1_ENABLE, CNTPS_CTL_EL1_IMASK, CNTPS_CTL_EL1_ISTATUS } from "../arm/registers.gen";
import { Guest } from "../guests/guest";
import { readCNTPCT_EL0, writeCNTPS_CTL_EL1, writeCNTPS_CVAL_EL1 } from "../hw";
import { publishExits } from "../trace/status";
import { CoreArea } from "./core-area";
import { LIST_REGISTER_TIMER, pendInterrupt } from "./gic-interface";
import { TeeCore } from "./tee-core";
import { virtualTimerEnabled } from "./virtual-timer";
import { setWatched, WATCH_NEVER } from "./watch";

export const TIMER_REGISTER_TVAL: u32 = 0;
export const TIMER_REGISTER_CTL: u32 = 1;
export const TIMER_REGISTER_CVAL: u32 = 2;

/** The hypervisor was running when a TEE's timer fired: look again after this many ticks (32 µs at 62.5 MHz). */
const RETRY_TICKS: u64 = 2000;

/** Programs the physical timer of this core to fire at `ticks` (CNTPCT_EL0); 0 stops it. A write only if something changes. */
export function armAt(core: CoreArea, ticks: u64): void {
  if (core.timerTicks === ticks) return;
  core.timerTicks = ticks;
  if (ticks !== 0) writeCNTPS_CVAL_EL1(ticks);
  writeCNTPS_CTL_EL1(ticks !== 0 ? CNTPS_CTL_EL1_ENABLE : 0);
}

export function stopTimer(core: CoreArea): void {
  armAt(core, 0);
}

export function retryTimer(core: CoreArea): void {
  lookAt(core, 0);
}

/** Fires at `ticks`, but not sooner than a retry. */
function lookAt(core: CoreArea, ticks: u64): void {
  const soonest = readCNTPCT_EL0() + RETRY_TICKS;
  armAt(core, ticks > soonest ? ticks : soonest);
}

/** A vCPU of the guest runs on this core from now on, which one is not known yet. */
export function watchGuest(core: CoreArea, guest: Guest): void {
  if (guest.watchTicks !== WATCH_NEVER) lookAt(core, guest.watchTicks);
}

/** The interrupt of the timer that the profile gives a TEE. */
export function timerIntid(guest: Guest): u32 {
  return guest.timer === TIMER_CNTPS ? INTID_SECURE_TIMER : INTID_VIRTUAL_TIMER;
}

/** In the TEE's redistributor. */
export function isTimerInterruptOn(teeCore: TeeCore): bool {
  return (teeCore.redistributorEnabled & (1 << timerIntid(teeCore.guest))) !== 0;
}

/** On, not masked, and its interrupt enabled. */
function isEnabled(teeCore: TeeCore): bool {
  const isOn =
    (teeCore.timerControl & (<u32>CNTPS_CTL_EL1_ENABLE | <u32>CNTPS_CTL_EL1_IMASK)) ===
    <u32>CNTPS_CTL_EL1_ENABLE;
  return isOn && isTimerInterruptOn(teeCore);
}

/** Whether the TEE core's timer condition is met and unmasked, and its interrupt not yet handed to it. */
export function isTimerDue(teeCore: TeeCore): bool {
  return isEnabled(teeCore) && teeCore.timerPending === 0 && readCNTPCT_EL0() >= teeCore.timerDueTicks;
}

/** Hands the interrupt to a TEE core; until it writes its timer again there is no second one. */
export function deliverTimer(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  teeCore.timerPending = 1;
  guest.timerInterrupts++;
  publishExits(guest);
  pendInterrupt(core, teeCore, LIST_REGISTER_TIMER, timerIntid(guest));
}

/** The vCPU of this TEE core, or the TEE core itself, runs on this core from now on: fire when its timer is due. */
export function rearmTimer(core: CoreArea, teeCore: TeeCore): void {
  if (core.foreignPending !== 0) return; // the timer bounds the TEE's stay
  armAt(core, isEnabled(teeCore) && teeCore.timerPending === 0 ? teeCore.timerDueTicks : 0);
}

/** A TEE's read of CNTPS_*_EL1. */
export function readTeeTimer(teeCore: TeeCore, register: u32): u64 {
  const now = readCNTPCT_EL0();
  if (register === TIMER_REGISTER_CVAL) return teeCore.timerDueTicks;
  if (register === TIMER_REGISTER_TVAL) return (teeCore.timerDueTicks - now) & 0xffffffff;
  const isMet = (teeCore.timerControl & <u32>CNTPS_CTL_EL1_ENABLE) !== 0 && now >= teeCore.timerDueTicks;
  return <u64>teeCore.timerControl | (isMet ? CNTPS_CTL_EL1_ISTATUS : 0);
}

/** A TEE's write of CNTPS_*_EL1: takes effect at once if the timer is due, else when the core's own timer fires. */
export function writeTeeTimer(
  core: CoreArea,
  guest: Guest,
  teeCore: TeeCore,
  register: u32,
  value: u64,
): void {
  if (register === TIMER_REGISTER_CVAL) teeCore.timerDueTicks = value;
  else if (register === TIMER_REGISTER_TVAL)
    teeCore.timerDueTicks = readCNTPCT_EL0() + <u64>(<i64>(<i32>value));
  else teeCore.timerControl = <u32>value & (<u32>CNTPS_CTL_EL1_ENABLE | <u32>CNTPS_CTL_EL1_IMASK);
  teeCore.timerPending = 0;
  checkTimer(core, guest, teeCore);
}

/** The running TEE core's timer or its enable has changed. */
export function checkTimer(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (guest.timer === TIMER_CNTV) {
    virtualTimerEnabled(core, teeCore);
    return;
  }
  if (isEnabled(teeCore) || teeCore.isWatched !== 0) setWatched(guest, teeCore, isEnabled(teeCore));
  if (isTimerDue(teeCore)) deliverTimer(core, guest, teeCore);
  else rearmTimer(core, teeCore);
}
