// The monitor's own interrupts. The secure physical timer: either a TEE has not left in time after a foreign interrupt, or the emulated timer of
// a TEE core is due; before lockdown, it is time to look whether a VM runs. The SMMU's: a device's access was blocked; who runs does not matter, and goes on.

import { TIMER_CNTV } from "../../../abi/boot-package";
import { INTID_HOLD, INTID_SECURE_TIMER } from "../arm/gic.gen";
import { INTID_SMMU_EVENTQ, INTID_SMMU_GERROR } from "../arm/smmu.gen";
import { isEl2 } from "../arm/values";
import { recordBlockedDma } from "../dma/blocked";
import { GUEST_STATE_READY, Guest } from "../guests/guest";
import { fatal, isb, readICC_IAR0_EL1, writeICC_EOIR0_EL1 } from "../hw";
import { holdCore, isLockedDown, watchForVm } from "../hypervisor/lockdown";
import { FATAL_INTERRUPT } from "../trace/epitaph";
import { currentVcpu, teeCoreForVcpu } from "../worlds/call";
import { claimTeeCore, releaseTeeCore } from "../worlds/claim";
import { CoreArea } from "../worlds/core-area";
import { beginForeignInterrupt } from "../worlds/foreign-interrupt";
import { enterInterrupt } from "../worlds/native-interrupt";
import { preemptTee, resumeTee } from "../worlds/preempt";
import { TEE_CORE_IDLE, TEE_CORE_INTERRUPTED, TeeCore } from "../worlds/tee-core";
import { deliverTimer, isTimerDue, rearmTimer, retryTimer, stopTimer } from "../worlds/timer";
import { isNormalTimerDue } from "../worlds/virtual-timer";
import { frameOf } from "../worlds/world-context";

/** 1020…1023 name no interrupt (Arm IHI 0069, 2.2.1). */
const INTID_SPECIAL_FIRST: u32 = 1020;

export function handleFiq(core: CoreArea): void {
  const intid = readICC_IAR0_EL1();
  if (intid >= <u64>INTID_SPECIAL_FIRST) return; // gone by now, or of another group
  if (intid === <u64>INTID_HOLD) {
    writeICC_EOIR0_EL1(intid);
    holdCore(core);
    return;
  }
  if (intid === <u64>INTID_SMMU_EVENTQ || intid === <u64>INTID_SMMU_GERROR) {
    writeICC_EOIR0_EL1(intid); // first: an event that comes while we look interrupts again
    recordBlockedDma();
    return;
  }
  if (intid !== <u64>INTID_SECURE_TIMER) fatal(FATAL_INTERRUPT, intid, 0);
  stopTimer(core);
  isb(); // the line is low before the interrupt ends
  writeICC_EOIR0_EL1(intid);
  const teeCore = changetype<TeeCore>(changetype<usize>(core.runningTee));
  if (!isLockedDown()) watchForVm(core);
  else if (changetype<usize>(teeCore) !== 0) timerWhileTeeRuns(core, teeCore.guest, teeCore);
  else if (core.guest !== null)
    timerWhileNormalWorldRuns(core, changetype<Guest>(changetype<usize>(core.guest)));
}

function timerWhileTeeRuns(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (isEl2(frameOf(changetype<usize>(teeCore)).spsrEl3)) {
    retryTimer(core); // between an exit and the SMC of its trapping vector: part of the TEE's state is in EL2's registers
    return;
  }
  if (core.foreignPending !== 0) {
    preemptTee(core, guest, teeCore);
    return;
  }
  if (guest.timer === TIMER_CNTV) {
    if (isNormalTimerDue(core)) beginForeignInterrupt(core, guest, teeCore);
    return;
  }
  if (isTimerDue(teeCore)) deliverTimer(core, guest, teeCore);
  rearmTimer(core, teeCore);
}

/** The hypervisor may be handling an exit of the guest: look again soon, until the guest itself runs. */
function timerWhileNormalWorldRuns(core: CoreArea, guest: Guest): void {
  if (guest.state !== GUEST_STATE_READY) return;
  if (isEl2(frameOf(changetype<usize>(core)).spsrEl3)) {
    retryTimer(core);
    return;
  }
  const teeCore = changetype<TeeCore>(changetype<usize>(teeCoreForVcpu(guest, currentVcpu())));
  if (changetype<usize>(teeCore) === 0 || teeCore.isWatched === 0 || !claimTeeCore(teeCore)) return;
  if (core.guest !== guest) {
    releaseTeeCore(teeCore); // destroyed meanwhile
    return;
  }
  if (teeCore.isPreempted !== 0 && teeCore.activity === TEE_CORE_INTERRUPTED) {
    resumeTee(core, guest, teeCore);
    return;
  }
  const isDue = isTimerDue(teeCore);
  if (isDue) deliverTimer(core, guest, teeCore);
  if (isDue && teeCore.activity === TEE_CORE_IDLE) {
    enterInterrupt(core, guest, teeCore);
    return;
  }
  releaseTeeCore(teeCore); // a call under way takes the interrupt when it goes on
  rearmTimer(core, teeCore);
}
