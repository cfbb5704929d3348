// The virtual CPU interface of the GIC (ICH_*, seen by a world as ICC_*), switched when a TEE first touches it or has an interrupt of its own
// to take. The normal world's pending interrupts are out of reach meanwhile.

import { INTID_VIRTUAL_TIMER } from "../arm/gic.gen";
import {
  ICH_HCR_EL2_EN,
  ICH_LR_EL2_GROUP,
  ICH_LR_EL2_HW,
  ICH_LR_EL2_PINTID_SHIFT,
  ICH_LR_EL2_PRIORITY_SHIFT,
  ICH_LR_EL2_STATE_INVALID,
  ICH_LR_EL2_STATE_MASK,
  ICH_LR_EL2_STATE_PENDING,
} from "../arm/registers.gen";
import { isb, loadGicContext, saveGicContext, writeICH_HCR_EL2 } from "../hw";
import { machine } from "../storage";
import { CoreArea } from "./core-area";
import { GicContext } from "./el1-context";
import { TeeCore } from "./tee-core";
import { WORLD_GIC } from "./world-context";

const LR_COUNT: u32 = 16;
/** The list register that a TEE's interrupts go through, one each: 0 the timer, 1 a foreign interrupt as IRQ. */
export const LIST_REGISTER_TIMER: u32 = 0;
export const LIST_REGISTER_FOREIGN: u32 = 1;
const INTERRUPT_PRIORITY: u64 = 0xa0;
const PENDING_GROUP1: u64 =
  ICH_LR_EL2_GROUP | ICH_LR_EL2_STATE_PENDING | (INTERRUPT_PRIORITY << ICH_LR_EL2_PRIORITY_SHIFT);

export function gicContextOf(teeCore: TeeCore): GicContext {
  return changetype<GicContext>(changetype<usize>(teeCore) + WORLD_GIC);
}

export function takeGic(core: CoreArea, teeCore: TeeCore): void {
  saveGicContext(changetype<usize>(core) + WORLD_GIC, machine().listRegisters);
  loadGicContext(changetype<usize>(teeCore) + WORLD_GIC, machine().listRegisters);
  writeICH_HCR_EL2(ICH_HCR_EL2_EN);
  isb();
  core.gicSwitched = 1;
}

/** Puts the normal world's interface back. The TEE needs it at its next entry only if an interrupt is left over. */
export function putBackGic(core: CoreArea, teeCore: TeeCore): void {
  saveGicContext(changetype<usize>(teeCore) + WORLD_GIC, machine().listRegisters);
  loadGicContext(changetype<usize>(core) + WORLD_GIC, machine().listRegisters);
  core.gicSwitched = 0;
  teeCore.usesGic = hasListed(teeCore) ? 1 : 0;
}

function hasListed(teeCore: TeeCore): bool {
  const firstPtr = changetype<usize>(gicContextOf(teeCore)) + offsetof<GicContext>("lr0");
  for (let index: u32 = 0; index < LR_COUNT; index++) {
    const state = load<u64>(firstPtr + ((<usize>index) << 3)) & ICH_LR_EL2_STATE_MASK;
    if (state !== ICH_LR_EL2_STATE_INVALID) return true; // what was served keeps its number
  }
  return false;
}

/** Whether the timer's interrupt waits or is served, in the saved interface. One that only waits is withdrawn. */
export function withdrawTimerInterrupt(teeCore: TeeCore): bool {
  const context = gicContextOf(teeCore);
  const state = context.lr0 & ICH_LR_EL2_STATE_MASK;
  if (state === ICH_LR_EL2_STATE_PENDING) {
    context.lr0 = 0;
    teeCore.usesGic = hasListed(teeCore) ? 1 : 0;
    return false;
  }
  return state !== ICH_LR_EL2_STATE_INVALID;
}

export function hasTimerInterrupt(teeCore: TeeCore): bool {
  return (gicContextOf(teeCore).lr0 & ICH_LR_EL2_STATE_MASK) !== ICH_LR_EL2_STATE_INVALID;
}

/** Makes a group 1 interrupt pending for a TEE core, in its saved or its live interface. */
export function pendInterrupt(core: CoreArea, teeCore: TeeCore, listRegister: u32, intid: u32): void {
  let lr = <u64>intid | PENDING_GROUP1;
  // The end of the virtual interrupt is that of the physical one, which is held active meanwhile (virtual-timer.ts).
  if (intid === INTID_VIRTUAL_TIMER) lr |= ICH_LR_EL2_HW | ((<u64>intid) << ICH_LR_EL2_PINTID_SHIFT);
  const isLive = core.runningTee === teeCore && core.gicSwitched !== 0;
  if (isLive) putBackGic(core, teeCore);
  store<u64>(
    changetype<usize>(gicContextOf(teeCore)) + offsetof<GicContext>("lr0") + ((<usize>listRegister) << 3),
    lr,
  );
  teeCore.usesGic = 1;
  if (core.runningTee === teeCore) takeGic(core, teeCore);
}
