// Kernel modules for tests of the module writer: Debian's, and one of a kernel that was never built.

import { execa } from "execa";
import { fetchPackages } from "../../host/debian/fetch.ts";
import { KERNEL } from "../../host/debian/package-sets.ts";
import { unpackPackage } from "../../host/debian/unpack.ts";
import { KernelModules } from "../../host/images/kernel-modules.ts";

/** Pieces of the assembly of a module whose kernel has a layout of its own; a test leaves one out, or changes it. */
export const OTHER = {
  modinfo: '.section .modinfo, "a"\n.asciz "name=other"\n.asciz "vermagic=7.7 test"',
  versions: `.section __versions, "a"
    .quad 0x1234; .ascii "module_layout"; .zero 43
    .quad 0x5678; .ascii "_printk"; .zero 49`,
  struct: `.section .gnu.linkonce.this_module, "aw"
    .balign 128
    .zero 8; .ascii "other"; .zero 51; .quad init_module; .zero 56`,
  veneers: '.section .plt, "ax"\n.byte 0',
};

export async function debianModule(name: string): Promise<Uint8Array> {
  const [fetched] = await fetchPackages(KERNEL);
  const tree = await unpackPackage(fetched!, () => undefined);
  const loaded = await (await KernelModules.open(tree)).load([name]);
  return loaded.at(-1)!.data;
}

export async function otherModule(change: Partial<typeof OTHER> = {}): Promise<Uint8Array> {
  const assembly = Object.values({ ...OTHER, ...change }).join("\n");
  const args = ["--target=aarch64-none-elf", "-x", "assembler", "-c", "-o", "-", "-"];
  return (await execa("clang-19", args, { input: `${assembly}\n`, encoding: "buffer" })).stdout;
}
