// EL2's own translation as a core uses it: what it keeps is used as long as it allows the access; only then it walks again.

import type { Core } from "./core.ts";
import type { Machine } from "./machine.ts";
import { word } from "./source-words.ts";
import { type Kept, rootOf, walk } from "./translation.ts";

export type Access = "read" | "write" | "execute";

export type Outcome =
  | { readonly pa: number }
  | { readonly fault: "translation" | "permission"; readonly level: number };

const XN = word("STAGE1_XN");
const READ_ONLY = word("STAGE1_AP_READ_ONLY");
const SCTLR_M = word("SCTLR_EL2_M");
const SCTLR_WXN = word("SCTLR_EL2_WXN");

export const isWritable = (descriptor: bigint): boolean => (descriptor & READ_ONLY) === 0n;
export const isExecutable = (descriptor: bigint): boolean => (descriptor & XN) === 0n;

function allows(core: Core, { descriptor }: Kept, access: Access): boolean {
  if (access === "write") return isWritable(descriptor);
  if (access === "read") return true;
  const isWxn = (core.get("SCTLR_EL2") & SCTLR_WXN) !== 0n;
  return isExecutable(descriptor) && !(isWxn && isWritable(descriptor));
}

export function translateEl2(machine: Machine, core: Core, va: bigint, access: Access): Outcome {
  if ((core.get("SCTLR_EL2") & SCTLR_M) === 0n) return { pa: Number(va) };
  const tlb = machine.el2Tlbs[core.index]!;
  const rootPa = rootOf(core.get("TTBR0_EL2"));
  let kept = tlb.translate(machine.memory, rootPa, va);
  if (kept === undefined || !allows(core, kept, access)) kept = tlb.walkAnew(machine.memory, rootPa, va);
  if (kept === undefined) return { fault: "translation", level: 3 };
  if (allows(core, kept, access)) return { pa: kept.pa + Number(va & 0xfffn) };
  return { fault: "permission", level: walk(machine.memory, rootPa, va)?.level ?? 3 };
}
