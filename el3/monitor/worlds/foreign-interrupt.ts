// A physical interrupt while a TEE runs belongs to the normal world. It is held back (priority mask), made pending for the TEE as its
// profile says, and the TEE leaves by its own means; the normal world then takes it through the hypervisor as
// usual. A TEE that does not leave within a bound is preempted (preempt.ts), and at once if it wants to hear of none.

import { FOREIGN_NONE, FOREIGN_VFIQ, FOREIGN_VIRQ, TIMER_CNTV } from "../../../abi/boot-package";
import { HCR_EL2_VF } from "../arm/registers.gen";
import { isSpiOn } from "../devices/secure-gic";
import { Guest } from "../guests/guest";
import { readCNTPCT_EL0, readICC_PMR_EL1, writeHCR_EL2, writeICC_PMR_EL1 } from "../hw";
import { machine } from "../storage";
import { CoreArea } from "./core-area";
import { LIST_REGISTER_FOREIGN, pendInterrupt } from "./gic-interface";
import { setTeeAside } from "./preempt";
import { TeeCore } from "./tee-core";
import { armAt, stopTimer } from "./timer";
import { takeVirtualTimer } from "./virtual-timer";

/** Lets group 0 (the monitor's) through and holds back group 1 of the normal world, whose priorities start at 0x80. */
const PRIORITY_MASK_MONITOR_ONLY: u64 = 0x80;

/** A running TEE was stopped by a physical interrupt: that of its own virtual timer, or one of the normal world. */
export function interruptTee(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  if (guest.timer === TIMER_CNTV && takeVirtualTimer(core, guest, teeCore)) return;
  beginForeignInterrupt(core, guest, teeCore);
}

/** An SPI that the TEE has not enabled would only hold up the normal world: it boots, or has a handler that it has not re-armed. */
function hears(guest: Guest): bool {
  if (guest.foreignInterrupt === FOREIGN_VIRQ) return isSpiOn(guest, guest.foreignIntid);
  return guest.foreignInterrupt !== FOREIGN_NONE;
}

export function beginForeignInterrupt(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  guest.foreignInterrupts++;
  if (!hears(guest)) {
    setTeeAside(core, guest, teeCore);
    return;
  }
  if (core.foreignPending !== 0) return; // it waits already
  core.priorityMask = readICC_PMR_EL1();
  core.foreignPending = 1;
  writeICC_PMR_EL1(PRIORITY_MASK_MONITOR_ONLY);
  if (guest.foreignInterrupt === FOREIGN_VFIQ) writeHCR_EL2(guest.teeHcr | HCR_EL2_VF);
  else pendInterrupt(core, teeCore, LIST_REGISTER_FOREIGN, guest.foreignIntid);
  armAt(core, readCNTPCT_EL0() + <u64>machine().preemptionTicks);
}

/** The TEE is leaving: the interrupt reaches the normal world as soon as it runs. */
export function endForeignInterrupt(core: CoreArea): void {
  core.foreignPending = 0;
  writeICC_PMR_EL1(core.priorityMask);
  stopTimer(core);
}
