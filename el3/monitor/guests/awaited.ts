// VMs that wait for their TEE: what the hypervisor loaded as VTTBR_EL2, by VMID, for the moment in which it reads back our empty root and
// loads that again.

import { awaitedVttbrPtr } from "../storage";
import { vmidOf } from "./stage2";

export function rememberAwaited(vttbr: u64): void {
  store<u64>(awaitedVttbrPtr(vmidOf(vttbr)), vttbr);
}

/** 0 if no VM with the VMID of `vttbr` has ever waited. */
export function awaitedVttbr(vttbr: u64): u64 {
  return load<u64>(awaitedVttbrPtr(vmidOf(vttbr)));
}
