// A place in the control domain's live stage-2 tables, and what is reached through it.

import { aLab, type Lab } from "../drivers/lab.ts";
import { word } from "../machine/source-words.ts";

/** Nothing is mapped there, and no entry of the root leads there yet. */
export const IPA = 0x80_0000_0000;
export const CONTIGUOUS = word("STAGE2_CONTIGUOUS");

/** The entry of `level` at IPA in dom0's tables, which are live. */
export async function aLiveEntry(level: 0 | 1 | 2 | 3) {
  const lab = await aLab();
  return { lab, entryPa: lab.hypervisor.controlDomain.tables.entryPa(IPA, level) };
}

/** What dom0 reaches at `ipa` on a core, and keeps in that core's TLB. */
export function reaches(lab: Lab, ipa: number, core = 0): number | undefined {
  const { vttbr } = lab.hypervisor.controlDomain;
  return lab.machine.tlbs[core]!.translate(lab.machine.memory, vttbr, BigInt(ipa));
}

export const aPage = (lab: Lab) => lab.hypervisor.allocate();
