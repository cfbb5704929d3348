// VMs that were born when the pool was exhausted: they run without a TEE for all their life, also when a slot gets free, since a TEE
// comes before its VM's first instruction or not at all. One VTTBR_EL2 for each VMID.

import { hasNoEntry } from "../memory/roots";
import { refusedVttbrPtr } from "../storage";
import { rootPaOf, vmidOf } from "./stage2";

function ptrOf(vttbr: u64): usize {
  return refusedVttbrPtr(vmidOf(vttbr));
}

export function refuseVm(vttbr: u64): void {
  store<u64>(ptrOf(vttbr), vttbr);
}

export function isRefused(vttbr: u64): bool {
  return load<u64>(ptrOf(vttbr)) === vttbr;
}

/** The hypervisor flushes a VMID: if the root of its refused VM was emptied, the VM is gone. */
export function forgetRefused(vttbr: u64): void {
  const refused = load<u64>(ptrOf(vttbr));
  if (refused !== 0 && hasNoEntry(rootPaOf(refused))) store<u64>(ptrOf(vttbr), 0);
}
