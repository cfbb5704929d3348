// What a machine is started with: flash, hypervisor, dom0 and device tree as files in the machine's folder or the
// cache, and from them QEMU's command line.

import { rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
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
import type { TeeEntry } from "./boot-package.ts";
import { type Device, devicePage } from "./device.ts";
import { DISK_FILE, makeDisk } from "./disk.ts";
import { writeFlash } from "./flash.ts";
import type { SigningKey } from "./keys.ts";
import type { RamLayout } from "./ram-layout.ts";
import { makeSignedPackage } from "./signed-package.ts";
import { writeAtomically } from "./state.ts";

export interface BootFiles {
  readonly hypervisor: string;
  readonly dom0Kernel: string;
  readonly dom0Initrd: string;
  /** Absent: no firmware, QEMU starts the hypervisor itself. For development. */
  readonly firmware?: FirmwareOptions;
  readonly coreCount: number;
  readonly ramSize: number;
  /** In MiB, as Xen counts. */
  readonly dom0Memory: number;
  /** Appended to Xen's command line. */
  readonly xenArguments?: string;
  readonly options: QemuOptions;
}

export interface FirmwareOptions {
  readonly monitor: Uint8Array;
  readonly tees: readonly TeeEntry[];
  readonly ram: RamLayout;
  /** Of the images, as their makers call them. */
  readonly versions: {
    readonly hypervisor: string;
    readonly dom0Kernel: string;
    readonly dom0Initrd: string;
  };
  readonly packageVersion: bigint;
  readonly key: SigningKey;
  /** The fuses of the machine that is to boot. */
  readonly device: Device;
}

export const FLASH_FILE = "flash.bin";
const MONITOR_FILE = "monitor.bin";
const DEVICE_TREE_FILE = "machine.dtb";
/** What dom0 can fetch by tftp from 10.0.2.2. */
export const TFTP_FOLDER = "tftp";
/** For runs whose figures must repeat. */
const FIXED_SEED = 0x123456789abcdef0n;

/** Writes what is made for this machine into its folder; the answer is QEMU's command line. */
export async function layOutBoot(folder: string, files: BootFiles): Promise<string[]> {
  const { firmware } = files;
  await writeAtomically(join(folder, DEVICE_TREE_FILE), await deviceTreeBytes(folder, files));
  if (firmware !== undefined) {
    const { monitor, device } = firmware;
    const bootPackage = await signedPackage(folder, files, firmware);
    await writeFlash(join(folder, FLASH_FILE), { monitor, devicePage: devicePage(device), bootPackage });
  }
  const boot: QemuMachine["boot"] =
    firmware === undefined
      ? { kind: "direct", kernelPath: files.hypervisor, deviceTreePath: DEVICE_TREE_FILE }
      : { kind: "firmware", flashPath: FLASH_FILE };

  await makeDisk(folder);
  await makeFolder(join(folder, TFTP_FOLDER));

  const loads = [
    { path: files.dom0Kernel, addressPa: DOM0_KERNEL_PA },
    { path: files.dom0Initrd, addressPa: DOM0_INITRD_PA },
  ];
  if (firmware !== undefined) {
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

function signedPackage(
  folder: string,
  files: BootFiles,
  { versions, tees, ram, packageVersion, key }: FirmwareOptions,
): Promise<Uint8Array> {
  return makeSignedPackage({
    hypervisor: { path: resolve(folder, files.hypervisor), version: versions.hypervisor },
    dom0Kernel: { path: files.dom0Kernel, version: versions.dom0Kernel },
    dom0Initrd: { path: files.dom0Initrd, version: versions.dom0Initrd },
    deviceTree: { path: join(folder, DEVICE_TREE_FILE), version: "made for this machine" },
    ...{ tees, ram, key },
    coreCount: files.coreCount,
    version: packageVersion,
  });
}

async function deviceTreeBytes(folder: string, files: BootFiles): Promise<Uint8Array> {
  const { firmware, options } = files;
  const base =
    firmware === undefined
      ? await dumpDeviceTree(QEMU_BINARY, machineWords("direct"), hardwareWords(files))
      : await treeWithFirmware(join(folder, MONITOR_FILE), firmware.monitor, files);
  const memory =
    firmware === undefined
      ? { pa: DRAM_PA, size: files.ramSize }
      : { pa: firmware.ram.ramPa, size: firmware.ram.hypervisorSize };
  const tree = machineDeviceTree(base, {
    memoryPa: memory.pa,
    memorySize: memory.size,
    dom0Kernel: { addressPa: DOM0_KERNEL_PA, size: (await stat(files.dom0Kernel)).size },
    dom0Initrd: { addressPa: DOM0_INITRD_PA, size: (await stat(files.dom0Initrd)).size },
    dom0MemoryMib: files.dom0Memory,
    dom0VcpuCount: 1,
    // Extents of 2 MiB at most: an S world shares tables, not 1 GiB blocks that Xen may split later.
    xenArguments: ["bootscrub=0 memop-max-order=9,9,9,9", files.xenArguments ?? ""].join(" ").trimEnd(),
    psci: firmware === undefined ? "as-dumped" : "monitor",
    ...(options.isCounting === true ? { seed: FIXED_SEED } : {}),
  });
  return encodeDeviceTree(tree);
}

/** QEMU describes another machine when there is firmware. Ours is not complete yet: the package in it is to name this tree. */
async function treeWithFirmware(
  path: string,
  monitor: Uint8Array,
  files: BootFiles,
): ReturnType<typeof dumpDeviceTree> {
  await writeAtomically(path, monitor);
  try {
    const words = [...hardwareWords(files), "-bios", path];
    return await dumpDeviceTree(QEMU_BINARY, machineWords("firmware"), words);
  } finally {
    await rm(path, { force: true });
  }
}
