// The monitor's last words on the secure UART (el3/link/epitaph.c), found and explained: whoever waits for a machine need not wait any longer.

import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IMAGE_TEE_FIRST, IMAGES_PER_TEE } from "../../abi/boot-package.ts";
import * as abi from "../../abi/epitaph.ts";
import { XEN_PA } from "../../abi/memory-map.ts";
import { forbiddenAssembly } from "../../arm/forbidden.ts";
import { UserError } from "../errors.ts";
import { SECURE_UART_LOG } from "../qemu/command-line.ts";
import { explainRefusal } from "./boot-refusals.ts";

export interface Epitaph {
  readonly code: number;
  readonly a: bigint;
  readonly b: bigint;
}

const LAST_WORDS = /\[vtz\] monitor stopped: code 0x([0-9a-f]{16}) a 0x([0-9a-f]{16}) b 0x([0-9a-f]{16})/;
/** No answer: COMPARTMENT_FAULTED of el3/monitor/compartments/call.ts. */
const CRASHED = 2n ** 64n - 1n;
const POLL_MS = 200;
/** More than the last words are long: they may be cut by the end of what has been read. */
const OVERLAP = 256;

const HARDEN_HINT =
  "start the hypervisor that `vtz harden` makes of a Xen image, and leave that as it is; the Xen that `vtz up` takes by itself is one";
const TABLES_HINT =
  "the monitor locks down Debian's Xen 4.17 and 4.20; another hypervisor, or one that was changed, may lay out its memory differently";
const SIGN_HINT =
  "sign what boots with the machine's root key (`vtz fuse`, `vtz keys`), or start a machine of another name: its fuses are new";
const BUG_HINT =
  "this is a defect of the monitor: please report it with the machine's logs (docs/debugging.md)";

interface Explanation {
  readonly what: (a: bigint, b: bigint) => string;
  readonly hint: string;
}

const EXPLANATIONS: Readonly<Record<number, Explanation>> = {
  [abi.FATAL_TRAP]: { what: (at) => `its code trapped at ${hex(at)}`, hint: BUG_HINT },
  [abi.FATAL_EXCEPTION]: {
    what: (esr, elr) => `it took an exception itself (ESR_EL3 ${hex(esr)} at ${hex(elr)})`,
    hint: BUG_HINT,
  },
  [abi.FATAL_BOOT_PACKAGE]: {
    what: (where) => `the boot package in flash is missing or damaged (at ${hex(where)})`,
    hint: "remove the machine with `vtz down` and start it again",
  },
  [abi.FATAL_CORES]: {
    what: (mpidr) => `there are more cores than it supports (MPIDR_EL1 ${hex(mpidr)})`,
    hint: "start the machine with fewer: `vtz up --cores 4`",
  },
  [abi.FATAL_VECTORS]: {
    what: (where) => `the hypervisor's tables have no free entry for the monitor's vectors (${hex(where)})`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_MAIR]: {
    what: (mair) => `the hypervisor has no write-back memory type (MAIR_EL2 ${hex(mair)})`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_EXCEPTION_CLASS]: {
    what: (esr, elr) => `an exception came that it does not take (ESR_EL3 ${hex(esr)} at ${hex(elr)})`,
    hint: BUG_HINT,
  },
  [abi.FATAL_INTERRUPT]: {
    what: (intid) => `an interrupt came that it has not set up (INTID ${intid})`,
    hint: BUG_HINT,
  },
  [abi.FATAL_STAGE2_FORMAT]: {
    what: (vtcr) => `the hypervisor's stage 2 has a format that it does not check (VTCR_EL2 ${hex(vtcr)})`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_STAGE1]: {
    what: (place, entry) =>
      `the hypervisor's translation cannot be locked down: ${hex(entry)} at ${hex(place)}`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_STAGE1_CONTROL]: {
    what: (sctlr, tcr) =>
      `the hypervisor's translation is off or of another kind (SCTLR_EL2 ${hex(sctlr)}, TCR_EL2 ${hex(tcr)})`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_DIRECT_MAP]: {
    what: (where, found) => `the hypervisor's direct map is not as expected (${hex(found)} at ${hex(where)})`,
    hint: TABLES_HINT,
  },
  [abi.FATAL_FORBIDDEN_INSTRUCTION]: { what: forbiddenInstruction, hint: HARDEN_HINT },
  [abi.FATAL_NO_LOCKDOWN]: {
    what: (vttbr) =>
      `a VM runs whose stage-2 root the hypervisor has loaded by itself (VTTBR_EL2 ${hex(vttbr)})`,
    hint: HARDEN_HINT,
  },
  [abi.FATAL_COMPARTMENTS]: {
    what: (where) => `its compartments are missing in flash or do not fit (at ${hex(where)})`,
    hint: "build the firmware anew: `vtz build`",
  },
  [abi.FATAL_BOOT_DEVICE]: {
    what: () => "its fuses are missing in flash",
    hint: "remove the machine with `vtz down` and start it again",
  },
  [abi.FATAL_BOOT_REFUSED]: { what: explainStatus, hint: SIGN_HINT },
  [abi.FATAL_BOOT_IMAGE]: {
    what: (row, status) => `${explainStatus(status)}: ${imageName(Number(row))}`,
    hint: SIGN_HINT,
  },
  [abi.FATAL_SMMU]: {
    what: (idr) => `the machine's SMMU lacks what it needs (SMMU_IDR ${hex(idr)})`,
    hint: "the machine needs QEMU's SMMUv3 with stage 2: see `vtz doctor`",
  },
  [abi.FATAL_SMMU_SILENT]: {
    what: (register) => `the SMMU does not obey (register ${hex(register)})`,
    hint: BUG_HINT,
  },
  [abi.FATAL_MEASUREMENT]: {
    what: (status) => `the hypervisor cannot be measured: ${explainStatus(status)}`,
    hint: BUG_HINT,
  },
};

function explainStatus(status: bigint): string {
  const hasCrashed = status === CRASHED;
  return hasCrashed ? "the boot compartment has crashed" : explainRefusal(Number(status));
}

/** What row of the boot package it is (abi/boot-package.ts). */
function imageName(row: number): string {
  const names = ["the hypervisor", "dom0's kernel", "dom0's initrd", "the device tree"];
  return names[row] ?? ((row - IMAGE_TEE_FIRST) % IMAGES_PER_TEE === 0 ? "a TEE" : "a TEE's device tree");
}

/** Codes that have words. */
export function explainedCodes(): number[] {
  return Object.keys(EXPLANATIONS).map(Number);
}

export function parseEpitaph(log: string): Epitaph | undefined {
  const words = LAST_WORDS.exec(log);
  if (words === null) return undefined;
  const [code, a, b] = words.slice(1).map((digits) => BigInt(`0x${digits}`));
  return { code: Number(code), a: a!, b: b! };
}

export function explainEpitaph({ code, a, b }: Epitaph, folder: string): UserError {
  const known = EXPLANATIONS[code - abi.EPITAPH_FATAL];
  const what = known?.what(a, b) ?? `its code trapped (${code}, ${hex(a)})`;
  const log = join(folder, SECURE_UART_LOG);
  return new UserError(
    "monitor-stopped",
    `the monitor has stopped the machine: ${what}`,
    `${known?.hint ?? BUG_HINT}; its last words are in ${log}`,
  );
}

/** Rejects when the monitor has died, until the signal fires. Keeps nobody from ending. */
export async function watchEpitaph(folder: string, signal: AbortSignal): Promise<never> {
  const log = join(folder, SECURE_UART_LOG);
  let seen = 0;
  while (!signal.aborted) {
    const { size } = await stat(log).catch(() => ({ size: 0 }));
    if (size > seen) {
      const epitaph = parseEpitaph(await readFrom(log, Math.max(0, seen - OVERLAP)));
      if (epitaph !== undefined) throw explainEpitaph(epitaph, folder);
      seen = size;
    }
    await sleep(POLL_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return new Promise<never>(() => undefined);
}

async function readFrom(path: string, start: number): Promise<string> {
  const file = await open(path);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of file.createReadStream({ start, autoClose: false }))
      chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("latin1");
  } finally {
    await file.close();
  }
}

function forbiddenInstruction(pa: bigint, word: bigint): string {
  const instruction = forbiddenAssembly(Number(word)) ?? "an instruction that changes translation";
  return `the hypervisor may execute \`${instruction}\` (${hex(word)}) at physical ${hex(pa)}, offset ${hex(pa - BigInt(XEN_PA))} of its image`;
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
