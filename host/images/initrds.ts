// What lies in the initramfs of dom0 and of a guest. Neither is compressed: dom0's is read once from RAM, and
// under emulation decompressing takes longer than copying.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { projectFolder } from "../paths.ts";
import { FileTree } from "./file-tree.ts";
import { KernelModules } from "./kernel-modules.ts";

/** Where dom0 keeps what `xl create` needs; host/images/guest-config.ts names them. */
export const GUEST_KERNEL_PATH = "/usr/lib/vtz/guest-kernel";
export const GUEST_INITRD_PATH = "/usr/lib/vtz/guest-initrd";

const XEN_MODULES = ["xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs"];
/** By the name of their list for el1/common/load: at boot, or with the first disk or network card of a guest. */
const DOM0_MODULES = {
  boot: [...XEN_MODULES, "virtio-blk", "virtio-net"],
  vbd: ["xen-blkback"],
  vif: ["xen-netback", "bridge"],
};
const GUEST_MODULES = {
  boot: ["tee", "optee"],
  vbd: ["xen-blkfront", "crc32c-generic", "ext4"],
  vif: ["xen-netfront"],
};
const XEN_PROGRAMS = ["xl", "xenconsole", "xenstored", "xenconsoled", "xen-init-dom0"];
/** As xl looks for them: for a disk, and for a network card on a bridge. */
const HOTPLUG_SCRIPTS = ["block", "vif-bridge"];
const XENSTORE_PROGRAMS = ["xenstore-read", "xenstore-write", "xenstore-ls"];
const PKCS11_TA = "fd02c9da-306c-48c7-a49c-bbd827ae86ee.ta";

export interface Dom0Parts {
  packageTrees: string[];
  kernelTree: string;
  guestKernel: Uint8Array;
  guestInitrd: Uint8Array;
}

export interface GuestParts {
  packageTrees: string[];
  kernelTree: string;
  /** Tree of optee-os-dev, for the TAs that belong to the TEE. */
  teeSdkTree: string;
  /** A folder of the user's, laid over the guest's root. */
  extraFiles?: string;
}

export async function buildDom0Initrd(parts: Dom0Parts): Promise<Uint8Array> {
  const tree = new FileTree(parts.packageTrees);
  await addBase(tree, "dom0", parts.kernelTree, DOM0_MODULES);
  for (const name of XEN_PROGRAMS) await tree.addProgram(`usr/lib/xen-4.20/bin/${name}`);
  for (const name of XENSTORE_PROGRAMS) await tree.addProgram(`usr/bin/${name}`);
  tree.addFile("usr/lib/vtz/guest", await ours("el1/dom0/guest"), 0o755);
  tree.addFile("usr/lib/vtz/relay.pl", await ours("el1/dom0/relay.pl"));
  tree.addFile("usr/lib/vtz/window.pl", await ours("el1/dom0/window.pl"));
  tree.addFile("usr/lib/vtz/network", await ours("el1/dom0/network"), 0o755);
  for (const name of HOTPLUG_SCRIPTS) {
    tree.addFile(`etc/xen/scripts/${name}`, await ours("el1/dom0/hotplug"), 0o755);
  }
  tree.addLink("var/lock", "../run/lock"); // xenconsole's
  tree.addFile("etc/xen/xl.conf", 'autoballoon="off"\n');
  tree.addFile(GUEST_KERNEL_PATH.slice(1), parts.guestKernel);
  tree.addFile(GUEST_INITRD_PATH.slice(1), parts.guestInitrd);
  return tree.encode();
}

export async function buildGuestInitrd(parts: GuestParts): Promise<Uint8Array> {
  const tree = new FileTree([...parts.packageTrees, parts.teeSdkTree]);
  await addBase(tree, "guest", parts.kernelTree, GUEST_MODULES);
  await tree.addProgram("usr/sbin/tee-supplicant");
  await tree.addProgram("usr/bin/xtest");
  await tree.addPackageFolder("usr/lib/optee_armtz");
  await tree.addPackageFolder("usr/lib/tee-supplicant");
  const sdkTas = join(parts.teeSdkTree, "usr/lib/optee-os-dev/vexpress-qemu_armv8a/ta");
  tree.addFile(`usr/lib/optee_armtz/${PKCS11_TA}`, await readFile(join(sdkTas, PKCS11_TA)));
  if (parts.extraFiles !== undefined) await tree.addHostFolder(parts.extraFiles, "");
  return tree.encode();
}

async function addBase(
  tree: FileTree,
  who: string,
  kernelTree: string,
  modules: Record<string, string[]>,
): Promise<void> {
  await tree.addProgram("usr/bin/busybox");
  tree.addLink("usr/bin/sh", "busybox");
  await tree.addProgram("usr/bin/perl");
  await tree.addLibrary("libgcc_s.so.1"); // libc's pthread_cancel opens it
  for (const module of ["strict.pm", "warnings.pm"]) {
    await tree.addPackageFile(`usr/lib/aarch64-linux-gnu/perl-base/${module}`);
  }
  tree.addFile("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  tree.addFile("etc/group", "root:x:0:\nteeclnt:x:100:\n");
  tree.addFile("etc/hosts", "127.0.0.1 localhost\n");
  tree.addFile("init", await ours(`el1/${who}/init`), 0o755);
  tree.addFile("usr/lib/vtz/agent.pl", await ours("el1/agent/agent.pl"));
  tree.addFile("usr/lib/vtz/load", await ours("el1/common/load"), 0o755);
  const all = await KernelModules.open(kernelTree);
  for (const [list, names] of Object.entries(modules)) {
    const loaded = await all.load(names);
    for (const { name, data } of loaded) tree.addFile(`usr/lib/vtz/modules/${name}.ko`, data);
    tree.addFile(`usr/lib/vtz/modules.${list}`, `${loaded.map(({ name }) => name).join("\n")}\n`);
  }
}

async function ours(path: string): Promise<Uint8Array> {
  return await readFile(join(projectFolder, path));
}
