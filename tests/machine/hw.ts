// The imports of the monitor (el3/monitor/hw.ts), on the model machine. Registers without an effect of their own are plain storage.

import { enterCompartment } from "./compartments.ts";
import { EL1_REGISTERS, gicRegisters, loadFp, loadRegisters, saveFp, saveRegisters } from "./contexts.ts";
import type { Core } from "./core.ts";
import { Epitaph, MachineCheck } from "./errors.ts";
import type { Machine } from "./machine.ts";
import { size } from "./source-words.ts";

type Import = (...words: (number | bigint)[]) => number | bigint | undefined;

/** Thrown through the monitor's frames by `parkCore`, which never returns. */
export class Parked extends Error {}

export const LIST_REGISTERS = 4;
const TIMER_ON = 1n;

const unsigned = (value: number | bigint) => BigInt.asUintN(64, BigInt(value));
const pa = (value: number | bigint) => Number(unsigned(value));

/** Registers that answer. */
const READS: Record<string, (machine: Machine, core: Core) => bigint> = {
  CNTPCT_EL0: ({ ticks }) => ticks,
  ICH_VTR_EL2: () => BigInt(LIST_REGISTERS - 1),
  ICC_IAR0_EL1(machine, core) {
    if (core.isHoldPending) {
      core.isHoldPending = false;
      core.activeIntid = size("INTID_HOLD");
      return BigInt(core.activeIntid);
    }
    const intid = core.index === 0 ? machine.smmuInterrupt : undefined;
    if (intid !== undefined) {
      machine.smmu.pending.delete(intid);
      core.activeIntid = intid;
      return BigInt(intid);
    }
    if (!machine.isTimerDue(core)) return BigInt(size("INTID_SPURIOUS"));
    core.isTimerActive = true;
    return BigInt(size("INTID_SECURE_TIMER"));
  },
};

/** Registers that act. */
const WRITES: Record<string, (core: Core, value: bigint) => void> = {
  ICC_EOIR0_EL1(core, value) {
    if (value === BigInt(core.activeIntid ?? -1)) {
      core.activeIntid = undefined;
      return;
    }
    if (!core.isTimerActive || value !== BigInt(size("INTID_SECURE_TIMER")))
      throw new MachineCheck(`end of interrupt ${value}, which is not active`);
    core.isTimerActive = false;
  },
};

export function imports(machine: Machine, names: readonly string[]): WebAssembly.Imports {
  const functions: Record<string, Import> = {};
  for (const name of names) {
    const act = operation(machine, name) ?? registerAccess(machine, name);
    if (act === undefined) throw new Error(`the model machine has no ${name}`);
    functions[name] = (...words) => {
      machine.beforeImport(name);
      return act(...words);
    };
  }
  return { hw: functions as unknown as WebAssembly.ModuleImports };
}

function registerAccess(machine: Machine, name: string): Import | undefined {
  const [, kind, register] = name.match(/^(read|write)([A-Z]\w+_EL\d)$/) ?? [];
  if (register === undefined) return undefined;
  if (kind === "read")
    return () => READS[register]?.(machine, machine.current) ?? machine.current.get(register);
  return (value) => {
    machine.current.set(register, unsigned(value!));
    WRITES[register]?.(machine.current, unsigned(value!));
    return undefined;
  };
}

function operation(machine: Machine, name: string): Import | undefined {
  const table: Record<string, Import> = {
    readPhysical8: (at) => Number(machine.readPhysical(pa(at!), 1)),
    readPhysical32: (at) => Number(machine.readPhysical(pa(at!), 4)),
    readPhysical64: (at) => machine.readPhysical(pa(at!), 8),
    writePhysical8: (at, value) => machine.writePhysical(pa(at!), 1, unsigned(value!) & 0xffn),
    writePhysical32: (at, value) => machine.writePhysical(pa(at!), 4, unsigned(value!) & 0xffffffffn),
    writePhysical64: (at, value) => machine.writePhysical(pa(at!), 8, unsigned(value!)),
    zeroPhysical: (at, length) => machine.zeroPhysical(pa(at!), Number(length!)),
    copyPhysical: (to, from, length) => machine.copyPhysical(pa(to!), pa(from!), Number(length!)),
    cleanInvalidateRange: (at, length) => machine.memory.clean(pa(at!), Number(length!)),
    tlbiVmalls12e1is: () => machine.invalidateTlb(),
    tlbiAlle1is: () => machine.invalidateAllTlbs(),
    tlbiAlle2is: () => machine.invalidateEl2(),
    tlbiVae2is: (page) => machine.invalidateEl2(unsigned(page!)),
    holdCores: (mask) => machine.holdCores(Number(mask!)),
    releaseCores: () => machine.releaseCores(),
    waitWhileHeld: () => machine.waitWhileHeld(),
    ...Object.fromEntries(
      ["isb", "dsbSy", "icIallu", "icIalluis", "sendEvent"].map((act) => [act, () => machine.note(act)]),
    ),
    lock: (index) => machine.lock(Number(index!)),
    unlock: (index) => machine.unlock(Number(index!)),
    compareAndSwap32: (ptr, expected, value) =>
      machine.compareAndSwap32(Number(ptr!) >>> 0, Number(expected!), Number(value!)),
    loadAcquire32: (ptr) => machine.linear.getUint32(Number(ptr!) >>> 0, true),
    storeRelease32: (ptr, value) => machine.linear.setUint32(Number(ptr!) >>> 0, Number(value!), true),
    fatal(code, a, b) {
      throw machine.stop(new Epitaph(Number(code!), unsigned(a!), unsigned(b!)));
    },
    parkCore() {
      throw new Parked();
    },
    enterCompartment: (ptr) => enterCompartment(machine, Number(ptr!)),
    saveEl1Context: (ptr) => saveRegisters(machine.current, machine.linear, Number(ptr!), EL1_REGISTERS),
    loadEl1Context: (ptr) => loadRegisters(machine.current, machine.linear, Number(ptr!), EL1_REGISTERS),
    saveFpContext: (ptr) => saveFp(machine.withFp("save"), machine.linear, Number(ptr!)),
    loadFpContext: (ptr) => loadFp(machine.withFp("load"), machine.linear, Number(ptr!)),
    saveGicContext: (ptr, count) =>
      saveRegisters(machine.current, machine.linear, Number(ptr!), listed(Number(count!))),
    loadGicContext: (ptr, count) =>
      loadRegisters(machine.current, machine.linear, Number(ptr!), listed(Number(count!))),
  } as Record<string, Import>;
  return table[name];
}

function listed(count: number): ReadonlyMap<number, string> {
  if (count !== LIST_REGISTERS)
    throw new MachineCheck(`${count} list registers; ${LIST_REGISTERS} are there`);
  return gicRegisters(count);
}

export const isTimerOn = (core: Core): boolean => (core.get("CNTPS_CTL_EL1") & 3n) === TIMER_ON;
