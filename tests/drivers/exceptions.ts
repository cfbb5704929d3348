// What the architecture does below EL3: taking exceptions to EL2 and EL3, and executing the instructions of the monitor's vectors at EL2.

import { type Core, EL2H, MASKED } from "../machine/core.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";

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

const SMC = Number(word("INSTRUCTION_SMC"));
const SMC_MASK = Number(word("INSTRUCTION_SMC_MATCH_MASK"));
const BRANCH = Number(word("INSTRUCTION_B"));

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

/** Executes the instructions of the monitor's own pages, where VBAR_EL2 says: SMCs and branches, fetched through EL2's translation. */
export function stepVectors(machine: Machine, core: Core): void {
  while (core.exceptionLevel === 2) {
    const at = translateEl2(machine, core, core.pc, "execute");
    if (!("pa" in at)) throw new MachineCheck(`EL2 aborts on its vectors: a ${at.fault} fault`);
    if (at.pa < machine.bootPackage.poolPa) return; // the hypervisor's own
    if ("pa" in translateEl2(machine, core, core.pc, "write"))
      throw new MachineCheck("the vectors are writable");
    const instruction = Number(machine.memory.read(at.pa, 4));
    if ((instruction & 0xfc000000) >>> 0 === BRANCH) {
      core.pc += BigInt.asIntN(28, BigInt(instruction & 0x3ffffff) << 2n);
      continue;
    }
    if ((instruction & SMC_MASK) >>> 0 !== SMC)
      throw new MachineCheck(`0x${instruction.toString(16)} at a vector of the monitor's`);
    smc(machine, core, (instruction >>> 5) & 0xffff);
    return;
  }
}

/** Takes an exception to EL2, and goes on through the monitor's vectors if VBAR_EL2 says so. */
export function exitToEl2(machine: Machine, core: Core, kind: ExceptionKind, syndrome: Syndrome = {}): void {
  toEl2(core, kind, syndrome);
  stepVectors(machine, core);
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
