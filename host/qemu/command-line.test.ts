import assert from "node:assert/strict";
import { test } from "node:test";
import { allPorts } from "../images/ports.ts";
import { machineWords, type QemuMachine, qemuArguments } from "./command-line.ts";

const MACHINE: QemuMachine = {
  boot: { kind: "firmware", flashPath: "flash.bin" },
  coreCount: 2,
  ramSize: 2 ** 30,
  loads: [],
  ports: allPorts(),
  diskFile: "disk.img",
  tftpFolder: "tftp",
};

test("every PCIe device leaves its DMA to be translated by what stands before it", () => {
  const words = qemuArguments(MACHINE);
  const devices = words.filter((word, index) => words[index - 1] === "-device" && /-pci\b/.test(word));

  assert.deepEqual(
    devices.map((device) => device.split(",")[0]),
    ["virtio-serial-pci", "virtio-serial-pci", "virtio-blk-pci", "virtio-net-pci"],
  );
  for (const device of devices) assert.match(device, /,disable-legacy=on,iommu_platform=on,/);
});

test("nothing of the interrupt controller does DMA", () => {
  for (const kind of ["firmware", "direct"] as const) assert.match(machineWords(kind), /,its=off\b/);
});

test("dom0's network ends in QEMU", () => {
  const words = qemuArguments(MACHINE);

  assert.match(words[words.indexOf("-netdev") + 1]!, /^user,id=network,restrict=on,/);
});

test("a comma in a path is doubled, as QEMU's options want it", () => {
  const words = qemuArguments({ ...MACHINE, diskFile: "a,b.img" });

  assert.ok(words.some((word) => word.includes("filename=a,,b.img,discard")));
});

test("every way to memory but the cores' leads through the monitor's SMMU", () => {
  const words = qemuArguments({ ...MACHINE, options: { hasEdu: true } });

  assert.match(machineWords("firmware"), /,iommu=smmuv3$/);
  assert.match(words.join(" "), / -global fw_cfg_mem\.dma_enabled=off /);
  assert.match(words.join(" "), / -device edu,dma_mask=0xffffffffff$/);
  assert.doesNotMatch(words.join(" "), /bypass_iommu|virtio-\w+-device/);
});

test("a machine without firmware has nobody who would program an SMMU", () => {
  assert.doesNotMatch(machineWords("direct"), /iommu/);
});
