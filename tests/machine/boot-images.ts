// What lies in the model machine's RAM when it starts: small stand-ins for the hypervisor and what it loads.

import { DEVICE_TREE_PA, DOM0_INITRD_PA, DOM0_KERNEL_PA, XEN_PA } from "../../abi/memory-map.ts";
import { type BootPackage, type RamImage, sha256 } from "../../host/machine/boot-package.ts";

type InRam = "hypervisor" | "dom0Kernel" | "dom0Initrd" | "deviceTree";

/** Each fills a page but for its last bytes, with a value of its own. */
const IMAGE_SIZE = 0xff0;
const PLACES: readonly (readonly [InRam, number])[] = [
  ["hypervisor", XEN_PA],
  ["dom0Kernel", DOM0_KERNEL_PA],
  ["dom0Initrd", DOM0_INITRD_PA],
  ["deviceTree", DEVICE_TREE_PA],
];

/** Their bytes, by address. */
export function ramContents(): ReadonlyMap<number, Uint8Array> {
  return new Map(PLACES.map(([, pa], index) => [pa, new Uint8Array(IMAGE_SIZE).fill(0xa1 + index)]));
}

/** Their rows in the boot package. */
export function ramImages(): Pick<BootPackage, InRam> {
  const contents = ramContents();
  const rows = PLACES.map(([key, pa]): [InRam, RamImage] => {
    const bytes = contents.get(pa)!;
    return [key, { name: key, version: "1", pa, size: bytes.length, hash: sha256(bytes) }];
  });
  return Object.fromEntries(rows) as Pick<BootPackage, InRam>;
}
