// What a machine is started with: its flash, disk and folders, and from them and its boot image QEMU's command line.

import { join } from "node:path";
import { DEVICE_TREE_PA, DOM0_INITRD_PA, DOM0_KERNEL_PA, XEN_PA } from "../../abi/memory-map.ts";
import { allPorts } from "../images/ports.ts";
import { makeFolder } from "../make-folder.ts";
import { type QemuMachine, type QemuOptions, qemuArguments } from "../qemu/command-line.ts";
import type { BootImage } from "./boot-image.ts";
import { type Device, devicePage } from "./device.ts";
import { DISK_FILE, makeDisk } from "./disk.ts";
import { writeFlash } from "./flash.ts";

export interface BootFiles {
  readonly image: BootImage;
  /** Absent: no firmware, QEMU starts the hypervisor itself. For development. */
  readonly firmware?: { readonly monitor: Uint8Array; readonly device: Device };
  readonly options: QemuOptions;
}

export const FLASH_FILE = "flash.bin";
/** What dom0 can fetch by tftp from 10.0.2.2. */
export const TFTP_FOLDER = "tftp";

/** Writes what is this machine's alone into its folder; the answer is QEMU's command line. */
export async function layOutBoot(folder: string, files: BootFiles): Promise<string[]> {
  const { image, firmware, options } = files;
  await makeDisk(folder);
  await makeFolder(join(folder, TFTP_FOLDER));
  return qemuArguments({
    boot: firmware === undefined ? directBoot(image) : await firmwareBoot(folder, image, firmware),
    coreCount: image.coreCount,
    ramSize: image.ram.ramSize,
    loads: [
      { path: image.dom0Kernel, addressPa: DOM0_KERNEL_PA },
      { path: image.dom0Initrd, addressPa: DOM0_INITRD_PA },
      ...(firmware === undefined ? [] : hypervisorLoads(image)),
    ],
    ports: allPorts(),
    diskFile: DISK_FILE,
    tftpFolder: TFTP_FOLDER,
    options,
  });
}

function directBoot({ hypervisor, deviceTree }: BootImage): QemuMachine["boot"] {
  return { kind: "direct", kernelPath: hypervisor, deviceTreePath: deviceTree };
}

async function firmwareBoot(
  folder: string,
  { bootPackage = new Uint8Array(0) }: BootImage,
  { monitor, device }: NonNullable<BootFiles["firmware"]>,
): Promise<QemuMachine["boot"]> {
  await writeFlash(join(folder, FLASH_FILE), { monitor, devicePage: devicePage(device), bootPackage });
  return { kind: "firmware", flashPath: FLASH_FILE };
}

function hypervisorLoads({ hypervisor, deviceTree }: BootImage): { path: string; addressPa: number }[] {
  return [
    { path: hypervisor, addressPa: XEN_PA },
    { path: deviceTree, addressPa: DEVICE_TREE_PA },
  ];
}
