// Test kernels at EL1 (el1/probe-tee, el1/probe-guest), from AssemblyScript to a flat image.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NORMAL_RAM_IPA } from "../../abi/memory-map.ts";
import * as probe from "../../abi/probe.ts";
import { CASES_SIZE } from "../../abi/probe-cases.ts";
import { PSCI_SYSTEM_OFF_FID } from "../../abi/smccc.ts";
import * as tee from "../../abi/tee.ts";
import { withLock } from "../file-lock.ts";
import { makeFolder } from "../make-folder.ts";
import { buildFolder } from "../paths.ts";
import { fingerprint } from "./fingerprint.ts";
import { buildFlatModule } from "./flat-module.ts";
import { firmwareSources, LINEAR_MEMORY_BASE, LINEAR_MEMORY_GUARD_SIZE, WASM_PAGE_SIZE } from "./layout.ts";

export type KernelName = "probe-tee-vector" | "probe-tee-resume" | "probe-guest";

interface Kernel {
  readonly folder: string;
  readonly natives: readonly string[];
  readonly baseIpa: number;
  /** Bytes behind the image that the host fills in. */
  readonly roomSize: number;
  readonly defines: Readonly<Record<string, number>>;
}

export const PROBE_TEE_LOAD_IPA = 0x0e100000;
/** `KERNEL_CORES`: slots and stacks of el1/kernel/kernel.S. */
const CORE_COUNT = 4;
const MEMORY_PAGES = 1;
const INTID_CNTPS = 29;
const INTID_CNTV = 27;

const TEE_DEFINES = {
  TEE_ENTRY_DONE: tee.TEE_ENTRY_DONE,
  TEE_CPU_ON_DONE: tee.TEE_CPU_ON_DONE,
  TEE_CALL_DONE: tee.TEE_CALL_DONE,
  TEE_INTERRUPT_DONE: tee.TEE_INTERRUPT_DONE,
  TEE_YIELD: tee.TEE_YIELD,
  TEE_EVENT_INTERRUPT: tee.TEE_EVENT_INTERRUPT,
  PROBE_ENTRY_PSTATE: probe.PROBE_ENTRY_PSTATE,
};

const KERNELS: Readonly<Record<KernelName, Kernel>> = {
  "probe-tee-vector": {
    folder: "el1/probe-tee",
    natives: ["leave.c", "entry-vector.S", "timer-cntps.S"],
    baseIpa: PROBE_TEE_LOAD_IPA,
    roomSize: 0,
    defines: { ...TEE_DEFINES, TIMER_INTID: INTID_CNTPS },
  },
  "probe-tee-resume": {
    folder: "el1/probe-tee",
    natives: ["leave.c", "entry-resume.S", "timer-cntv.S"],
    baseIpa: PROBE_TEE_LOAD_IPA,
    roomSize: 0,
    defines: { ...TEE_DEFINES, TIMER_INTID: INTID_CNTV },
  },
  "probe-guest": {
    folder: "el1/probe-guest",
    natives: ["entry.S"],
    baseIpa: NORMAL_RAM_IPA,
    roomSize: CASES_SIZE,
    defines: {
      PROBE_ORDER_OFFSET: probe.PROBE_ORDER_OFFSET,
      PROBE_ORDER_SIZE: probe.PROBE_ORDER_SIZE,
      PSCI_SYSTEM_OFF_FID,
    },
  },
};

const INPUTS = [
  "abi",
  "el1",
  "el3/link",
  "el3/runtime",
  "host/toolchain",
  "node_modules/assemblyscript/dist",
];
// With the MMU off memory is of a device's type: no unaligned access.
const C_FLAGS = ["-mstrict-align"];

/** The path of the flat image, which ends where its room begins; nothing is done if nothing has changed. */
export async function buildKernel(name: KernelName): Promise<string> {
  const outDir = join(buildFolder(), "kernels", name);
  await makeFolder(outDir);
  return withLock(join(outDir, "build.lock"), () => buildAlone(name, outDir), { doing: `building ${name}` });
}

async function buildAlone(name: KernelName, outDir: string): Promise<string> {
  const { root } = firmwareSources;
  const inputs = await fingerprint(root, INPUTS, name + process.version);
  const stamp = join(outDir, "stamp");
  const known = (await readFile(stamp, "utf8").catch(() => "")).split("\n");
  if (known[0] === inputs && known[1] !== undefined) return known[1];

  const kernel = KERNELS[name];
  const { bin } = await buildFlatModule(firmwareSources, outDir, {
    what: name,
    fileName: name,
    moduleName: "kernel",
    entry: `${kernel.folder}/main.ts`,
    memory: { pages: MEMORY_PAGES, base: LINEAR_MEMORY_BASE },
    natives: [
      ...["el1/kernel/hw.c", "el1/kernel/kernel.S"],
      ...kernel.natives.map((file) => `${kernel.folder}/${file}`),
    ],
    linkerScript: "el1/kernel/kernel.ld",
    addresses: {
      BASE: kernel.baseIpa,
      ROOM: kernel.roomSize,
      LINEAR_SIZE: MEMORY_PAGES * WASM_PAGE_SIZE + LINEAR_MEMORY_GUARD_SIZE,
    },
    defines: { KERNEL_CORES: CORE_COUNT, ...kernel.defines },
    cFlags: C_FLAGS,
    sections: [".text"],
  });
  await writeFile(stamp, `${inputs}\n${bin}`);
  return bin;
}
