// The hypervisor's writes of the registers that control translation. `vtz harden` has replaced each by an SMC that names register
// and Rt; here they take effect. Until lockdown as asked; from then on VTTBR_EL2 is checked, HCR_EL2 keeps what isolation rests
// on, and the others may only be written again as they are.

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
import {
  VIOLATION_CALL,
  VIOLATION_HCR,
  VIOLATION_REGISTER,
  VIOLATION_STAGE2_ROOT,
} from "../../../abi/status";
import { HCR_EL2_TSC } from "../arm/registers.gen";
import {
  readMAIR_EL2,
  readSCTLR_EL2,
  readTCR_EL2,
  readTTBR0_EL2,
  readVTCR_EL2,
  writeHCR_EL2,
  writeMAIR_EL2,
  writeSCTLR_EL2,
  writeTCR_EL2,
  writeTTBR0_EL2,
  writeVBAR_EL2,
  writeVTCR_EL2,
} from "../hw";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame, readRegister } from "../worlds/exception-frame";
import { enforcedHcr, HCR_FORBIDDEN } from "./hcr";
import { isLockedDown } from "./lockdown";
import { refuseInstruction } from "./refuse";
import { loadStage2Root } from "./stage2-root";

/** No register of 64 bits that is written here can hold all ones. */
const NO_VALUE: u64 = u64.MAX_VALUE;

export function writeTranslationRegister(core: CoreArea, frame: ExceptionFrame, imm16: u32): void {
  const value = readRegister(frame, imm16 & HARDENED_RT_MASK);
  const register = (imm16 >> HARDENED_REGISTER_SHIFT) & HARDENED_REGISTER_MASK;
  if (register === HARDENED_VTTBR_EL2) {
    if (!loadStage2Root(core, value)) refuseInstruction(core, frame, VIOLATION_STAGE2_ROOT, value);
  } else if (register === HARDENED_HCR_EL2) {
    writeHcr(core, frame, value);
  } else if (!isLockedDown()) {
    performWrite(core, frame, register, value);
  } else if (value !== currentValue(core, register)) {
    refuseInstruction(core, frame, VIOLATION_REGISTER, <u64>imm16);
  }
}

/** A guest's SMC is one exception, straight to EL3, and from lockdown on stage 2 is never off. */
function writeHcr(core: CoreArea, frame: ExceptionFrame, value: u64): void {
  if (!isLockedDown()) writeHCR_EL2(value & ~HCR_EL2_TSC);
  else if ((value & HCR_FORBIDDEN) !== 0) refuseInstruction(core, frame, VIOLATION_HCR, value);
  else writeHCR_EL2(enforcedHcr(value));
}

function performWrite(core: CoreArea, frame: ExceptionFrame, register: u32, value: u64): void {
  switch (register) {
    case HARDENED_TTBR0_EL2:
      core.ttbr0El2 = value;
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
      core.vbarEl2 = value;
      writeVBAR_EL2(value);
      break;
    case HARDENED_VTCR_EL2:
      writeVTCR_EL2(value);
      break;
    default:
      refuseInstruction(core, frame, VIOLATION_CALL, <u64>register);
  }
}

/** After lockdown. A register that does not exist has no value that could be written. */
function currentValue(core: CoreArea, register: u32): u64 {
  switch (register) {
    case HARDENED_TTBR0_EL2:
      return readTTBR0_EL2();
    case HARDENED_TCR_EL2:
      return readTCR_EL2();
    case HARDENED_MAIR_EL2:
      return readMAIR_EL2();
    case HARDENED_SCTLR_EL2:
      return readSCTLR_EL2();
    case HARDENED_VBAR_EL2:
      return core.hypervisorVbarEl2;
    case HARDENED_VTCR_EL2:
      return readVTCR_EL2();
    default:
      return NO_VALUE;
  }
}
