// Places in the hypervisor's live stage-1 tables, and what it reaches through them.

import { aLab, type Lab } from "../drivers/lab.ts";
import { PAGE } from "../drivers/tables.ts";
import { indexOf, type LeafOptions, stage1Leaf, VMAP_VA } from "../drivers/xen-memory.ts";
import { translateEl2 } from "../machine/el2-translation.ts";
import { word } from "../machine/source-words.ts";

export const SLOT = 100;
export const SLOT_VA = VMAP_VA + BigInt(SLOT * PAGE);
export const CONTIGUOUS = word("STAGE1_CONTIGUOUS");

export async function aVmap() {
  const lab = await aLab();
  return { lab, entryPa: lab.hypervisor.tables.vmap + SLOT * 8 };
}

export const page = (pa: number, options?: LeafOptions) => stage1Leaf(pa, 3, options);
export const reaches = (lab: Lab, va: bigint, access: "read" | "write" | "execute", core = 0) => {
  const outcome = translateEl2(lab.machine, lab.core(core), va, access);
  return "pa" in outcome ? outcome.pa : undefined;
};
export const entryOf = (tablePa: number, va: bigint, level: 1 | 2 | 3) => tablePa + indexOf(va, level) * 8;

/** PA of the entry of `level` that translates `va`. */
export function walkTable(lab: Lab, va: bigint, level: 1 | 2 | 3): number {
  let tablePa = lab.hypervisor.rootPa;
  for (const above of [0, 1, 2] as const) {
    if (above === level) break;
    tablePa = Number(
      lab.machine.memory.read64(tablePa + indexOf(va, above) * 8) & word("TABLE_OUTPUT_ADDRESS_MASK"),
    );
  }
  return tablePa + indexOf(va, level) * 8;
}
