import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aDeviceTreeNode, cellsProperty, findNode, textProperty } from "../formats/device-tree.ts";
import type { DeviceTree } from "../formats/fdt.ts";
import { type MachineTreeOptions, machineDeviceTree } from "./machine-device-tree.ts";

const OPTIONS: MachineTreeOptions = {
  memoryPa: 0x40000000,
  memorySize: 0x7b000000,
  dom0Kernel: { addressPa: 0x42000000, size: 0x1234 },
  dom0Initrd: { addressPa: 0x50000000, size: 0x5678 },
  dom0MemoryMib: 512,
  dom0VcpuCount: 2,
  psci: "monitor",
};

/** As QEMU dumps it with firmware and secure=on, cut down. */
function aBaseTree(): DeviceTree {
  const secure = { status: "disabled", "secure-status": "okay" };
  const root = aDeviceTreeNode("", { "#address-cells": [2], "#size-cells": [2] }, [
    aDeviceTreeNode("memory@40000000", { device_type: "memory", reg: [0x40000000n, 0x80000000n] }),
    aDeviceTreeNode("secram@e000000", { ...secure, device_type: "memory", reg: [0x0e000000n, 0x1000000n] }),
    aDeviceTreeNode("secflash@0", { ...secure }),
    aDeviceTreeNode("smmuv3@9050000", { compatible: "arm,smmu-v3", phandle: [7] }),
    aDeviceTreeNode("fw-cfg@9020000", { compatible: "qemu,fw-cfg-mmio" }),
    aDeviceTreeNode("virtio_mmio@a000000", { compatible: "virtio,mmio" }),
    aDeviceTreeNode("pcie@10000000", {
      compatible: "pci-host-ecam-generic",
      "iommu-map": [0, 7, 0, 0x10000],
    }),
    aDeviceTreeNode("pl011@9000000", { compatible: "arm,pl011" }),
    aDeviceTreeNode("pl011@9040000", { ...secure }),
    aDeviceTreeNode("cpus", {}, [
      aDeviceTreeNode("cpu-map", {}),
      aDeviceTreeNode("cpu@0", { device_type: "cpu" }),
      aDeviceTreeNode("cpu@1", { device_type: "cpu" }),
    ]),
    aDeviceTreeNode("chosen", { "kaslr-seed": [1n], "rng-seed": [1n, 2n, 3n, 4n] }),
    aDeviceTreeNode("secure-chosen", {}),
  ]);
  return { root, reservations: [], bootCpu: 0 };
}

describe("the device tree for Xen", () => {
  test("shows nothing that the secure world keeps", () => {
    const tree = machineDeviceTree(aBaseTree(), OPTIONS);
    for (const path of ["/secram@e000000", "/secflash@0", "/pl011@9040000", "/secure-chosen"]) {
      assert.equal(findNode(tree, path), undefined, path);
    }
    assert.ok(findNode(tree, "/pl011@9000000"));
  });

  test("shows no SMMU, and no device that does DMA past it", () => {
    const tree = machineDeviceTree(aBaseTree(), OPTIONS);
    for (const path of ["/smmuv3@9050000", "/fw-cfg@9020000", "/virtio_mmio@a000000"])
      assert.equal(findNode(tree, path), undefined, path);
    assert.deepEqual([...findNode(tree, "/pcie@10000000")!.properties.keys()], ["compatible"]);
  });

  test("has one memory node, and the pool is not in it", () => {
    const tree = machineDeviceTree(aBaseTree(), OPTIONS);
    const memory = tree.root.children.filter((node) => textProperty(node, "device_type") === "memory");
    assert.deepEqual(
      memory.map((node) => cellsProperty(node, "reg")),
      [[0, 0x40000000, 0, 0x7b000000]],
    );
  });

  test("names PSCI by smc for every core when the monitor serves it", () => {
    const tree = machineDeviceTree(aBaseTree(), OPTIONS);
    assert.equal(textProperty(findNode(tree, "/psci")!, "method"), "smc");
    assert.equal(textProperty(findNode(tree, "/cpus/cpu@1")!, "enable-method"), "psci");
    assert.equal(textProperty(findNode(tree, "/cpus/cpu-map")!, "enable-method"), undefined);
    assert.equal(
      findNode(machineDeviceTree(aBaseTree(), { ...OPTIONS, psci: "as-dumped" }), "/psci"),
      undefined,
    );
  });

  test("gives dom0's kernel and initramfs with their exact sizes", () => {
    const chosen = findNode(machineDeviceTree(aBaseTree(), OPTIONS), "/chosen")!;
    const kernel = chosen.children.find((node) => node.name === "module@42000000")!;
    assert.equal(textProperty(kernel, "compatible"), "multiboot,kernel\0multiboot,module");
    assert.deepEqual(cellsProperty(kernel, "reg"), [0, 0x42000000, 0, 0x1234]);
    const initrd = chosen.children.find((node) => node.name === "module@50000000")!;
    assert.deepEqual(cellsProperty(initrd, "reg"), [0, 0x50000000, 0, 0x5678]);
  });

  test("carries the command lines, with what the caller adds", () => {
    const tree = machineDeviceTree(aBaseTree(), {
      ...OPTIONS,
      xenArguments: "sync_console",
      dom0Arguments: "quiet",
    });
    const chosen = findNode(tree, "/chosen")!;
    assert.match(textProperty(chosen, "xen,xen-bootargs")!, /dom0_mem=512M dom0_max_vcpus=2 sync_console$/);
    assert.equal(textProperty(chosen, "xen,dom0-bootargs"), "console=hvc0 quiet");
  });

  test("repeats itself when it is given a seed, and keeps QEMU's otherwise", () => {
    const kept = findNode(machineDeviceTree(aBaseTree(), OPTIONS), "/chosen")!;
    assert.deepEqual(cellsProperty(kept, "kaslr-seed"), [0, 1]);
    const fixed = findNode(
      machineDeviceTree(aBaseTree(), { ...OPTIONS, seed: 0x1122334455667788n }),
      "/chosen",
    )!;
    assert.deepEqual(cellsProperty(fixed, "kaslr-seed"), [0x11223344, 0x55667788]);
    assert.equal(fixed.properties.get("rng-seed")!.length, 32);
  });

  test("leaves the tree that it was given as it was", () => {
    const base = aBaseTree();
    machineDeviceTree(base, OPTIONS);
    assert.deepEqual(base, aBaseTree());
  });
});
