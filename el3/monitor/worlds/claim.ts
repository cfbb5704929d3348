// The claim on a TEE core: at most one physical core runs it, whatever the hypervisor schedules. A guest is destroyed with all its claims
// taken, and no core has it any more when they are free again: who claims asks afterwards whether the guest is still the one it was.

import { compareAndSwap32, storeRelease32 } from "../hw";
import { TeeCore } from "./tee-core";
import { WORLD_CONTEXT_SIZE } from "./world-context";

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

/** All but the claim, which somebody may take for a moment at any time. */
export function clearTeeCore(teeCore: TeeCore): void {
  const ptr = changetype<usize>(teeCore);
  const behindPtr = claimPtr(teeCore) + sizeof<u32>();
  memory.fill(ptr, 0, claimPtr(teeCore) - ptr);
  memory.fill(behindPtr, 0, ptr + WORLD_CONTEXT_SIZE - behindPtr);
}
