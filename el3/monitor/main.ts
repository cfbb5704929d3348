// The exports that the vectors and the boot code call; nothing else. Each returns the frame with which the core goes on.
// The dispatch table is exceptions/from-normal-world.ts.

import { HARDENING_CALL } from "../../abi/hardening";
import {
  ESR_EL3_EC_FP_TRAP,
  ESR_EL3_EC_MASK,
  ESR_EL3_EC_SHIFT,
  ESR_EL3_EC_SMC32,
  ESR_EL3_EC_SMC64,
  ESR_EL3_ISS_SMC_IMM16_MASK,
} from "./arm/registers.gen";
import { isEl2 } from "./arm/values";
import { startBootCore, startSecondaryCore } from "./boot/core";
import { initialiseMachine } from "./boot/platform";
import { Compartment } from "./compartments/compartment";
import { handleFiq } from "./exceptions/fiq";
import { smcFromNormalWorld } from "./exceptions/from-normal-world";
import { smcFromTee } from "./exceptions/from-tee";
import { fatal } from "./hw";
import { writeForSwitch } from "./hypervisor/vcpu-switch";
import { coreArea } from "./storage";
import { FATAL_EXCEPTION_CLASS } from "./trace/epitaph";
import { CoreArea } from "./worlds/core-area";
import { FP_CONTEXT_FPCR } from "./worlds/el1-context";
import { ExceptionFrame } from "./worlds/exception-frame";
import { takeFp } from "./worlds/fp";
import { TeeCore } from "./worlds/tee-core";
import { frameOf, spsrOf, WORLD_FRAME } from "./worlds/world-context";

function runningTeeOf(core: CoreArea): TeeCore {
  return changetype<TeeCore>(changetype<usize>(core.runningTee));
}

/** The frame of the world that runs on this core from now on. */
function currentFrame(core: CoreArea): usize {
  const teeCore = runningTeeOf(core);
  const owner = changetype<usize>(teeCore) !== 0 ? changetype<usize>(teeCore) : changetype<usize>(core);
  return changetype<usize>(frameOf(owner));
}

/** Where the core's area lies; the boot code keeps the address in TPIDR_EL3. */
export function coreAreaPtr(core: u32): usize {
  return changetype<usize>(coreArea(core));
}

export function bootMachine(core: u32): usize {
  coreArea(core).index = core;
  initialiseMachine(coreArea(core));
  startBootCore(core);
  return currentFrame(coreArea(core));
}

export function bootSecondary(core: u32): usize {
  coreArea(core).index = core;
  startSecondaryCore(core);
  return currentFrame(coreArea(core));
}

/**
 * A synchronous exception with bit 15 of its syndrome set, as that of the hypervisor's replaced writes has. Those of a switch of vCPUs end
 * here: 0, and the core goes on with the registers that it had.
 */
export function exceptionReplacedWrite(areaPtr: usize, esrEl3: u64): usize {
  const core = changetype<CoreArea>(areaPtr);
  const isSmc = (esrEl3 & ESR_EL3_EC_MASK) >> ESR_EL3_EC_SHIFT === ESR_EL3_EC_SMC64;
  if (isSmc && changetype<usize>(runningTeeOf(core)) === 0 && isEl2(spsrOf(areaPtr))) {
    if (writeForSwitch(core, <u32>(esrEl3 & ESR_EL3_ISS_SMC_IMM16_MASK))) return 0;
  }
  return exceptionSynchronous(areaPtr, esrEl3);
}

/** Any other, or one that was not for there: SMC, or FP while it is trapped. */
export function exceptionSynchronous(areaPtr: usize, esrEl3: u64): usize {
  const core = changetype<CoreArea>(areaPtr);
  const teeCore = runningTeeOf(core);
  const exceptionClass = (esrEl3 & ESR_EL3_EC_MASK) >> ESR_EL3_EC_SHIFT;
  if (exceptionClass === ESR_EL3_EC_SMC64 || exceptionClass === ESR_EL3_EC_SMC32) {
    if (changetype<usize>(teeCore) === 0) smcFromNormalWorld(core, esrEl3);
    else smcFromTee(core, teeCore.guest, teeCore, esrEl3);
  } else if (exceptionClass === ESR_EL3_EC_FP_TRAP && changetype<usize>(teeCore) !== 0) {
    takeFp(core, teeCore);
  } else {
    fatal(FATAL_EXCEPTION_CLASS, esrEl3, frameOf(currentFrame(core) - WORLD_FRAME).elrEl3);
  }
  return currentFrame(core);
}

export function exceptionFiq(areaPtr: usize): usize {
  const core = changetype<CoreArea>(areaPtr);
  handleFiq(core);
  return currentFrame(core);
}

// For the assembly: offsets, and what it decides by.
export const REPLACED_WRITE_BIT: u32 = ctz<u32>(HARDENING_CALL);
export const FRAME_SIZE: usize = offsetof<ExceptionFrame>();
export const FRAME_ELR_EL3: usize = offsetof<ExceptionFrame>("elrEl3");
export const CORE_AREA_FRAME: usize = WORLD_FRAME;
export const CORE_AREA_STACK_TOP: usize = offsetof<CoreArea>("stackTopVa");
export const CORE_AREA_IS_ON: usize = offsetof<CoreArea>("isOn");
export const COMPARTMENT_X0: usize = offsetof<Compartment>("x0");
export const COMPARTMENT_ENTRY: usize = offsetof<Compartment>("entryVa");
export const COMPARTMENT_ASID: usize = offsetof<Compartment>("asid");
export const COMPARTMENT_ESR_EL3: usize = offsetof<Compartment>("esrEl3");
export const CONTEXT_FP_FPCR: usize = FP_CONTEXT_FPCR;
