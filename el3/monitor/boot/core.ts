// What every core does before it enters the hypervisor: its interrupt interface, the registers that lower levels inherit, and the
// frame that the return path loads.

import { IMAGE_DEVICE_TREE, IMAGE_HYPERVISOR } from "../../../abi/boot-package";
import {
  CNTHCTL_EL2_EL1PCEN,
  CNTHCTL_EL2_EL1PCTEN,
  ICH_VTR_EL2_LISTREGS_MASK,
  ICH_VTR_EL2_LISTREGS_SHIFT,
  SCR_EL3_FIQ,
  SCR_EL3_HCE,
  SCR_EL3_NS,
  SCR_EL3_RES1_MASK,
  SCR_EL3_RW,
} from "../arm/registers.gen";
import { SPSR_EL2H_MASKED } from "../arm/values";
import { imagePlace } from "../boot-package";
import {
  isb,
  readICH_VTR_EL2,
  readMIDR_EL1,
  readMPIDR_EL1,
  writeCNTFRQ_EL0,
  writeCNTHCTL_EL2,
  writeCNTVOFF_EL2,
  writeCPTR_EL2,
  writeCPTR_EL3,
  writeHCR_EL2,
  writeMDCR_EL3,
  writeSCR_EL3,
  writeSCTLR_EL2,
  writeVMPIDR_EL2,
  writeVPIDR_EL2,
  writeVTTBR_EL2,
} from "../hw";
import { beginWatch } from "../hypervisor/lockdown";
import { seedRandom } from "../random/random";
import { coreArea, machine } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { clearRegisters } from "../worlds/exception-frame";
import { stopTimer } from "../worlds/timer";
import { frameOf } from "../worlds/world-context";
import { initialiseCoreInterrupts } from "./gic";

/** QEMU `virt`: the system counter runs at 62.5 MHz. */
const COUNTER_FREQUENCY: u64 = 62500000;
/** Non-secure below, HVC on, lower levels AArch64, group 0 to EL3; SMC not disabled. */
const SCR_FOR_NORMAL_WORLD: u64 = SCR_EL3_NS | SCR_EL3_HCE | SCR_EL3_RW | SCR_EL3_FIQ | SCR_EL3_RES1_MASK;
/** RES1 bits; MMU and caches off. */
const SCTLR_EL2_AT_ENTRY: u64 = 0x30c50830;
/** RES1 bits; no trap. */
const CPTR_EL2_AT_ENTRY: u64 = 0x33ff;

/** What this core needs before it can call a compartment. */
export function prepareCore(core: CoreArea): void {
  writeSCR_EL3(SCR_FOR_NORMAL_WORLD); // first: EL2's registers exist for EL3 only then
  isb();
  initialiseCoreInterrupts(core.index);
  core.timerTicks = u64.MAX_VALUE; // whatever it was before: off
  stopTimer(core);
}

/** Sets this core up and points its frame at `entryPa` in EL2. */
function enterHypervisor(core: CoreArea, entryPa: u64, x0: u64): void {
  writeMDCR_EL3(0);
  writeCPTR_EL3(0);
  writeCNTFRQ_EL0(COUNTER_FREQUENCY);
  writeSCTLR_EL2(SCTLR_EL2_AT_ENTRY);
  writeHCR_EL2(0);
  writeCPTR_EL2(CPTR_EL2_AT_ENTRY);
  writeVTTBR_EL2(0);
  writeCNTVOFF_EL2(0);
  writeCNTHCTL_EL2(CNTHCTL_EL2_EL1PCTEN | CNTHCTL_EL2_EL1PCEN);
  writeVPIDR_EL2(readMIDR_EL1());
  writeVMPIDR_EL2(readMPIDR_EL1());
  isb();
  beginWatch(core);
  const frame = frameOf(changetype<usize>(core));
  clearRegisters(frame);
  frame.x0 = x0;
  frame.elrEl3 = entryPa;
  frame.spsrEl3 = SPSR_EL2H_MASKED;
}

export function startBootCore(index: u32): void {
  coreArea(index).isOn = 1;
  enterHypervisor(coreArea(index), imagePlace(IMAGE_HYPERVISOR), imagePlace(IMAGE_DEVICE_TREE));
  seedRandom(coreArea(index));
  const last = (readICH_VTR_EL2() & ICH_VTR_EL2_LISTREGS_MASK) >> ICH_VTR_EL2_LISTREGS_SHIFT;
  machine().listRegisters = <u32>last + 1;
}

/** A core that PSCI CPU_ON has released from the pen. */
export function startSecondaryCore(index: u32): void {
  const core = coreArea(index);
  core.guest = null;
  core.runningTee = null;
  core.awaitsTee = 0;
  core.vbarEl2 = 0;
  core.requestedVttbrEl2 = 0;
  core.ttbr0El2 = 0;
  prepareCore(core);
  enterHypervisor(core, core.entryPa, core.entryContext);
}
