// What EL2 translates and where its exceptions go while a normal world runs: the hypervisor's own root and vectors, or, while a VM waits for
// its TEE, a root that maps nothing and the trapping vectors.

import { POOL_EMPTY_ROOT_OFFSET } from "../../../abi/memory-map";
import { VTTBR_EL2_VMID_MASK } from "../arm/registers.gen";
import { trappingVectorsVa } from "../exceptions/trapping-vectors";
import { writeVBAR_EL2, writeVTTBR_EL2 } from "../hw";
import { machine } from "../storage";
import { CoreArea } from "./core-area";

/** The hypervisor's own root and vectors take effect. */
export function showNormalWorld(core: CoreArea): void {
  core.awaitsTee = 0;
  writeVTTBR_EL2(core.requestedVttbrEl2);
  writeVBAR_EL2(core.vbarEl2);
}

/** The VM whose root was requested has no memory: its next instruction fetch comes to the monitor. */
export function hideNormalWorld(core: CoreArea): void {
  writeVTTBR_EL2(emptyVttbr(core.requestedVttbrEl2));
  writeVBAR_EL2(trappingVectorsVa());
}

/** A root that maps nothing, with the VMID of `vttbr`. */
export function emptyVttbr(vttbr: u64): u64 {
  return (vttbr & VTTBR_EL2_VMID_MASK) | (machine().poolPa + <u64>POOL_EMPTY_ROOT_OFFSET);
}
