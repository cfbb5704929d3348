// What `el3/vectors/context.S` does, read from it: which registers are saved where.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../host/paths.ts";
import type { Core } from "./core.ts";
import { size } from "./source-words.ts";

const text = readFileSync(join(projectFolder, "el3/vectors/context.S"), "utf8");

/** Offset in El1Context and the register there. */
export const EL1_REGISTERS: ReadonlyMap<number, string> = new Map(
  [...text.matchAll(/^ {2}\\step (0x[0-9a-f]+), (\w+), (\w+)/gm)].flatMap(([, at, first, second]) => [
    [Number(at), first!.toUpperCase()] as const,
    [Number(at) + 8, second!.toUpperCase()] as const,
  ]),
);

const GIC_REGISTERS = ["ICH_VMCR_EL2", "ICH_AP0R0_EL2", "ICH_AP1R0_EL2"] as const;
const FIRST_LIST_REGISTER = 32;

export function gicRegisters(listRegisters: number): Map<number, string> {
  const registers = new Map<number, string>(GIC_REGISTERS.map((name, index) => [index * 8, name]));
  const count = Math.ceil(listRegisters / 4) * 4;
  for (let index = 0; index < count; index++)
    registers.set(FIRST_LIST_REGISTER + index * 8, `ICH_LR${index}_EL2`);
  return registers;
}

export function saveRegisters(
  core: Core,
  memory: DataView,
  ptr: number,
  places: ReadonlyMap<number, string>,
): void {
  for (const [offset, name] of places) memory.setBigUint64(ptr + offset, core.get(name), true);
}

export function loadRegisters(
  core: Core,
  memory: DataView,
  ptr: number,
  places: ReadonlyMap<number, string>,
): void {
  for (const [offset, name] of places) core.set(name, memory.getBigUint64(ptr + offset, true));
}

export function saveFp(core: Core, memory: DataView, ptr: number): void {
  core.v.forEach((value, index) => {
    memory.setBigUint64(ptr + index * 8, value, true);
  });
  memory.setBigUint64(ptr + size("FP_CONTEXT_FPCR"), core.get("FPCR"), true);
  memory.setBigUint64(ptr + size("FP_CONTEXT_FPCR") + 8, core.get("FPSR"), true);
}

export function loadFp(core: Core, memory: DataView, ptr: number): void {
  for (let index = 0; index < core.v.length; index++)
    core.v[index] = memory.getBigUint64(ptr + index * 8, true);
  core.set("FPCR", memory.getBigUint64(ptr + size("FP_CONTEXT_FPCR"), true));
  core.set("FPSR", memory.getBigUint64(ptr + size("FP_CONTEXT_FPCR") + 8, true));
}
