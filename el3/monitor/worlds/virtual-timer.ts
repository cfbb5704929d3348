// The EL1 virtual timer (CNTV, INTID 27) of a TEE whose profile says TIMER_CNTV: while it runs, the timer and CNTVOFF_EL2 are its own.
// Its clock stands still while the core is not its own, so that it finds its budgets as it left them; only where it waits by WFI
// the clock goes on, and always if its profile says so (CLOCK_RUNS). Its interrupt arrives as a physical one, held active in the redistributor until the TEE ends the
// virtual one (ICH_LR<n>_EL2.HW). The normal world's timer is put back when it leaves; if that falls due meanwhile, the core's
// secure timer says so, and it counts as a foreign interrupt. Arm ARM D11.2; IHI 0069, 4.5.

import { CLOCK_RUNS } from "../../../abi/boot-package";
import { GICR_FRAME_SIZE, GICR_PA } from "../../../abi/memory-map";
import { GICR_ICACTIVER0, GICR_ISACTIVER0, INTID_VIRTUAL_TIMER } from "../arm/gic.gen";
import { CNTV_CTL_EL0_ENABLE, CNTV_CTL_EL0_IMASK } from "../arm/registers.gen";
import { Guest } from "../guests/guest";
import {
  dsbSy,
  isb,
  readCNTPCT_EL0,
  readCNTV_CTL_EL0,
  readCNTV_CVAL_EL0,
  readCNTVOFF_EL2,
  readPhysical32,
  writeCNTV_CTL_EL0,
  writeCNTV_CVAL_EL0,
  writeCNTVOFF_EL2,
  writePhysical32,
} from "../hw";
import { CoreArea } from "./core-area";
import {
  hasTimerInterrupt,
  LIST_REGISTER_TIMER,
  pendInterrupt,
  withdrawTimerInterrupt,
} from "./gic-interface";
import { TEE_CORE_IDLE, TEE_CORE_INTERRUPTED, TeeCore } from "./tee-core";
import { armAt, isTimerInterruptOn, stopTimer } from "./timer";
import { setWatched } from "./watch";

const INTERRUPT: u32 = 1 << INTID_VIRTUAL_TIMER;
const CONTROL_MASK: u64 = CNTV_CTL_EL0_ENABLE | CNTV_CTL_EL0_IMASK;

/** Normal world → TEE, before its interrupt interface is loaded. */
export function showVirtualTimer(core: CoreArea, teeCore: TeeCore): void {
  core.normalCntvCtl = readCNTV_CTL_EL0() & CONTROL_MASK;
  core.normalCntvCval = readCNTV_CVAL_EL0();
  core.normalCntvoff = readCNTVOFF_EL2();
  core.normalTimerActive = isInterruptActive(core) ? 1 : 0;
  if (teeCore.stoppedTicks !== 0) teeCore.virtualOffset += readCNTPCT_EL0() - teeCore.stoppedTicks;
  writeCNTV_CTL_EL0(0);
  isb(); // no line is up while the timer changes hands
  setInterruptActive(core, hasTimerInterrupt(teeCore));
  loadTimer(<u64>teeCore.timerControl, teeCore.virtualCompare, teeCore.virtualOffset);
  watchNormalTimer(core);
}

/** TEE → normal world, after its interrupt interface was saved. */
export function hideVirtualTimer(core: CoreArea, teeCore: TeeCore): void {
  const now = readCNTPCT_EL0();
  teeCore.timerControl = <u32>(readCNTV_CTL_EL0() & CONTROL_MASK);
  teeCore.virtualCompare = readCNTV_CVAL_EL0();
  const goesOn = teeCore.isIdle !== 0 || teeCore.guest.clock === CLOCK_RUNS;
  teeCore.stoppedTicks = goesOn ? 0 : now;
  teeCore.isIdle = 0;
  writeCNTV_CTL_EL0(0);
  isb();
  const isServing = withdrawTimerInterrupt(teeCore);
  setInterruptActive(core, core.normalTimerActive !== 0);
  loadTimer(core.normalCntvCtl, core.normalCntvCval, core.normalCntvoff);
  stopTimer(core);
  watchVirtualTimer(teeCore, now, isServing);
}

function loadTimer(control: u64, compare: u64, offset: u64): void {
  writeCNTVOFF_EL2(offset);
  writeCNTV_CVAL_EL0(compare);
  isb();
  writeCNTV_CTL_EL0(control);
}

/**
 * Nobody calls for a TEE that is idle while its interrupt waits: it is entered for it, but once only, whatever it does then
 * (a normal world would never run again).
 */
function watchVirtualTimer(teeCore: TeeCore, now: u64, isServing: bool): void {
  const control = <u64>teeCore.timerControl;
  const isDue = !isServing && dueTicks(control, teeCore.virtualCompare, teeCore.virtualOffset, now) === now;
  if (!isDue) teeCore.timerPending = 0; // served
  teeCore.isTimerSilenced = 0;
  teeCore.timerDueTicks = now;
  const waits =
    isDue && teeCore.timerPending === 0 && isTimerInterruptOn(teeCore) && teeCore.activity === TEE_CORE_IDLE;
  const isSetAside = teeCore.isPreempted !== 0 && teeCore.activity === TEE_CORE_INTERRUPTED;
  const isWatched = waits || isSetAside;
  if (isWatched !== (teeCore.isWatched !== 0)) setWatched(teeCore.guest, teeCore, isWatched);
}

/** A physical interrupt has stopped the TEE: true if it was that of its own timer, which waits in its interface now. */
export function takeVirtualTimer(core: CoreArea, guest: Guest, teeCore: TeeCore): bool {
  const now = readCNTPCT_EL0();
  const control = readCNTV_CTL_EL0() & CONTROL_MASK;
  if (dueTicks(control, readCNTV_CVAL_EL0(), teeCore.virtualOffset, now) !== now) return false;
  if (isInterruptActive(core)) return false; // it has it already: this is another one
  setInterruptActive(core, true);
  if (isTimerInterruptOn(teeCore)) {
    guest.timerInterrupts++;
    pendInterrupt(core, teeCore, LIST_REGISTER_TIMER, INTID_VIRTUAL_TIMER);
  } else {
    teeCore.isTimerSilenced = 1;
  }
  return true;
}

/** The running TEE has enabled or disabled interrupts: one that was silenced comes again if it is still due. */
export function virtualTimerEnabled(core: CoreArea, teeCore: TeeCore): void {
  if (teeCore.isTimerSilenced === 0 || !isTimerInterruptOn(teeCore)) return;
  teeCore.isTimerSilenced = 0;
  setInterruptActive(core, false);
}

/** Whether the normal world's timer has fallen due while the TEE runs; if not, the core's timer is set for it again. */
export function isNormalTimerDue(core: CoreArea): bool {
  const now = readCNTPCT_EL0();
  const isDue = dueTicks(core.normalCntvCtl, core.normalCntvCval, core.normalCntvoff, now) === now;
  if (!isDue) watchNormalTimer(core);
  return isDue;
}

function watchNormalTimer(core: CoreArea): void {
  armAt(core, dueTicks(core.normalCntvCtl, core.normalCntvCval, core.normalCntvoff, readCNTPCT_EL0()));
}

/** CNTPCT_EL0 at which a virtual timer is due: `now` if it is, 0 if it is off or masked, the largest number if never. */
function dueTicks(control: u64, compare: u64, offset: u64, now: u64): u64 {
  if (control !== CNTV_CTL_EL0_ENABLE) return 0;
  const count = now - offset;
  if (count >= compare) return now;
  const remaining = compare - count;
  return remaining < u64.MAX_VALUE - now ? now + remaining : u64.MAX_VALUE;
}

function redistributorPa(core: CoreArea): u64 {
  return <u64>GICR_PA + <u64>core.index * <u64>GICR_FRAME_SIZE;
}

function isInterruptActive(core: CoreArea): bool {
  return (readPhysical32(redistributorPa(core) + <u64>GICR_ISACTIVER0) & INTERRUPT) !== 0;
}

function setInterruptActive(core: CoreArea, active: bool): void {
  writePhysical32(redistributorPa(core) + <u64>(active ? GICR_ISACTIVER0 : GICR_ICACTIVER0), INTERRUPT);
  dsbSy(); // before the timer's line can be up
}
