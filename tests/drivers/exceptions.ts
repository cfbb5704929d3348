// What the architecture does below EL3: taking exceptions to EL2 and EL3, and executing the one kind of instruction that matters at
// EL2 while the monitor's vectors are in place.

import { type Core, EL2H, MASKED } from "../machine/core.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";
import { rootOf, walk } from "../machine/translation.ts";

/** What Xen's interrupts have in the secure view. */
export const GROUP1_PRIORITY = 0xd0n;

export type ExceptionKind = "synchronous" | "irq" | "fiq" | "serror";
const KIND_OFFSETS: Record<ExceptionKind, bigint> = {
  synchronous: 0n,
  irq: 0x80n,
  fiq: 0x100n,
  serror: 0x180n,
};
const FROM_EL2H = 0x200n;
const FROM_LOWER_AARCH64 = 0x400n;
const FROM_LOWER_AARCH32 = 0x600n;

export interface Syndrome {
  readonly esr?: bigint;
  readonly far?: bigint;
  readonly hpfar?: bigint;
}

export const IL = 1n << 25n;
export const EC_SMC64 = word("ESR_EL3_EC_SMC64");
export const EC_SMC32 = word("ESR_EL3_EC_SMC32");
export const EC_FP = word("ESR_EL3_EC_FP_TRAP");
export const EC_INSTRUCTION_ABORT = 0x20n;
export const EC_DATA_ABORT = word("ESR_EL2_EC_DATA_ABORT_LOWER");
export const EC_SYSTEM_REGISTER = word("ESR_EL2_EC_SYSTEM_REGISTER");
export const EC_WFX = word("ESR_EL2_EC_WFX");
export const EC_HVC = 0x16n;
export const EC_SVC = 0x15n;

export const esrOf = (exceptionClass: bigint, iss = 0n): bigint => (exceptionClass << 26n) | IL | iss;

/** SMC at EL1 or EL2, as the core is; ends wherever the monitor returns to. */
export function smc(machine: Machine, core: Core, imm16 = 0): void {
  if (core.exceptionLevel === 0) throw new MachineCheck("SMC is undefined at EL0");
  const exceptionClass = core.isAarch32 ? EC_SMC32 : EC_SMC64;
  const iss = core.isAarch32 ? 0n : BigInt(imm16);
  if (core.exceptionLevel === 1 && (core.get("HCR_EL2") & word("HCR_EL2_TSC")) !== 0n) {
    toEl2(core, "synchronous", { esr: esrOf(exceptionClass, iss) });
    return;
  }
  core.pc += 4n;
  machine.synchronous(core, esrOf(exceptionClass, iss));
}

/** Takes an exception to EL2 and stops at its vector, before the first instruction there. */
export function toEl2(core: Core, kind: ExceptionKind, { esr, far, hpfar }: Syndrome = {}): void {
  const isFromEl2 = core.exceptionLevel === 2;
  const origin = isFromEl2 ? FROM_EL2H : core.isAarch32 ? FROM_LOWER_AARCH32 : FROM_LOWER_AARCH64;
  core.set("ELR_EL2", core.pc);
  core.set("SPSR_EL2", core.pstate);
  if (esr !== undefined) core.set("ESR_EL2", esr);
  if (far !== undefined) core.set("FAR_EL2", far);
  if (hpfar !== undefined) core.set("HPFAR_EL2", hpfar);
  core.pc = core.get("VBAR_EL2") + origin + KIND_OFFSETS[kind];
  core.pstate = EL2H | MASKED;
}

export const isAtTrappingVector = (core: Core): boolean =>
  core.exceptionLevel === 2 && core.pc >> 39n === word("TOP_SLOT");

/** Executes the instruction at a trapping vector: fetched through the hypervisor's own stage-1 tables, it must be an SMC. */
export function stepTrappingVector(machine: Machine, core: Core): void {
  const at = walk(machine.memory, rootOf(core.get("TTBR0_EL2")), core.pc);
  if (at === undefined) throw new MachineCheck("EL2 aborts on its vectors: they are not mapped");
  if ((at.descriptor & word("STAGE1_XN")) !== 0n) throw new MachineCheck("the vectors are not executable");
  if ((at.descriptor & word("STAGE1_AP_READ_ONLY")) === 0n)
    throw new MachineCheck("the vectors are writable");
  const instruction = Number(machine.memory.read(at.pa, 4));
  const isSmc =
    (instruction & Number(word("INSTRUCTION_SMC_MATCH_MASK"))) >>> 0 === Number(word("INSTRUCTION_SMC"));
  if (!isSmc) throw new MachineCheck(`0x${instruction.toString(16)} at a trapping vector is no SMC`);
  smc(machine, core, (instruction >>> 5) & 0xffff);
}

/** The same, and on through a trapping vector if that is what VBAR_EL2 says. */
export function exitToEl2(machine: Machine, core: Core, kind: ExceptionKind, syndrome: Syndrome = {}): void {
  toEl2(core, kind, syndrome);
  if (isAtTrappingVector(core)) stepTrappingVector(machine, core);
}

/** Time passes; the monitor's timer interrupts whoever runs. */
export function advance(machine: Machine, ticks: bigint): void {
  machine.ticks += ticks;
  deliverTimer(machine);
}

export function deliverTimer(machine: Machine): void {
  for (const core of machine.cores) if (!core.isParked && machine.isTimerDue(core)) machine.fiq(core);
}

/** What the SMMU has to tell arrives at the core that it is routed to. */
export function deliverSmmuInterrupt(machine: Machine): boolean {
  if (machine.smmuInterrupt === undefined) return false;
  machine.fiq(machine.cores[0]!);
  return true;
}

/** Time passes; then whatever virtual timer is due interrupts the core, unless its interrupt is active or masked. */
export function advanceVirtual(machine: Machine, ticks: bigint): void {
  advance(machine, ticks);
  deliverVirtualTimer(machine);
}

export function deliverVirtualTimer(machine: Machine): void {
  for (const core of machine.cores) {
    if (core.isParked || core.exceptionLevel === 2 || !isVirtualTimerUp(machine, core)) continue;
    if (core.get("ICC_PMR_EL1") > GROUP1_PRIORITY) exitToEl2(machine, core, "irq");
  }
}

/** What the GIC sees of a core's CNTV: on, not masked, due, and its interrupt not active already. */
export function isVirtualTimerUp(machine: Machine, core: Core): boolean {
  const isOn = (core.get("CNTV_CTL_EL0") & 3n) === 1n;
  const count = BigInt.asUintN(64, machine.ticks - core.get("CNTVOFF_EL2"));
  const isActive = machine.devices.isActive(core.index, Number(word("INTID_VIRTUAL_TIMER")));
  return isOn && count >= core.get("CNTV_CVAL_EL0") && !isActive;
}

/** An FP instruction of whoever runs below EL3: traps to EL3 first where that is on. */
export function useFp(machine: Machine, core: Core): void {
  if ((core.get("CPTR_EL3") & word("CPTR_EL3_TFP")) === 0n) return;
  machine.synchronous(core, esrOf(EC_FP));
  if ((core.get("CPTR_EL3") & word("CPTR_EL3_TFP")) !== 0n)
    throw new MachineCheck("the FP trap does not end");
}

/** An access to ICC_* at EL1: traps to EL2 first where ICH_HCR_EL2 says so. */
export function useGicInterface(machine: Machine, core: Core): void {
  if ((core.get("ICH_HCR_EL2") & word("ICH_HCR_EL2_TALL1")) === 0n) return;
  exitToEl2(machine, core, "synchronous", { esr: esrOf(EC_SYSTEM_REGISTER) });
}
