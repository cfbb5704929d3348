// The hypervisor executes a store: through EL2's translation, with the permission fault, the monitor's vector and whatever follows from it.

import { type Core, EL2H, MASKED } from "../machine/core.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { MachineCheck } from "../machine/errors.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";
import { type StoreEffect, storeEffect } from "../machine/store-execution.ts";
import { esrOf, stepVectors, toEl2 } from "./exceptions.ts";
import { XEN_VBAR } from "./xen-memory.ts";

/** done: by the core itself or by the monitor; aborted: the hypervisor's own vector has it now. */
export type StoreOutcome = "done" | "aborted";

const EC_DATA_ABORT_SAME = word("ESR_EL2_EC_DATA_ABORT");
const WNR = 1n << 6n;
const TRANSLATION_FAULT = 0x4n;
const PERMISSION_FAULT = 0xcn;
const SYNCHRONOUS = 0x200n;
/** A store that hit a page which is read-only. */
export const STORE_FAULT = esrOf(EC_DATA_ABORT_SAME, WNR | PERMISSION_FAULT | 3n);
/** A core that is sent back so often to the same store would never get past it. */
const ATTEMPTS_MAX = 4;

/** Executes the instruction at `va`, which is a store; the core stands behind it, or at the hypervisor's vector. */
export function executeStore(machine: Machine, core: Core, va: bigint): StoreOutcome {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    core.pc = va;
    core.pstate = EL2H | MASKED;
    if (attemptStore(machine, core)) return "done";
    stepVectors(machine, core);
    if (core.exceptionLevel !== 2) throw new MachineCheck("a store of EL2 ended below it");
    if (core.pc === va + 4n) return "done";
    if (core.pc === XEN_VBAR + SYNCHRONOUS) return "aborted";
    if (core.pc !== va) throw new MachineCheck(`a store of EL2 ended at 0x${core.pc.toString(16)}`);
  }
  throw new MachineCheck("a store of EL2 is executed for ever");
}

/** True if the core did it by itself; else it stands at its vector. */
function attemptStore(machine: Machine, core: Core): boolean {
  const fetched = translateEl2(machine, core, core.pc, "execute");
  if (!("pa" in fetched)) throw new MachineCheck("EL2 does not execute there");
  const instruction = Number(machine.memory.read(fetched.pa, 4));
  const effect = storeEffect(instruction, (index) => core.x[index]!, core.get("SP_EL2"));
  if (effect === undefined) throw new MachineCheck(`0x${instruction.toString(16)} is no store`);
  const places: number[] = [];
  for (const [index] of effect.values.entries()) {
    const at = effect.va + BigInt(index * effect.size);
    const outcome = translateEl2(machine, core, at, "write");
    if (!("pa" in outcome)) {
      const status =
        (outcome.fault === "permission" ? PERMISSION_FAULT : TRANSLATION_FAULT) | BigInt(outcome.level);
      toEl2(core, "synchronous", { esr: esrOf(EC_DATA_ABORT_SAME, WNR | status), far: at });
      return false;
    }
    places.push(outcome.pa);
  }
  perform(machine, core, effect, places);
  return true;
}

function perform(machine: Machine, core: Core, effect: StoreEffect, places: readonly number[]): void {
  for (const [index, pa] of places.entries()) writeBytes(machine, pa, effect.size, effect.values[index]!);
  if (effect.writeBack !== undefined && effect.writeBack.register < 31)
    core.x[effect.writeBack.register] = effect.writeBack.value;
  core.pc += 4n;
}

/** Byte by byte: a store may be unaligned. */
function writeBytes({ memory }: Machine, pa: number, size: number, value: bigint): void {
  if (size === 8 && pa % 8 === 0) {
    memory.write64(pa, value);
    return;
  }
  for (let index = 0; index < size; index++)
    memory.write(pa + index, 1, (value >> BigInt(index * 8)) & 0xffn);
}
