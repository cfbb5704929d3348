// SMCs while the normal world or the hypervisor runs: who issued it, and for whom it is. **Read this first:** it is the
// monitor's dispatch table.
//
//   from EL2   imm16 bit 15      a replaced write of a translation register      hypervisor/registers.ts
//                                (of a vCPU switch: not here, see main.ts)       hypervisor/vcpu-switch.ts
//              imm16 0x400n      the trapping vector n                           exceptions/exits.ts
//              imm16 0x4100      a synchronous exception of EL2 itself           exceptions/hypervisor-fault.ts
//              imm16 0           PSCI and SMCCC calls of the hypervisor          hypervisor/calls.ts
//              anything else     undefined, and recorded                         hypervisor/refuse.ts
//   from EL1   owner 48…63       trusted applications and trusted OS: the TEE    worlds/call.ts
//              TRNG              a guest's random numbers                        random/trng.ts
//              0xc7000010, …11   evidence of a guest                             attest/evidence-call.ts
//              anything else     the hypervisor, as if trapped                   exceptions/hypervisor-vector.ts

import { HARDENING_CALL } from "../../../abi/hardening";
import { RANDOM_WORLD_NORMAL } from "../../../abi/random-compartment";
import { SMCCC_OWNER_MASK, SMCCC_OWNER_SHIFT, SMCCC_OWNER_TRUSTED_APPLICATIONS } from "../../../abi/smccc";
import { VIOLATION_CALL } from "../../../abi/status";
import { ESR_EL3_ISS_SMC_IMM16_MASK } from "../arm/registers.gen";
import { isEl2 } from "../arm/values";
import { answerAttest, isAttestCall } from "../attest/evidence-call";
import { handleHypervisorCall } from "../hypervisor/calls";
import { isLockedDown } from "../hypervisor/lockdown";
import { refuseInstruction } from "../hypervisor/refuse";
import { writeTranslationRegister } from "../hypervisor/registers";
import { answerTrng, isTrngCall } from "../random/trng";
import { callTee } from "../worlds/call";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import { frameOf } from "../worlds/world-context";
import { exitBeforeTee } from "./exits";
import { hypervisorFault } from "./hypervisor-fault";
import { forwardSmc } from "./hypervisor-vector";
import { HYPERVISOR_FAULT_CALL, TRAPPING_VECTOR_CALL, TRAPPING_VECTOR_CALL_MASK } from "./trapping-vectors";

export function smcFromNormalWorld(core: CoreArea, esrEl3: u64): void {
  const frame = frameOf(changetype<usize>(core));
  const imm16 = <u32>(esrEl3 & ESR_EL3_ISS_SMC_IMM16_MASK);
  if (!isEl2(frame.spsrEl3)) {
    const owner = (<u32>frame.x0 >> SMCCC_OWNER_SHIFT) & SMCCC_OWNER_MASK;
    if (owner >= SMCCC_OWNER_TRUSTED_APPLICATIONS && imm16 === 0 && core.guest !== null) callTee(core);
    else if (!callMonitor(core, frame, imm16)) forwardSmc(core, esrEl3);
    return;
  }
  if ((imm16 & HARDENING_CALL) !== 0) writeTranslationRegister(core, frame, imm16);
  else if (imm16 === 0) handleHypervisorCall(core, frame);
  else if ((imm16 & TRAPPING_VECTOR_CALL_MASK) === TRAPPING_VECTOR_CALL)
    exitBeforeTee(core, imm16 - TRAPPING_VECTOR_CALL);
  else if (imm16 === HYPERVISOR_FAULT_CALL && isLockedDown()) hypervisorFault(core);
  else refuseInstruction(core, frame, VIOLATION_CALL, <u64>imm16);
}

/** Calls of a guest that the monitor serves itself. False if it is none of them. */
function callMonitor(core: CoreArea, frame: ExceptionFrame, imm16: u32): bool {
  const guest = core.guest;
  if (guest === null || imm16 !== 0) return false;
  if (isTrngCall(<u32>frame.x0)) answerTrng(core, guest, frame, RANDOM_WORLD_NORMAL);
  else if (isAttestCall(<u32>frame.x0)) answerAttest(core, guest, frame);
  else return false;
  return true;
}
