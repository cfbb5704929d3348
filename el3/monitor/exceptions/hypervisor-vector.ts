// Delivering an exception to the hypervisor exactly as the architecture would have done without the monitor.

import { isAarch32, SPSR_EL2H_MASKED } from "../arm/values";
import { writeELR_EL2, writeESR_EL2, writeSPSR_EL2 } from "../hw";
import { CoreArea } from "../worlds/core-area";
import { frameOf } from "../worlds/world-context";
import { VECTOR_SIZE } from "./trapping-vectors";

const LOWER_AARCH64_SYNCHRONOUS: u64 = 0x400;
const LOWER_AARCH32_SYNCHRONOUS: u64 = 0x600;
const INSTRUCTION_SIZE: u64 = 4;

/** A guest's SMC that is not for a TEE: HCR_EL2.TSC as the hypervisor sees it, the return address at the SMC itself. */
export function forwardSmc(core: CoreArea, esrEl3: u64): void {
  const frame = frameOf(changetype<usize>(core));
  const offset = isAarch32(frame.spsrEl3) ? LOWER_AARCH32_SYNCHRONOUS : LOWER_AARCH64_SYNCHRONOUS;
  writeESR_EL2(esrEl3); // a trapped SMC has the same syndrome
  writeELR_EL2(frame.elrEl3 - INSTRUCTION_SIZE);
  writeSPSR_EL2(frame.spsrEl3);
  frame.elrEl3 = core.hypervisorVbarEl2 + offset;
  frame.spsrEl3 = SPSR_EL2H_MASKED;
}

/** An exception that hit a trapping vector but is the hypervisor's: ESR_EL2, ELR_EL2 and SPSR_EL2 are already right. */
export function forwardVector(core: CoreArea, vector: u32): void {
  const frame = frameOf(changetype<usize>(core));
  frame.elrEl3 = core.hypervisorVbarEl2 + <u64>vector * VECTOR_SIZE;
  frame.spsrEl3 = SPSR_EL2H_MASKED;
}
