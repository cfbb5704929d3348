// The device tree of a machine that is to boot: QEMU's, with what Xen must find in it.

import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DOM0_INITRD_PA, DOM0_KERNEL_PA, DRAM_PA } from "../../abi/memory-map.ts";
import { encodeDeviceTree } from "../formats/fdt.ts";
import { dumpDeviceTree, machineDeviceTree } from "../images/machine-device-tree.ts";
import { hardwareWords, machineWords, QEMU_BINARY } from "../qemu/command-line.ts";
import type { RamLayout } from "./ram-layout.ts";
import { writeAtomically } from "./state.ts";

export interface BoardOptions {
  /** Absent: no firmware, QEMU starts the hypervisor itself. For development. */
  readonly monitor?: Uint8Array;
  readonly coreCount: number;
  readonly ram: RamLayout;
  /** In MiB, as Xen counts. */
  readonly dom0Memory: number;
  /** Appended to Xen's command line. */
  readonly xenArguments?: string;
  /** The kernels' layout is always the same. */
  readonly isCounting?: boolean;
}

const MONITOR_FILE = "monitor.bin";
/** For runs whose figures must repeat. */
const FIXED_SEED = 0x123456789abcdef0n;

/** `folder` is for what is needed meanwhile. */
export async function deviceTreeBytes(
  folder: string,
  options: BoardOptions,
  files: { readonly dom0Kernel: string; readonly dom0Initrd: string },
): Promise<Uint8Array> {
  const { monitor, ram } = options;
  const hardware = hardwareWords({ coreCount: options.coreCount, ramSize: ram.ramSize });
  const base =
    monitor === undefined
      ? await dumpDeviceTree(QEMU_BINARY, machineWords("direct"), hardware)
      : await treeWithFirmware(join(folder, MONITOR_FILE), monitor, hardware);
  const tree = machineDeviceTree(base, {
    ...(monitor === undefined
      ? { memoryPa: DRAM_PA, memorySize: ram.ramSize }
      : { memoryPa: ram.ramPa, memorySize: ram.hypervisorSize }),
    dom0Kernel: { addressPa: DOM0_KERNEL_PA, size: (await stat(files.dom0Kernel)).size },
    dom0Initrd: { addressPa: DOM0_INITRD_PA, size: (await stat(files.dom0Initrd)).size },
    dom0MemoryMib: options.dom0Memory,
    dom0VcpuCount: 1,
    // Extents of 2 MiB at most: an S world shares tables, not 1 GiB blocks that Xen may split later.
    xenArguments: ["bootscrub=0 memop-max-order=9,9,9,9", options.xenArguments ?? ""].join(" ").trimEnd(),
    psci: monitor === undefined ? "as-dumped" : "monitor",
    ...(options.isCounting === true ? { seed: FIXED_SEED } : {}),
  });
  return encodeDeviceTree(tree);
}

/** QEMU describes another machine when there is firmware. Any will do: the package is to name this tree. */
async function treeWithFirmware(
  path: string,
  monitor: Uint8Array,
  hardware: readonly string[],
): ReturnType<typeof dumpDeviceTree> {
  await writeAtomically(path, monitor);
  try {
    return await dumpDeviceTree(QEMU_BINARY, machineWords("firmware"), [...hardware, "-bios", path]);
  } finally {
    await rm(path, { force: true });
  }
}
