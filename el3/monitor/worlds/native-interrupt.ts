// A native interrupt of a TEE while its normal world runs: the TEE is entered to serve it and comes back with INTERRUPT_DONE; the normal
// world's registers are as they were.

import { ENTRY_KIND_VECTOR } from "../../../abi/boot-package";
import { TEE_ENTRY_INTERRUPT, TEE_EVENT_INTERRUPT } from "../../../abi/tee";
import { SPSR_ALL_MASKED } from "../arm/values";
import { Guest } from "../guests/guest";
import { CoreArea } from "./core-area";
import { enterTee } from "./switch";
import { TEE_CORE_INTERRUPTED, TeeCore } from "./tee-core";
import { frameOf } from "./world-context";

/** The caller holds the TEE core's claim and has made the interrupt pending. */
export function enterInterrupt(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  const frame = frameOf(changetype<usize>(teeCore));
  teeCore.activity = TEE_CORE_INTERRUPTED;
  if (guest.entryKind === ENTRY_KIND_VECTOR) {
    frame.elrEl3 = guest.vectorTableVa + <u64>TEE_ENTRY_INTERRUPT;
    frame.spsrEl3 |= SPSR_ALL_MASKED;
  } else {
    frame.x0 = <u64>TEE_EVENT_INTERRUPT;
  }
  enterTee(core, guest, teeCore);
}
