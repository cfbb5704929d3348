// Who called. A preempted call goes on when its SMC is executed again; but a normal world that schedules in between may come with another
// call on the same vCPU first. Then the TEE finishes the preempted one, its answer is held until its caller is back,
// and the other caller executes its SMC again meanwhile. A caller is known by its return address, stack and arguments.

import { readSP_EL1 } from "../hw";
import { CoreArea } from "./core-area";
import { El1Context } from "./el1-context";
import { ExceptionFrame } from "./exception-frame";
import { TeeCore } from "./tee-core";
import { frameOf, WORLD_EL1 } from "./world-context";

export const INSTRUCTION_SIZE: u64 = 4;

/** While the TEE runs: the normal world's registers are in the core's area, its return address behind the SMC. */
export function rememberCaller(core: CoreArea, teeCore: TeeCore): void {
  const caller = frameOf(changetype<usize>(core));
  teeCore.callerElr = caller.elrEl3;
  teeCore.callerSp = changetype<El1Context>(changetype<usize>(core) + WORLD_EL1).spEl1;
  teeCore.callerX0 = caller.x0;
  teeCore.callerX1 = caller.x1;
  teeCore.callerX2 = caller.x2;
  teeCore.callerX3 = caller.x3;
}

/** While the normal world runs. */
export function isPreemptedCaller(teeCore: TeeCore, caller: ExceptionFrame): bool {
  return (
    teeCore.callerElr === caller.elrEl3 &&
    teeCore.callerSp === readSP_EL1() &&
    teeCore.callerX0 === caller.x0 &&
    teeCore.callerX1 === caller.x1 &&
    teeCore.callerX2 === caller.x2 &&
    teeCore.callerX3 === caller.x3
  );
}

/** While the normal world runs: whether a held answer is for this caller. */
export function isAwaitedCaller(teeCore: TeeCore, caller: ExceptionFrame): bool {
  return (
    teeCore.heldElr === caller.elrEl3 &&
    teeCore.heldSp === readSP_EL1() &&
    teeCore.heldCallX0 === caller.x0 &&
    teeCore.heldCallX1 === caller.x1 &&
    teeCore.heldCallX2 === caller.x2 &&
    teeCore.heldCallX3 === caller.x3
  );
}

/** The normal world executes its SMC again when it runs next. */
export function repeatCall(caller: ExceptionFrame): void {
  caller.elrEl3 -= INSTRUCTION_SIZE;
}

/** `answer` is the TEE's frame at CALL_DONE. */
export function holdAnswer(teeCore: TeeCore, answer: ExceptionFrame): void {
  teeCore.isCallerAway = 0;
  teeCore.hasHeldAnswer = 1;
  teeCore.heldElr = teeCore.callerElr;
  teeCore.heldSp = teeCore.callerSp;
  teeCore.heldCallX0 = teeCore.callerX0;
  teeCore.heldCallX1 = teeCore.callerX1;
  teeCore.heldCallX2 = teeCore.callerX2;
  teeCore.heldCallX3 = teeCore.callerX3;
  teeCore.heldX0 = answer.x1;
  teeCore.heldX1 = answer.x2;
  teeCore.heldX2 = answer.x3;
  teeCore.heldX3 = answer.x4;
}

export function giveHeldAnswer(teeCore: TeeCore, caller: ExceptionFrame): void {
  teeCore.hasHeldAnswer = 0;
  caller.x0 = teeCore.heldX0;
  caller.x1 = teeCore.heldX1;
  caller.x2 = teeCore.heldX2;
  caller.x3 = teeCore.heldX3;
}
