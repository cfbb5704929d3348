// What a machine is started with: flash, hypervisor, dom0 and device tree as files in the machine's folder or the
// cache, and from them QEMU's command line.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DEVICE_TREE_PA, DOM0_INITRD_PA, DOM0_KERNEL_PA, DRAM_PA, XEN_PA } from "../../abi/memory-map.ts";
import { encodeDeviceTree } from "../formats/fdt.ts";
import { dumpDeviceTree, machineDeviceTree } from "../images/machine-device-tree.ts";
import { allPorts } from "../images/ports.ts";
import { makeFolder } from "../make-folder.ts";
import {
  hardwareWords,
  machineWords,
  QEMU_BINARY,
  type QemuMachine,
  type QemuOptions,
  qemuArguments,
} from "../qemu/command-line.ts";
import { DISK_FILE, makeDisk } from "./disk.ts";
import { type FlashOptions, writeFlash } from "./flash.ts";
import { writeAtomically } from "./state.ts";

export interface BootFiles {
  readonly hypervisor: string;
  readonly dom0Kernel: string;
  readonly dom0Initrd: string;
  /** Absent: no firmware, QEMU starts the hypervisor itself. For development. */
  readonly flash?: FlashOptions;
  readonly coreCount: number;
  readonly ramSize: number;
  /** In MiB, as Xen counts. */
  readonly dom0Memory: number;
  /** Appended to Xen's command line. */
  readonly xenArguments?: string;
  readonly options: QemuOptions;
}

const FLASH_FILE = "flash.bin";
const DEVICE_TREE_FILE = "machine.dtb";
/** What dom0 can fetch by tftp from 10.0.2.2. */
export const TFTP_FOLDER = "tftp";
/** For runs whose figures must repeat. */
const FIXED_SEED = 0x123456789abcdef0n;

/** Writes what is made for this machine into its folder; the answer is QEMU's command line. */
export async function layOutBoot(folder: string, files: BootFiles): Promise<string[]> {
  const { flash } = files;
  if (flash !== undefined) await writeFlash(join(folder, FLASH_FILE), flash);
  const boot: QemuMachine["boot"] =
    flash === undefined
      ? { kind: "direct", kernelPath: files.hypervisor, deviceTreePath: DEVICE_TREE_FILE }
      : { kind: "firmware", flashPath: FLASH_FILE };
  await writeAtomically(join(folder, DEVICE_TREE_FILE), await deviceTreeBytes(folder, files));

  await makeDisk(folder);
  await makeFolder(join(folder, TFTP_FOLDER));

  const loads = [
    { path: files.dom0Kernel, addressPa: DOM0_KERNEL_PA },
    { path: files.dom0Initrd, addressPa: DOM0_INITRD_PA },
  ];
  if (flash !== undefined) {
    loads.push(
      { path: files.hypervisor, addressPa: XEN_PA },
      { path: DEVICE_TREE_FILE, addressPa: DEVICE_TREE_PA },
    );
  }
  const { coreCount, ramSize, options } = files;
  return qemuArguments({
    boot,
    coreCount,
    ramSize,
    loads,
    ports: allPorts(),
    diskFile: DISK_FILE,
    tftpFolder: TFTP_FOLDER,
    options,
  });
}

async function deviceTreeBytes(folder: string, files: BootFiles): Promise<Uint8Array> {
  const { flash, options } = files;
  const firmware = flash === undefined ? [] : ["-bios", join(folder, FLASH_FILE)];
  const machine = machineWords(flash === undefined ? "direct" : "firmware");
  const base = await dumpDeviceTree(QEMU_BINARY, machine, [...hardwareWords(files), ...firmware]);
  const memory =
    flash === undefined
      ? { pa: DRAM_PA, size: files.ramSize }
      : { pa: flash.ram.ramPa, size: flash.ram.hypervisorSize };
  const tree = machineDeviceTree(base, {
    memoryPa: memory.pa,
    memorySize: memory.size,
    dom0Kernel: { addressPa: DOM0_KERNEL_PA, size: (await stat(files.dom0Kernel)).size },
    dom0Initrd: { addressPa: DOM0_INITRD_PA, size: (await stat(files.dom0Initrd)).size },
    dom0MemoryMib: files.dom0Memory,
    dom0VcpuCount: 1,
    // Extents of 2 MiB at most: an S world shares tables, not 1 GiB blocks that Xen may split later.
    xenArguments: ["bootscrub=0 memop-max-order=9,9,9,9", files.xenArguments ?? ""].join(" ").trimEnd(),
    psci: flash === undefined ? "as-dumped" : "monitor",
    ...(options.isCounting === true ? { seed: FIXED_SEED } : {}),
  });
  return encodeDeviceTree(tree);
}
