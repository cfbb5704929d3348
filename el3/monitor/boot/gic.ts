// The GIC before the hypervisor sees it: everything in non-secure group 1, but for the secure physical timer, one SGI and the SMMU's
// interrupts, which are the monitor's own and arrive at EL3 as FIQ (group 0). Arm IHI 0069.

import { GICD_PA, GICR_FRAME_SIZE, GICR_PA } from "../../../abi/memory-map";
import {
  GICD_CTLR,
  GICD_CTLR_ARE_NS,
  GICD_CTLR_ARE_S,
  GICD_CTLR_GRP0,
  GICD_CTLR_GRP1NS,
  GICD_ICFGR,
  GICD_IGROUPR,
  GICD_IPRIORITYR,
  GICD_IROUTER,
  GICD_ISENABLER,
  GICD_TYPER,
  GICD_TYPER_ITLINES_MASK,
  GICR_ICENABLER0,
  GICR_IGROUPR0,
  GICR_IGRPMODR0,
  GICR_IPRIORITYR,
  GICR_ISENABLER0,
  GICR_WAKER,
  GICR_WAKER_CHILDREN_ASLEEP,
  GICR_WAKER_PROCESSOR_SLEEP,
  INTID_HOLD,
  INTID_SECURE_TIMER,
} from "../arm/gic.gen";
import {
  ICC_IGRPEN0_EL1_ENABLE,
  ICC_IGRPEN1_EL3_NS,
  ICC_SRE_EL3_DFB,
  ICC_SRE_EL3_DIB,
  ICC_SRE_EL3_ENABLE,
  ICC_SRE_EL3_SRE,
} from "../arm/registers.gen";
import { INTID_SMMU_EVENTQ, INTID_SMMU_GERROR } from "../arm/smmu.gen";
import {
  isb,
  readPhysical32,
  writeICC_IGRPEN0_EL1,
  writeICC_IGRPEN1_EL3,
  writeICC_PMR_EL1,
  writeICC_SRE_EL1,
  writeICC_SRE_EL2,
  writeICC_SRE_EL3,
  writePhysical8,
  writePhysical32,
  writePhysical64,
} from "../hw";

const DISTRIBUTOR_PA: u64 = <u64>GICD_PA;
const ALL_GROUP1: u32 = 0xffffffff;
/** The timer's alone: it ends a compartment that the monitor's other interrupts wait for (compartments/call.ts). */
const PRIORITY_TIMER: u32 = 0;
/** Above all of the normal world's, which start at 0x80. */
const PRIORITY_MONITOR: u32 = 0x40;
const PRIORITY_MASK_OPEN: u64 = 0xff;
const SYSTEM_REGISTERS_ON: u64 = ICC_SRE_EL3_SRE | ICC_SRE_EL3_DFB | ICC_SRE_EL3_DIB | ICC_SRE_EL3_ENABLE;
/** The monitor's own, in group 0: its timer, and the SGI by which one core holds the others. */
const OWN_BITS: u32 = (1 << INTID_SECURE_TIMER) | (1 << INTID_HOLD);
/** In the two bits that GICD_ICFGR has for an INTID. */
const EDGE: u32 = 2;
const WAKE_POLLS_MAX: u32 = 1000000;

export function initialiseDistributor(): void {
  writePhysical32(DISTRIBUTOR_PA + <u64>GICD_CTLR, GICD_CTLR_ARE_S | GICD_CTLR_ARE_NS);
  const words = readPhysical32(DISTRIBUTOR_PA + <u64>GICD_TYPER) & <u32>GICD_TYPER_ITLINES_MASK;
  for (let word: u32 = 1; word <= words; word++) {
    writePhysical32(DISTRIBUTOR_PA + <u64>GICD_IGROUPR + <u64>word * 4, ALL_GROUP1);
  }
  writePhysical32(
    DISTRIBUTOR_PA + <u64>GICD_CTLR,
    GICD_CTLR_ARE_S | GICD_CTLR_ARE_NS | GICD_CTLR_GRP0 | GICD_CTLR_GRP1NS,
  );
}

/** Two interrupts of the SMMU are the monitor's as well: edges, to the boot core. Before anything of the normal world runs. */
export function takeSmmuInterrupts(): void {
  takeInterrupt(INTID_SMMU_EVENTQ);
  takeInterrupt(INTID_SMMU_GERROR);
}

function takeInterrupt(intid: u32): void {
  const bit: u32 = 1 << (intid % 32);
  const groupPa = DISTRIBUTOR_PA + <u64>GICD_IGROUPR + <u64>(intid / 32) * 4;
  writePhysical32(groupPa, readPhysical32(groupPa) & ~bit);
  const configurationPa = DISTRIBUTOR_PA + <u64>GICD_ICFGR + <u64>(intid / 16) * 4;
  writePhysical32(configurationPa, readPhysical32(configurationPa) | (EDGE << ((intid % 16) * 2)));
  writePhysical8(DISTRIBUTOR_PA + <u64>GICD_IPRIORITYR + <u64>intid, PRIORITY_MONITOR);
  writePhysical64(DISTRIBUTOR_PA + <u64>GICD_IROUTER + <u64>intid * 8, 0);
  writePhysical32(DISTRIBUTOR_PA + <u64>GICD_ISENABLER + <u64>(intid / 32) * 4, bit);
}

/** Every core's own part: its redistributor and CPU interface. */
export function initialiseCoreInterrupts(core: u32): void {
  const pa = <u64>GICR_PA + <u64>core * <u64>GICR_FRAME_SIZE;
  const waker = readPhysical32(pa + <u64>GICR_WAKER) & ~GICR_WAKER_PROCESSOR_SLEEP;
  writePhysical32(pa + <u64>GICR_WAKER, waker);
  for (let polls: u32 = 0; polls < WAKE_POLLS_MAX; polls++) {
    if ((readPhysical32(pa + <u64>GICR_WAKER) & GICR_WAKER_CHILDREN_ASLEEP) === 0) break;
  }
  writePhysical32(pa + <u64>GICR_ICENABLER0, ALL_GROUP1);
  writePhysical32(pa + <u64>GICR_IGROUPR0, ALL_GROUP1 & ~OWN_BITS);
  writePhysical32(pa + <u64>GICR_IGRPMODR0, 0);
  writePhysical8(pa + <u64>GICR_IPRIORITYR + <u64>INTID_SECURE_TIMER, PRIORITY_TIMER);
  writePhysical8(pa + <u64>GICR_IPRIORITYR + <u64>INTID_HOLD, PRIORITY_MONITOR);
  writePhysical32(pa + <u64>GICR_ISENABLER0, OWN_BITS);
  writeICC_SRE_EL3(SYSTEM_REGISTERS_ON);
  isb();
  writeICC_SRE_EL2(SYSTEM_REGISTERS_ON);
  isb();
  writeICC_SRE_EL1(SYSTEM_REGISTERS_ON);
  writeICC_PMR_EL1(PRIORITY_MASK_OPEN);
  writeICC_IGRPEN0_EL1(ICC_IGRPEN0_EL1_ENABLE);
  writeICC_IGRPEN1_EL3(ICC_IGRPEN1_EL3_NS);
  isb();
}
