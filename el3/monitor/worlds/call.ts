// A call of the normal world to its TEE: the SMC of a guest with an owning-entity number of 48 or more.

import { ENTRY_KIND_VECTOR } from "../../../abi/boot-package";
import { SMCCC_FAST_CALL } from "../../../abi/smccc";
import { TEE_ENTRY_CPU_ON, TEE_ENTRY_FAST, TEE_ENTRY_YIELDING } from "../../../abi/tee";
import { VMPIDR_EL2_RES1 } from "../arm/registers.gen";
import { SPSR_ALL_MASKED } from "../arm/values";
import { GUEST_STATE_READY, Guest } from "../guests/guest";
import { readVMPIDR_EL2 } from "../hw";
import { NOT_SUPPORTED } from "../smccc";
import { teeCoreAt } from "../storage";
import { publishSwitches } from "../trace/status";
import { giveHeldAnswer, isAwaitedCaller, repeatCall } from "./caller";
import { claimTeeCore, releaseTeeCore } from "./claim";
import { CoreArea } from "./core-area";
import { detachedCoreOf } from "./detached";
import { ExceptionFrame } from "./exception-frame";
import { showNormalWorld } from "./normal-world";
import { resumeForCall } from "./preempt";
import { enterTee, leaveTee } from "./switch";
import { TEE_CORE_CALLED, TEE_CORE_IDLE, TEE_CORE_OFF, TeeCore } from "./tee-core";
import { startTeeCore } from "./tee-start";
import { frameOf } from "./world-context";

/**
 * The vCPU of the guest that runs on this core, as the hypervisor numbered it: Aff0 counts the first sixteen. All else that VMPIDR_EL2 can hold,
 * theirs in Aff1 as well as what no numbering of the hypervisor's has, is a number beyond the cores of any TEE.
 */
export function currentVcpu(): u64 {
  return readVMPIDR_EL2() ^ VMPIDR_EL2_RES1;
}

/** The core of the TEE that serves a vCPU: the same number, or the only one. Null if the TEE has too few. */
export function teeCoreForVcpu(guest: Guest, vcpu: u64): TeeCore | null {
  if (guest.coreCount === 1) return teeCoreAt(guest.slot, 0);
  return vcpu < <u64>guest.coreCount ? teeCoreAt(guest.slot, <u32>vcpu) : null;
}

export function callTee(core: CoreArea): void {
  const guest = changetype<Guest>(changetype<usize>(core.guest));
  const frame = frameOf(changetype<usize>(core));
  let teeCore = changetype<TeeCore>(changetype<usize>(teeCoreForVcpu(guest, currentVcpu())));
  if (changetype<usize>(teeCore) === 0 || guest.state !== GUEST_STATE_READY) {
    frame.x0 = NOT_SUPPORTED;
    return;
  }
  if (guest.hasDetached !== 0) {
    const detached = detachedCoreOf(guest, frame);
    if (detached !== null && detached !== teeCore) {
      teeCore = changetype<TeeCore>(changetype<usize>(detached));
      core.isElsewhere = 1;
    }
  }
  if (!claimTeeCore(teeCore)) {
    core.isElsewhere = 0;
    repeatCall(frame); // another vCPU runs it
    return;
  }
  if (core.guest !== guest) {
    core.isElsewhere = 0; // destroyed meanwhile: the VM has no memory any more
    releaseTeeCore(teeCore);
    repeatCall(frame);
    return;
  }
  if (teeCore.hasHeldAnswer !== 0 && isAwaitedCaller(teeCore, frame)) {
    giveHeldAnswer(teeCore, frame);
    core.isElsewhere = 0;
    releaseTeeCore(teeCore);
  } else if (teeCore.isPreempted !== 0) {
    resumeForCall(core, guest, teeCore, frame);
  } else if (core.isElsewhere !== 0) {
    core.isElsewhere = 0; // it was fetched meanwhile: look again
    releaseTeeCore(teeCore);
    repeatCall(frame);
  } else if (teeCore.activity === TEE_CORE_IDLE) {
    passCall(guest, teeCore, frame);
    enterTee(core, guest, teeCore);
  } else if (teeCore.activity === TEE_CORE_OFF) {
    teeCore.callFollows = 1;
    startTeeCore(teeCore, guest.vectorTableVa + <u64>TEE_ENTRY_CPU_ON, 0);
    enterTee(core, guest, teeCore);
  } else {
    releaseTeeCore(teeCore);
    frame.x0 = NOT_SUPPORTED;
  }
  if (core.runningTee === null) return;
  guest.switches++;
  publishSwitches(guest);
}

/** Hands the caller's x0…x7 to the TEE core and points it at the right entry. */
export function passCall(guest: Guest, teeCore: TeeCore, caller: ExceptionFrame): void {
  const frame = frameOf(changetype<usize>(teeCore));
  frame.x0 = caller.x0;
  frame.x1 = caller.x1;
  frame.x2 = caller.x2;
  frame.x3 = caller.x3;
  frame.x4 = caller.x4;
  frame.x5 = caller.x5;
  frame.x6 = caller.x6;
  frame.x7 = caller.x7;
  teeCore.activity = TEE_CORE_CALLED;
  if (guest.entryKind !== ENTRY_KIND_VECTOR) return; // it goes on behind its own SMC
  const entry = (<u32>caller.x0 & SMCCC_FAST_CALL) !== 0 ? TEE_ENTRY_FAST : TEE_ENTRY_YIELDING;
  frame.elrEl3 = guest.vectorTableVa + <u64>entry;
  frame.spsrEl3 |= SPSR_ALL_MASKED; // the stack pointer that it chose (SPSel) stays, as with firmware
}

/** The running TEE cannot answer: the caller gets NOT_SUPPORTED (a VM that waited for its boot just starts). */
export function answerNotSupported(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  const waits =
    (teeCore.activity === TEE_CORE_CALLED && teeCore.isCallerAway === 0) || teeCore.callFollows !== 0;
  if (waits) {
    frameOf(changetype<usize>(core)).x0 = NOT_SUPPORTED;
  }
  leaveTee(core, guest, teeCore);
  if (core.awaitsTee !== 0) showNormalWorld(core);
}
