// The hypervisor's writes of the registers that control translation. `vtz harden` has replaced each by an SMC that names register
// and Rt; here they take effect.

import {
  HARDENED_HCR_EL2,
  HARDENED_MAIR_EL2,
  HARDENED_REGISTER_MASK,
  HARDENED_REGISTER_SHIFT,
  HARDENED_RT_MASK,
  HARDENED_SCTLR_EL2,
  HARDENED_TCR_EL2,
  HARDENED_TTBR0_EL2,
  HARDENED_VBAR_EL2,
  HARDENED_VTCR_EL2,
  HARDENED_VTTBR_EL2,
} from "../../../abi/hardening";
import { HCR_EL2_TSC } from "../arm/registers.gen";
import { mapTrappingVectors } from "../exceptions/trapping-vectors";
import {
  fatal,
  writeHCR_EL2,
  writeMAIR_EL2,
  writeSCTLR_EL2,
  writeTCR_EL2,
  writeTTBR0_EL2,
  writeVBAR_EL2,
  writeVTCR_EL2,
} from "../hw";
import { machine } from "../storage";
import { FATAL_HYPERVISOR_CALL } from "../trace/epitaph";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame, readRegister } from "../worlds/exception-frame";
import { loadStage2Root } from "./stage2-root";

export function writeTranslationRegister(core: CoreArea, frame: ExceptionFrame, imm16: u32): void {
  const value = readRegister(frame, imm16 & HARDENED_RT_MASK);
  switch ((imm16 >> HARDENED_REGISTER_SHIFT) & HARDENED_REGISTER_MASK) {
    case HARDENED_VTTBR_EL2:
      loadStage2Root(core, value);
      break;
    case HARDENED_HCR_EL2:
      writeHCR_EL2(value & ~HCR_EL2_TSC); // a guest's SMC is one exception, straight to EL3
      break;
    case HARDENED_TTBR0_EL2:
      core.ttbr0El2 = value;
      if (machine().controlDomainVttbr !== 0) mapTrappingVectors(value);
      writeTTBR0_EL2(value);
      break;
    case HARDENED_TCR_EL2:
      writeTCR_EL2(value);
      break;
    case HARDENED_MAIR_EL2:
      writeMAIR_EL2(value);
      break;
    case HARDENED_SCTLR_EL2:
      writeSCTLR_EL2(value);
      break;
    case HARDENED_VBAR_EL2:
      core.hypervisorVbarEl2 = value;
      if (core.awaitsTee === 0) writeVBAR_EL2(value);
      break;
    case HARDENED_VTCR_EL2:
      writeVTCR_EL2(value);
      break;
    default:
      fatal(FATAL_HYPERVISOR_CALL, <u64>imm16, frame.elrEl3);
  }
}
