// The device tree that Xen gets: QEMU's own, without what the secure world keeps, with the boot modules
// (Xen docs/misc/arm/device-tree/booting.txt).

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  aDeviceTreeNode,
  copyDeviceTree,
  findNode,
  removeNode,
  setProperty,
  textProperty,
} from "../formats/device-tree.ts";
import { type DeviceTree, type DeviceTreeNode, decodeDeviceTree } from "../formats/fdt.ts";
import { runTool } from "../run-tool.ts";

export interface BootModule {
  addressPa: number;
  /** Exact size in bytes. */
  size: number;
}

export interface MachineTreeOptions {
  /** Start and size of the RAM that Xen may have; the pool at the top is not in it. */
  memoryPa: number;
  memorySize: number;
  dom0Kernel: BootModule;
  dom0Initrd: BootModule;
  dom0MemoryMib: number;
  dom0VcpuCount: number;
  /** Appended to Xen's and to dom0's command line. */
  xenArguments?: string;
  dom0Arguments?: string;
  /** Who answers PSCI: the monitor by smc, or, without firmware, QEMU as its own tree says. */
  psci: "monitor" | "as-dumped";
  /** Makes runs repeatable: in place of QEMU's random seeds for the kernel's layout. */
  seed?: bigint;
}

const XEN_UART = "/pl011@9000000";

/** A pure function of QEMU's tree. */
export function machineDeviceTree(base: DeviceTree, options: MachineTreeOptions): DeviceTree {
  const tree = copyDeviceTree(base);
  removeSecureNodes(tree.root);
  removeNode(tree, "/secure-chosen");
  hideDmaPaths(tree.root);
  setMemory(tree, options);
  if (options.psci === "monitor") describePsci(tree);
  setChosen(tree, options);
  return tree;
}

/** Devices that only the secure world reaches; a normal access to one is an external abort. */
function removeSecureNodes(node: DeviceTreeNode): void {
  node.children = node.children.filter((child) => textProperty(child, "secure-status") !== "okay");
  for (const child of node.children) removeSecureNodes(child);
}

/** The SMMU is the monitor's: to Xen and dom0 bus addresses are physical. Nothing may be there that does DMA past it. */
function hideDmaPaths(node: DeviceTreeNode): void {
  node.children = node.children.filter((child) => !HIDDEN.includes(firstCompatible(child)));
  for (const child of node.children) {
    child.properties.delete("iommu-map");
    hideDmaPaths(child);
  }
}

const HIDDEN: readonly string[] = [
  "arm,smmu-v3",
  "qemu,fw-cfg-mmio", // does DMA of its own, if QEMU lets it
  "virtio,mmio", // nothing is plugged in; what were would do DMA past the SMMU
];

function firstCompatible(node: DeviceTreeNode): string {
  return textProperty(node, "compatible")?.split("\0")[0] ?? "";
}

function setMemory(tree: DeviceTree, options: MachineTreeOptions): void {
  tree.root.children = tree.root.children.filter((child) => textProperty(child, "device_type") !== "memory");
  const reg = [BigInt(options.memoryPa), BigInt(options.memorySize)];
  const name = `memory@${options.memoryPa.toString(16)}`;
  tree.root.children.push(aDeviceTreeNode(name, { device_type: "memory", reg }));
}

/** With firmware QEMU leaves PSCI to it, node and enable-methods included. */
function describePsci(tree: DeviceTree): void {
  removeNode(tree, "/psci");
  tree.root.children.push(
    aDeviceTreeNode("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2"], method: "smc" }),
  );
  for (const cpu of findNode(tree, "/cpus")?.children ?? []) {
    if (textProperty(cpu, "device_type") === "cpu") setProperty(cpu, "enable-method", "psci");
  }
}

function setChosen(tree: DeviceTree, options: MachineTreeOptions): void {
  const chosen = nodeOf(tree, "chosen");
  const xen = `console=dtuart dtuart=${XEN_UART} dom0_mem=${options.dom0MemoryMib}M dom0_max_vcpus=${options.dom0VcpuCount}`;
  setProperty(chosen, "xen,xen-bootargs", withMore(xen, options.xenArguments));
  setProperty(chosen, "xen,dom0-bootargs", withMore("console=hvc0", options.dom0Arguments));
  setProperty(chosen, "#address-cells", [2]);
  setProperty(chosen, "#size-cells", [2]);
  chosen.properties.delete("ranges");
  chosen.children.push(
    moduleNode("multiboot,kernel", options.dom0Kernel),
    moduleNode("multiboot,ramdisk", options.dom0Initrd),
  );
  if (options.seed !== undefined) {
    setProperty(chosen, "kaslr-seed", [options.seed]);
    setProperty(chosen, "rng-seed", [
      options.seed,
      ~options.seed & 0xffffffffffffffffn,
      options.seed,
      options.seed,
    ]);
  }
}

function moduleNode(kind: string, { addressPa, size }: BootModule): DeviceTreeNode {
  const reg = [BigInt(addressPa), BigInt(size)];
  return aDeviceTreeNode(`module@${addressPa.toString(16)}`, { compatible: [kind, "multiboot,module"], reg });
}

function nodeOf(tree: DeviceTree, name: string): DeviceTreeNode {
  const found = findNode(tree, `/${name}`);
  if (found !== undefined) return found;
  const made = aDeviceTreeNode(name, {});
  tree.root.children.push(made);
  return made;
}

function withMore(text: string, more: string | undefined): string {
  return more === undefined || more === "" ? text : `${text} ${more}`;
}

/** Asks QEMU for the tree of the machine that these words make. With firmware the words must hold `-bios`, and
 * its file must exist: QEMU describes another machine without. Nothing is run. */
export async function dumpDeviceTree(qemu: string, machine: string, words: string[]): Promise<DeviceTree> {
  const folder = await mkdtemp(join(tmpdir(), "vtz-dtb-"));
  try {
    const path = join(folder, "base.dtb");
    const args = ["-M", `${machine},dumpdtb=${path}`, ...words, "-nodefaults", "-display", "none"];
    await runTool(qemu, args, { timeoutMs: 30_000, package: "qemu-system-arm" });
    return decodeDeviceTree(await readFile(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
