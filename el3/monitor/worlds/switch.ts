// The world switch. A guest's two worlds are two contexts of one vCPU of the hypervisor: entering a TEE core puts the normal
// world's EL1 and EL2 registers into the core's area and loads the TEE core's; leaving does the reverse. General
// registers need no copy: each world has its own exception frame (exception-frame.ts).
//
// Lazily switched, and only by a TEE that uses them: FP and SIMD (CPTR_EL3.TFP traps) and the virtual CPU interface of the GIC
// (ICH_HCR_EL2 traps).

import { TIMER_CNTV } from "../../../abi/boot-package";
import {
  CPTR_EL3_TFP,
  HCR_EL2_AMO,
  HCR_EL2_BSU_INNER,
  HCR_EL2_FB,
  HCR_EL2_FMO,
  HCR_EL2_IMO,
  HCR_EL2_RW,
  HCR_EL2_SWIO,
  HCR_EL2_TACR,
  HCR_EL2_TWI,
  HCR_EL2_VM,
  ICH_HCR_EL2_TALL0,
  ICH_HCR_EL2_TALL1,
  ICH_HCR_EL2_TC,
  ICH_HCR_EL2_TDIR,
  VMPIDR_EL2_RES1,
} from "../arm/registers.gen";
import { trappingVectorsVa } from "../exceptions/trapping-vectors";
import { Guest } from "../guests/guest";
import {
  loadEl1Context,
  readHCR_EL2,
  readICH_HCR_EL2,
  readVMPIDR_EL2,
  saveEl1Context,
  writeCPTR_EL3,
  writeHCR_EL2,
  writeICH_HCR_EL2,
  writeVBAR_EL2,
  writeVMPIDR_EL2,
  writeVTTBR_EL2,
} from "../hw";
import { releaseTeeCore } from "./claim";
import { CoreArea } from "./core-area";
import { endForeignInterrupt } from "./foreign-interrupt";
import { putBackFp } from "./fp";
import { putBackGic, takeGic } from "./gic-interface";
import { hideNormalWorld } from "./normal-world";
import { TEE_CORE_INTERRUPTED, TeeCore } from "./tee-core";
import { rearmTimer, retryTimer } from "./timer";
import { hideVirtualTimer, showVirtualTimer } from "./virtual-timer";
import { WORLD_EL1 } from "./world-context";

/**
 * HCR_EL2 while a TEE runs: stage 2 on, all interrupts virtual, WFI and ACTLR_EL1 trapped, and maintenance broadcast, since a TEE
 * built for one core may find itself on another (FB, BSU).
 */
export const HCR_FOR_TEE: u64 =
  HCR_EL2_RW |
  HCR_EL2_VM |
  HCR_EL2_SWIO |
  HCR_EL2_FMO |
  HCR_EL2_IMO |
  HCR_EL2_AMO |
  HCR_EL2_FB |
  HCR_EL2_BSU_INNER |
  HCR_EL2_TWI |
  HCR_EL2_TACR;

/** The virtual CPU interface off and every access to it trapped, until the TEE asks for it. */
export const ICH_HCR_TRAPPING: u64 =
  ICH_HCR_EL2_TALL0 | ICH_HCR_EL2_TALL1 | ICH_HCR_EL2_TC | ICH_HCR_EL2_TDIR;

/** Normal world → TEE. The caller holds the TEE core's claim (tee-core.ts, isRunning) and has set its frame. */
export function enterTee(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  core.runningTee = teeCore;
  core.normalHcrEl2 = readHCR_EL2();
  core.normalIchHcrEl2 = readICH_HCR_EL2();
  saveEl1Context(changetype<usize>(core) + WORLD_EL1);
  loadEl1Context(changetype<usize>(teeCore) + WORLD_EL1);
  writeVTTBR_EL2(guest.teeVttbr);
  writeHCR_EL2(guest.teeHcr);
  writeVBAR_EL2(trappingVectorsVa());
  if (guest.coreCount === 1 || readVMPIDR_EL2() !== vmpidrOf(teeCore)) showTeeCore(core, guest, teeCore);
  writeICH_HCR_EL2(ICH_HCR_TRAPPING);
  writeCPTR_EL3(CPTR_EL3_TFP);
  if (teeCore.usesGic !== 0) takeGic(core, teeCore);
}

/** What the hypervisor gives the vCPU of the same number. */
function vmpidrOf(teeCore: TeeCore): u64 {
  return VMPIDR_EL2_RES1 | <u64>teeCore.index;
}

/** A TEE core always finds itself on the core of its own number, whichever vCPU runs it, and whatever the hypervisor calls that. */
function showTeeCore(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  core.normalVmpidrEl2 = readVMPIDR_EL2();
  core.vmpidrSwitched = 1;
  writeVMPIDR_EL2(vmpidrOf(teeCore));
  if (guest.timer === TIMER_CNTV) showVirtualTimer(core, teeCore); // a TEE of one core, always
}

function hideTeeCore(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  core.isElsewhere = 0; // elsewhere VMPIDR_EL2 was another's, and so was switched
  core.vmpidrSwitched = 0;
  writeVMPIDR_EL2(core.normalVmpidrEl2);
  if (guest.timer === TIMER_CNTV) hideVirtualTimer(core, teeCore);
}

/** TEE → normal world. What the N world sees in its general registers is the caller's business. */
export function leaveTee(core: CoreArea, guest: Guest, teeCore: TeeCore): void {
  const interruptWaits = core.foreignPending !== 0;
  if (interruptWaits) endForeignInterrupt(core);
  if (core.gicSwitched !== 0) putBackGic(core, teeCore);
  if (core.fpSwitched !== 0) putBackFp(core, teeCore);
  writeCPTR_EL3(0);
  saveEl1Context(changetype<usize>(teeCore) + WORLD_EL1);
  loadEl1Context(changetype<usize>(core) + WORLD_EL1);
  writeHCR_EL2(core.normalHcrEl2);
  if (core.awaitsTee === 0) {
    writeVTTBR_EL2(core.requestedVttbrEl2);
    writeVBAR_EL2(core.vbarEl2);
  } else {
    hideNormalWorld(core); // its vectors are the trapping ones already
  }
  if (core.vmpidrSwitched !== 0) hideTeeCore(core, guest, teeCore);
  writeICH_HCR_EL2(core.normalIchHcrEl2);
  core.runningTee = null;
  if (teeCore.isWatched !== 0 && core.timerTicks !== teeCore.timerDueTicks)
    watchTimer(core, teeCore, interruptWaits);
  releaseTeeCore(teeCore);
}

/** The core's own timer is not set for the TEE core that leaves: the normal world takes a waiting interrupt first. */
function watchTimer(core: CoreArea, teeCore: TeeCore, interruptWaits: bool): void {
  if (interruptWaits || teeCore.activity === TEE_CORE_INTERRUPTED) retryTimer(core);
  else rearmTimer(core, teeCore);
}
