// A boot image: the signed package, and beside it what the package names by hash and the machine finds in RAM:
// hypervisor, dom0's kernel and initrd, device tree. Made for a machine that starts, or kept in a folder (`vtz image`).

import { copyFile, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { decodeBootPackage, type TeeEntry } from "./boot-package.ts";
import { type BoardOptions, deviceTreeBytes } from "./device-tree.ts";
import type { SigningKey } from "./keys.ts";
import type { RamLayout } from "./ram-layout.ts";
import { type ImageFile, makeSignedPackage } from "./signed-package.ts";
import { writeAtomically } from "./state.ts";

/** Paths are absolute, or relative to the machine's folder. */
export interface BootImage {
  readonly hypervisor: string;
  readonly dom0Kernel: string;
  readonly dom0Initrd: string;
  readonly deviceTree: string;
  /** Absent: no monitor, nothing is verified. */
  readonly bootPackage?: Uint8Array;
  readonly coreCount: number;
  readonly ram: RamLayout;
  /** Name of the guests' TEE. */
  readonly tee: string;
}

export interface BootImageOptions extends BoardOptions {
  readonly hypervisor: ImageFile;
  readonly dom0Kernel: ImageFile;
  readonly dom0Initrd: ImageFile;
  readonly tees: readonly TeeEntry[];
  readonly packageVersion: bigint;
  readonly key?: SigningKey;
}

export const DEVICE_TREE_FILE = "machine.dtb";
export const PACKAGE_FILE = "boot-package.bin";

/** Writes what has to be made for it into `folder`. Without a key there is no package. */
export async function makeBootImage(folder: string, options: BootImageOptions): Promise<BootImage> {
  const { hypervisor, dom0Kernel, dom0Initrd, ram, coreCount, tees, key } = options;
  const files = { dom0Kernel: dom0Kernel.path, dom0Initrd: dom0Initrd.path };
  const deviceTree = join(folder, DEVICE_TREE_FILE);
  await writeAtomically(deviceTree, await deviceTreeBytes(folder, options, files));
  const image = {
    ...{ hypervisor: hypervisor.path, ...files, deviceTree: DEVICE_TREE_FILE, coreCount, ram },
    tee: tees[0]?.profile.name ?? "",
  };
  if (key === undefined) return image;
  const bootPackage = await makeSignedPackage({
    hypervisor: { ...hypervisor, path: resolve(folder, hypervisor.path) },
    ...{ dom0Kernel, dom0Initrd, tees, ram, coreCount, key },
    deviceTree: { path: deviceTree, version: "made for this machine" },
    version: options.packageVersion,
  });
  return { ...image, bootPackage };
}

const KEPT_FILES = {
  hypervisor: "hypervisor.bin",
  dom0Kernel: "dom0-kernel.bin",
  dom0Initrd: "dom0-initrd.bin",
  deviceTree: DEVICE_TREE_FILE,
} as const;

/** Copies an image whose paths are relative to `from` into a new folder, which is there whole or not at all. */
export async function keepBootImage(image: BootImage, from: string, folder: string): Promise<void> {
  if (await stat(folder).catch(() => undefined))
    throw new UserError("exists", `${folder} exists already`, "name a new folder: nothing is replaced");
  const incoming = join(dirname(resolve(folder)), `.${basename(folder)}.${process.pid}.tmp`);
  try {
    await makeFolder(incoming);
    for (const [key, name] of Object.entries(KEPT_FILES))
      await copyFile(resolve(from, image[key as keyof typeof KEPT_FILES]), join(incoming, name));
    await writeAtomically(join(incoming, PACKAGE_FILE), image.bootPackage ?? new Uint8Array(0));
    await rename(incoming, folder);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

/** An image from such a folder. That it may boot is for the machine to say. */
export async function openBootImage(folder: string): Promise<BootImage> {
  const bootPackage = await readPackage(folder);
  const { ramPa, ramSize, poolPa, poolSize, poolTeeOffset, coreCount, tees } = decodeBootPackage(bootPackage);
  const paths = Object.entries(KEPT_FILES).map(([key, name]) => [key, resolve(folder, name)]);
  return {
    ...(Object.fromEntries(paths) as Record<keyof typeof KEPT_FILES, string>),
    bootPackage,
    coreCount,
    ram: { ramPa, ramSize, poolPa, poolSize, poolTeeOffset, hypervisorSize: poolPa - ramPa },
    tee: tees[0]?.profile.name ?? "",
  };
}

/** The package of such a folder, or one that is named itself. */
export async function readPackage(path: string): Promise<Uint8Array> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = isFolder ? join(path, PACKAGE_FILE) : path;
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(
      "no-image",
      `${file} cannot be read (${error.code})`,
      "make an image: `vtz image FOLDER`",
    );
  });
  try {
    decodeBootPackage(bytes);
  } catch (error) {
    throw new UserError(
      "image-damaged",
      `${file}: ${(error as Error).message}`,
      "make it anew: `vtz image FOLDER`",
    );
  }
  return bytes;
}
