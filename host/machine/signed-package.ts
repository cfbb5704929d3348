// From the files that a machine boots to the signed package that names them (abi/boot-package.ts).

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { IMAGE_VERSION_SIZE } from "../../abi/boot-package.ts";
import { DEVICE_TREE_PA, DOM0_INITRD_PA, DOM0_KERNEL_PA, XEN_PA } from "../../abi/memory-map.ts";
import { encodeBootPackage, type RamImage, signBootPackage, type TeeEntry } from "./boot-package.ts";
import type { SigningKey } from "./keys.ts";
import type { RamLayout } from "./ram-layout.ts";

export interface ImageFile {
  readonly path: string;
  readonly version: string;
}

export interface PackageOptions {
  readonly hypervisor: ImageFile;
  readonly dom0Kernel: ImageFile;
  readonly dom0Initrd: ImageFile;
  readonly deviceTree: ImageFile;
  readonly tees: readonly TeeEntry[];
  readonly ram: RamLayout;
  readonly coreCount: number;
  readonly version: bigint;
  readonly key: SigningKey;
}

export async function makeSignedPackage(options: PackageOptions): Promise<Uint8Array> {
  const { ram, coreCount, version, tees, key } = options;
  const { ramPa, ramSize, poolPa, poolSize, poolTeeOffset } = ram;
  const [hypervisor, dom0Kernel, dom0Initrd, deviceTree] = await Promise.all([
    ramImage("hypervisor", options.hypervisor, XEN_PA),
    ramImage("dom0 kernel", options.dom0Kernel, DOM0_KERNEL_PA),
    ramImage("dom0 initrd", options.dom0Initrd, DOM0_INITRD_PA),
    ramImage("device tree", options.deviceTree, DEVICE_TREE_PA),
  ]);
  const bytes = encodeBootPackage({
    ...{ version, ramPa, ramSize, poolPa, poolSize, poolTeeOffset, coreCount },
    ...{ hypervisor, dom0Kernel, dom0Initrd, deviceTree },
    tees: tees.map((tee) => ({ ...tee, version: shortened(tee.version) })),
  });
  return signBootPackage(bytes, key.privateKey);
}

async function ramImage(name: string, { path, version }: ImageFile, pa: number): Promise<RamImage> {
  const { size } = await stat(path);
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { name, version: shortened(version), pa, size, hash: new Uint8Array(hash.digest()) };
}

/** A version is there to be read; what counts is the hash. */
function shortened(version: string): string {
  return version.replace(/[^\x20-\x7e]/g, "?").slice(0, IMAGE_VERSION_SIZE - 1);
}
