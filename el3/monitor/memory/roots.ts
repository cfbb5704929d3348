// Stage-2 roots: which table VTTBR_EL2 may name, and with which VMID. A root is checked whole when it is loaded for the first time, and bound
// to its VMID until it is empty and on no core. VMIDs of S worlds are the monitor's. One root that stays empty may be loaded with any VMID
// of the hypervisor's: Xen flushes a VMID so.

import { PAGE_FREE, PAGE_STAGE2_TABLE } from "../../../abi/pages";
import { PAGE_SIZE } from "../arm/page-tables.gen";
import { VTTBR_EL2_VMID_SHIFT } from "../arm/registers.gen";
import { isRootOfGuest } from "../guests/lookup";
import { rootPaOf } from "../guests/stage2";
import { readPhysical64 } from "../hw";
import { CORE_MAX, coreArea, GUEST_MAX, machine, vmidRootPtr } from "../storage";
import { flushGuests, pageState, tableLevel, tableOwner, unprotectTable } from "./pages";
import { acceptStage2, isTablePlace, releaseStage2 } from "./stage2-tables";
import { isValid } from "./table-entries";

const VMIDS: u64 = 256; // VTCR_EL2.VS is 0
/** Owner of the empty root: the last S world's VMID, which no root of the hypervisor's can have. */
const EMPTY_ROOT_OWNER: u32 = 255;

/** Whether the hypervisor may load this value; a root that is new is checked and bound. 0 is no root at all. */
export function admitRoot(vttbr: u64): bool {
  const vmid = vttbr >> VTTBR_EL2_VMID_SHIFT;
  const rootPa = rootPaOf(vttbr);
  // CnP and the other low bits too: a root has one name, by which its guest is known.
  if (vmid >= VMIDS - <u64>GUEST_MAX || vttbr % PAGE_SIZE !== 0) return false;
  if (!isTablePlace(rootPa)) return false;
  if (rootPa === machine().emptyRootPa) return true;
  const bound = boundRootPa(<u32>vmid);
  if (bound === rootPa) return true;
  if (machine().emptyRootPa === 0 && hasNoEntry(rootPa) && keepEmptyRoot(rootPa)) return true;
  if (!acceptStage2(rootPa, 0, 0, <u32>vmid)) return false;
  if (bound !== 0 && !releaseRoot(bound)) {
    releaseStage2(rootPa, 0, 0);
    return false;
  }
  store<u64>(vmidRootPtr(<u32>vmid), rootPa);
  return true;
}

/** The root that is bound to a VMID, below 256; 0 if none. */
export function boundRootPa(vmid: u32): u64 {
  return load<u64>(vmidRootPtr(vmid));
}

/** The root at `pa` is the hypervisor's memory again. False if it has entries, or a core has it loaded. */
export function releaseRoot(pa: u64): bool {
  if (isLoaded(pa) || !hasNoEntry(pa) || isRootOfGuest(pa)) return false;
  const owner = tableOwner(pa);
  if (pa === machine().emptyRootPa) machine().emptyRootPa = 0;
  else store<u64>(vmidRootPtr(owner), 0);
  flushGuests();
  unprotectTable(pa);
  return true;
}

export function isRoot(pa: u64): bool {
  return pageState(pa) === PAGE_STAGE2_TABLE && tableLevel(pa) === 0;
}

/** The root that Xen loads between VMs, at lockdown and later. It is looked at when nobody can write it any more. */
export function keepEmptyRoot(pa: u64): bool {
  if (pageState(pa) !== PAGE_FREE || !acceptStage2(pa, 0, 0, EMPTY_ROOT_OWNER)) return false;
  if (!hasNoEntry(pa)) {
    releaseStage2(pa, 0, 0);
    return false;
  }
  machine().emptyRootPa = pa;
  return true;
}

/**
 * Whether a root may get an entry. One that a core has loaded while it was empty may not: its VM would have memory at once, without the load by
 * which it gets a TEE first. The control domain has none.
 */
export function mayFill(rootPa: u64): bool {
  const isControlDomains = rootPaOf(machine().controlDomainVttbr) === rootPa;
  return isControlDomains || !isLoaded(rootPa) || !hasNoEntry(rootPa);
}

function isLoaded(rootPa: u64): bool {
  for (let index: u32 = 0; index < CORE_MAX; index++)
    if (rootPaOf(coreArea(index).requestedVttbrEl2) === rootPa) return true;
  return false;
}

export function hasNoEntry(rootPa: u64): bool {
  for (let offset: u64 = 0; offset < PAGE_SIZE; offset += 8)
    if (isValid(readPhysical64(rootPa + offset))) return false;
  return true;
}
