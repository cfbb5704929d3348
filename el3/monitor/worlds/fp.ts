// FP and SIMD registers, switched when a TEE first uses them (CPTR_EL3.TFP). The normal world's never reach the TEE
// and the TEE's never reach the normal world, also when a TEE is preempted at an arbitrary instruction.

import { isb, loadFpContext, saveFpContext, writeCPTR_EL3 } from "../hw";
import { CoreArea } from "./core-area";
import { TeeCore } from "./tee-core";
import { WORLD_FP } from "./world-context";

/** The running TEE's first FP instruction since it was entered: its registers, zero the very first time. */
export function takeFp(core: CoreArea, teeCore: TeeCore): void {
  writeCPTR_EL3(0);
  isb();
  saveFpContext(changetype<usize>(core) + WORLD_FP);
  loadFpContext(changetype<usize>(teeCore) + WORLD_FP);
  core.fpSwitched = 1;
}

export function putBackFp(core: CoreArea, teeCore: TeeCore): void {
  saveFpContext(changetype<usize>(teeCore) + WORLD_FP);
  loadFpContext(changetype<usize>(core) + WORLD_FP);
  core.fpSwitched = 0;
}
