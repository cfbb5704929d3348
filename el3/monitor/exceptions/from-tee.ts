// SMCs and FP traps of a running TEE. From EL1: the dispatcher's ABI, services, adapted timer instructions. From EL2: the trapping
// vectors, since nothing else runs at EL2 meanwhile.

import { TIMER_CNTPS } from "../../../abi/boot-package";
import { FAULT_CALL } from "../../../abi/status";
import {
  TEE_CALL_DONE,
  TEE_CPU_ON_DONE,
  TEE_ENTRY_DONE,
  TEE_INTERRUPT_DONE,
  TEE_RETURN_MASK,
  TEE_RETURN_VALUE,
  TEE_YIELD,
} from "../../../abi/tee";
import { ESR_EL3_ISS_SMC_IMM16_MASK } from "../arm/registers.gen";
import { isEl2 } from "../arm/values";
import {
  TIMER_CALL,
  TIMER_CALL_READ,
  TIMER_CALL_REGISTER_MASK,
  TIMER_CALL_REGISTER_SHIFT,
  TIMER_CALL_RT_MASK,
} from "../guests/adapt";
import { Guest } from "../guests/guest";
import { CoreArea } from "../worlds/core-area";
import { callDone, coreOnDone, entryDone, interruptDone } from "../worlds/done";
import { ExceptionFrame, readRegister, writeRegister } from "../worlds/exception-frame";
import { setTeeAside } from "../worlds/preempt";
import { TeeCore } from "../worlds/tee-core";
import { readTeeTimer, writeTeeTimer } from "../worlds/timer";
import { frameOf } from "../worlds/world-context";
import { exitOfTee, stopTee } from "./exits";
import { answerTeeService } from "./tee-services";
import { TRAPPING_VECTOR_CALL } from "./trapping-vectors";

export function smcFromTee(core: CoreArea, guest: Guest, teeCore: TeeCore, esrEl3: u64): void {
  const frame = frameOf(changetype<usize>(teeCore));
  const imm16 = <u32>(esrEl3 & ESR_EL3_ISS_SMC_IMM16_MASK);
  if (isEl2(frame.spsrEl3)) exitOfTee(core, guest, teeCore, imm16 - TRAPPING_VECTOR_CALL);
  else if ((imm16 & TIMER_CALL) !== 0 && guest.timer === TIMER_CNTPS)
    accessTimer(core, guest, teeCore, frame, imm16);
  else if ((<u32>frame.x0 & TEE_RETURN_MASK) === TEE_RETURN_VALUE)
    returnOfTee(core, guest, teeCore, <u32>frame.x0);
  else answerTeeService(core, guest, frame);
}

function returnOfTee(core: CoreArea, guest: Guest, teeCore: TeeCore, what: u32): void {
  if (what === TEE_CALL_DONE) {
    callDone(core, guest, teeCore); // the hot path
    return;
  }
  switch (what) {
    case TEE_ENTRY_DONE:
      entryDone(core, guest, teeCore);
      break;
    case TEE_CPU_ON_DONE:
      coreOnDone(core, guest, teeCore);
      break;
    case TEE_INTERRUPT_DONE:
      interruptDone(core, guest, teeCore);
      break;
    case TEE_YIELD:
      teeCore.preemptionsInARow = 0; // it has not hung
      setTeeAside(core, guest, teeCore);
      break;
    default:
      stopTee(core, guest, teeCore, FAULT_CALL, <u64>what);
  }
}

function accessTimer(
  core: CoreArea,
  guest: Guest,
  teeCore: TeeCore,
  frame: ExceptionFrame,
  imm16: u32,
): void {
  const register = (imm16 >> TIMER_CALL_REGISTER_SHIFT) & TIMER_CALL_REGISTER_MASK;
  const rt = imm16 & TIMER_CALL_RT_MASK;
  if ((imm16 & TIMER_CALL_READ) !== 0) writeRegister(frame, rt, readTeeTimer(teeCore, register));
  else writeTeeTimer(core, guest, teeCore, register, readRegister(frame, rt));
}
