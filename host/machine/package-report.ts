// A boot package as a reader sees it: what it names, who has signed it, and whether it would be taken.

import { readFile } from "node:fs/promises";
import { BOOT_ACCEPTED, BOOT_REFUSED_IMAGE_HASH } from "../../abi/boot-compartment.ts";
import {
  IMAGE_DEVICE_TREE,
  IMAGE_DOM0_INITRD,
  IMAGE_DOM0_KERNEL,
  IMAGE_HYPERVISOR,
} from "../../abi/boot-package.ts";
import { openBootImage } from "./boot-image.ts";
import { decodeBootPackage, sha256 } from "./boot-package.ts";
import { explainRefusal } from "./boot-refusals.ts";
import { decodeImageRows, type ImageRow } from "./image-rows.ts";
import { verifyBootPackage } from "./verify-package.ts";

export interface PackageReport {
  readonly version: string;
  readonly cores: number;
  readonly ramMib: number;
  readonly images: readonly {
    readonly name: string;
    readonly version: string;
    readonly place: string;
    readonly size: number;
    readonly sha256: string;
  }[];
  /** What the machine would answer; absent: it would boot. */
  readonly refusal?: string;
}

const MIB = 2 ** 20;

export function reportPackage(bytes: Uint8Array, rootKey: Uint8Array, minimumVersion: bigint): PackageReport {
  const { version, coreCount, ramSize, tees } = decodeBootPackage(bytes);
  const status = verifyBootPackage(bytes, rootKey, minimumVersion);
  return {
    version: String(version),
    cores: coreCount,
    ramMib: ramSize / MIB,
    images: decodeImageRows(bytes, tees.length).map(describeRow),
    ...(status === BOOT_ACCEPTED ? {} : { refusal: explainRefusal(status) }),
  };
}

/** The name of the first image of a folder that is not what its package names; those of the package itself are not looked at. */
export async function changedImage(folder: string): Promise<string | undefined> {
  const { bootPackage, hypervisor, dom0Kernel, dom0Initrd, deviceTree } = await openBootImage(folder);
  const rows = decodeImageRows(bootPackage!, 0);
  const files: readonly (readonly [number, string])[] = [
    [IMAGE_HYPERVISOR, hypervisor],
    [IMAGE_DOM0_KERNEL, dom0Kernel],
    [IMAGE_DOM0_INITRD, dom0Initrd],
    [IMAGE_DEVICE_TREE, deviceTree],
  ];
  for (const [index, file] of files) {
    const row = rows[index]!;
    const bytes = await readFile(file).catch(() => new Uint8Array(0));
    if (Buffer.compare(sha256(bytes), row.hash) !== 0)
      return `${row.name} (${file}): ${explainRefusal(BOOT_REFUSED_IMAGE_HASH)}`;
  }
  return undefined;
}

function describeRow({ name, version, place, size, hash }: ImageRow): PackageReport["images"][number] {
  return { name, version, place: `0x${place.toString(16)}`, size, sha256: Buffer.from(hash).toString("hex") };
}
