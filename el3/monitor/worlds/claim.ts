// The claim on a TEE core: at most one physical core runs it, whatever the hypervisor schedules.

import { compareAndSwap32, storeRelease32 } from "../hw";
import { TeeCore } from "./tee-core";

function claimPtr(teeCore: TeeCore): usize {
  return changetype<usize>(teeCore) + offsetof<TeeCore>("isRunning");
}

/** Takes a TEE core for this physical core. False if another one runs it. */
export function claimTeeCore(teeCore: TeeCore): bool {
  return compareAndSwap32(claimPtr(teeCore), 0, 1) === 0;
}

/** Everything that this core has saved of the TEE core is seen before the claim is free. */
export function releaseTeeCore(teeCore: TeeCore): void {
  storeRelease32(claimPtr(teeCore), 0);
}
