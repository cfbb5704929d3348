// EL2's vectors while the hypervisor runs: a page of the monitor's whose entries are branches to the hypervisor's own, but for the one that
// comes to the monitor.

import type { Core } from "../machine/core.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { word } from "../machine/source-words.ts";
import type { Lab } from "./lab.ts";
import { XEN_VBAR } from "./xen-memory.ts";

const VECTORS = 16;
const MONITORS_VECTOR = 4;
const FAULT_SMC = Number(word("INSTRUCTION_SMC")) | (Number(word("HYPERVISOR_FAULT_CALL")) << 5);

/** What is wrong with the vectors that VBAR_EL2 names on a core, in words. */
export function hypervisorVectorFaults(lab: Lab, core: Core): string[] {
  const vbar = core.get("VBAR_EL2");
  const faults: string[] = [];
  for (let vector = 0; vector < VECTORS; vector++) {
    const va = vbar + BigInt(vector * 0x80);
    const at = translateEl2(lab.machine, core, va, "execute");
    if (!("pa" in at)) return [`VBAR_EL2 0x${vbar.toString(16)} names no vectors`];
    const instruction = Number(lab.machine.memory.read(at.pa, 4));
    const target = va + BigInt.asIntN(28, BigInt(instruction & 0x3ffffff) << 2n);
    const isRight =
      vector === MONITORS_VECTOR
        ? instruction === FAULT_SMC >>> 0
        : instruction >>> 26 === 5 && target === XEN_VBAR + BigInt(vector * 0x80);
    if (!isRight) faults.push(`the hypervisor's vector ${vector} is 0x${instruction.toString(16)}`);
  }
  return faults;
}
