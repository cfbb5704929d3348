// A TEE leaves by its own SMC: booted, core up, call answered, interrupt served.

import { ENTRY_KIND_VECTOR } from "../../../abi/boot-package";
import { EVENT_TEE_CORE_ON, EVENT_TEE_READY, FAULT_CALL, FAULT_CORE_ON } from "../../../abi/status";
import {
  OPTEE_EXCHANGE_CAPABILITIES_FID,
  TEE_CALL_DONE,
  TEE_CPU_ON_DONE,
  TEE_ENTRY_DONE,
  TEE_INTERRUPT_DONE,
} from "../../../abi/tee";
import { stopTee } from "../exceptions/exits";
import { GUEST_STATE_BOOTING, GUEST_STATE_READY, Guest } from "../guests/guest";
import { readCNTPCT_EL0 } from "../hw";
import { recordEvent } from "../trace/events";
import { publishBootTicks, publishGuest } from "../trace/status";
import { passCall } from "./call";
import { holdAnswer } from "./caller";
import { CoreArea } from "./core-area";
import { markDetached } from "./detached";
import { ExceptionFrame } from "./exception-frame";
import { showNormalWorld } from "./normal-world";
import { leaveTee } from "./switch";
import { TEE_CORE_CALLED, TEE_CORE_IDLE, TEE_CORE_INTERRUPTED, TEE_CORE_STARTING, TeeCore } from "./tee-core";
import { frameOf } from "./world-context";

function leaveByItself(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  teeCore.preemptionsInARow = 0;
  leaveTee(core, guest, teeCore);
}

/** The answer goes to the caller's x0…x3; its other registers are as it left them. */
export function callDone(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (teeCore.activity !== TEE_CORE_CALLED) {
    stopTee(core, guest, teeCore, FAULT_CALL, <u64>TEE_CALL_DONE);
    return;
  }
  const answer = frameOf(changetype<usize>(teeCore));
  const caller = frameOf(changetype<usize>(core));
  teeCore.activity = TEE_CORE_IDLE;
  const fid = <u32>(teeCore.isCallerAway !== 0 ? teeCore.callerX0 : caller.x0);
  if (fid === OPTEE_EXCHANGE_CAPABILITIES_FID) hideCapabilities(guest, answer);
  if (teeCore.isCallerAway !== 0) {
    holdAnswer(teeCore, answer);
    markDetached(guest);
    leaveByItself(core, guest, teeCore);
    return;
  }
  caller.x0 = answer.x1;
  caller.x1 = answer.x2;
  caller.x2 = answer.x3;
  caller.x3 = answer.x4;
  leaveByItself(core, guest, teeCore);
}

/** What the profile says that the virtual platform cannot carry is not offered (OPTEE_SMC_SEC_CAP_*, a1 of the answer). */
function hideCapabilities(guest: Guest, answer: ExceptionFrame): void {
  answer.x2 &= ~(<u64>guest.hiddenCapabilities);
}

/** Booted. Its N world may execute its first instruction. */
export function entryDone(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  const vectorTableVa = frameOf(changetype<usize>(teeCore)).x1;
  const isVectorTee = guest.entryKind === ENTRY_KIND_VECTOR;
  if (
    guest.state !== GUEST_STATE_BOOTING ||
    teeCore.activity !== TEE_CORE_STARTING ||
    isVectorTee !== (vectorTableVa !== 0)
  ) {
    stopTee(core, guest, teeCore, FAULT_CALL, <u64>TEE_ENTRY_DONE);
    return;
  }
  guest.vectorTableVa = vectorTableVa;
  guest.state = GUEST_STATE_READY;
  guest.coresOn = 1;
  teeCore.activity = TEE_CORE_IDLE;
  const ticks = readCNTPCT_EL0() - guest.createdTicks;
  recordEvent(EVENT_TEE_READY, guest.id, vectorTableVa, ticks);
  publishBootTicks(guest, ticks);
  publishGuest(guest);
  leaveByItself(core, guest, teeCore);
  showNormalWorld(core);
}

/** A further core of the TEE is up: the call for whose sake it was started goes in at once. */
export function coreOnDone(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (teeCore.activity !== TEE_CORE_STARTING || frameOf(changetype<usize>(teeCore)).x1 !== 0) {
    stopTee(core, guest, teeCore, FAULT_CORE_ON, <u64>teeCore.index);
    return;
  }
  guest.coresOn++;
  recordEvent(EVENT_TEE_CORE_ON, guest.id, <u64>teeCore.index, <u64>TEE_CPU_ON_DONE);
  publishGuest(guest);
  teeCore.callFollows = 0;
  passCall(guest, teeCore, frameOf(changetype<usize>(core))); // it runs already: only its frame changes
}

export function interruptDone(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (teeCore.activity !== TEE_CORE_INTERRUPTED) {
    stopTee(core, guest, teeCore, FAULT_CALL, <u64>TEE_INTERRUPT_DONE);
    return;
  }
  teeCore.activity = TEE_CORE_IDLE;
  leaveByItself(core, guest, teeCore);
}
