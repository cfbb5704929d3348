// The exports that the vectors and the boot code call; nothing else. Each returns the frame with which the core goes on.
// The dispatch table is exceptions/from-normal-world.ts.

import {
  ESR_EL3_EC_FP_TRAP,
  ESR_EL3_EC_MASK,
  ESR_EL3_EC_SHIFT,
  ESR_EL3_EC_SMC32,
  ESR_EL3_EC_SMC64,
} from "./arm/registers.gen";
import { startBootCore, startSecondaryCore } from "./boot/core";
import { initialiseMachine } from "./boot/platform";
import { handleFiq } from "./exceptions/fiq";
import { smcFromNormalWorld } from "./exceptions/from-normal-world";
import { smcFromTee } from "./exceptions/from-tee";
import { fatal } from "./hw";
import { coreArea } from "./storage";
import { FATAL_EXCEPTION_CLASS } from "./trace/epitaph";
import { CoreArea } from "./worlds/core-area";
import { FP_CONTEXT_FPCR } from "./worlds/el1-context";
import { ExceptionFrame } from "./worlds/exception-frame";
import { takeFp } from "./worlds/fp";
import { TeeCore } from "./worlds/tee-core";
import { frameOf, WORLD_FRAME } from "./worlds/world-context";

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
  initialiseMachine();
  startBootCore(core);
  return currentFrame(coreArea(core));
}

export function bootSecondary(core: u32): usize {
  coreArea(core).index = core;
  startSecondaryCore(core);
  return currentFrame(coreArea(core));
}

/** A synchronous exception of a lower level: SMC, or FP while it is trapped. */
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

// Offsets for the assembly.
export const FRAME_SIZE: usize = offsetof<ExceptionFrame>();
export const FRAME_ELR_EL3: usize = offsetof<ExceptionFrame>("elrEl3");
export const CORE_AREA_STACK_TOP: usize = offsetof<CoreArea>("stackTopVa");
export const CORE_AREA_IS_ON: usize = offsetof<CoreArea>("isOn");
export const CONTEXT_FP_FPCR: usize = FP_CONTEXT_FPCR;
