// A VM's device tree before its first instruction: with a node more, in place or elsewhere, or as it was.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { COMPARTMENT_GUEST_BOOT } from "../../abi/compartments.ts";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { GUEST_TREE_FAULTED, GUEST_TREE_NOT_MAPPED } from "../../abi/status.ts";
import { aDeviceTreeNode, findNode, textProperty } from "../../host/formats/device-tree.ts";
import { decodeDeviceTree, encodeDeviceTree } from "../../host/formats/fdt.ts";
import { anImageHeader } from "../drivers/guest-boot.ts";
import { aGuestTree } from "../drivers/guest-trees.ts";
import { aLab, type Lab, type LabOptions } from "../drivers/lab.ts";
import type { VirtualMachine } from "../drivers/virtual-machine.ts";
import { MonitorState } from "../machine/monitor-state.ts";
import { word } from "../machine/source-words.ts";

const RAM_IPA = 0x40000000;
const RAM_SIZE = 0x400000;
const PAGE_SIZE = 0x1000;
const IN_LAST_BLOCK = RAM_IPA + 0x300000;
const NODE = { name: "optee", compatible: "linaro,optee-tz", method: "smc" };
const KERNEL_SIZE = 0x100000n;

const blobOf = (size = 0) => {
  const filled = (length: number) => {
    const filler = aDeviceTreeNode("filler", { filler: Buffer.alloc(length) });
    const memory = [BigInt(RAM_IPA), BigInt(RAM_SIZE)];
    const passthrough = { "vtz,guest-identity": Buffer.alloc(32, 7) };
    return encodeDeviceTree(aGuestTree({ chosen: {}, memory, passthrough, more: [filler] }));
  };
  return filled(Math.max(0, size - filled(0).length));
};

/** A VM that a toolstack has given a kernel and a tree, at its first instruction. */
function aVmWithTree(lab: Lab, blob: Uint8Array, treeIpa: number): VirtualMachine {
  const vm = lab.aVm({ ramMib: RAM_SIZE >> 20 });
  load(lab, vm, RAM_IPA, anImageHeader(KERNEL_SIZE));
  load(lab, vm, treeIpa, blob);
  vm.vcpus[0]!.x[0] = BigInt(treeIpa);
  return vm;
}

function load(lab: Lab, vm: VirtualMachine, ipa: number, bytes: Uint8Array): void {
  lab.machine.memory.load(vm.ramPa + ipa - RAM_IPA, bytes);
}

function firstRun(lab: Lab, vm: VirtualMachine): { code: number; x0: number } {
  lab.runVcpu(vm.vcpus[0]!);
  lab.tee().entryDone();
  const event = lab.status.events.findLast(({ kind }) => kind === "guest-tree")!;
  return { code: Number(event.arguments[0]), x0: Number(lab.core(0).x[0]) };
}

function treeAt(lab: Lab, vm: VirtualMachine, ipa: number) {
  return decodeDeviceTree(lab.machine.memory.bytes(vm.ramPa + ipa - RAM_IPA, 0x11000));
}

const withNode = (options: LabOptions = {}) =>
  aLab({ ...options, profile: { node: NODE, ...options.profile } });

suite("a VM's device tree", () => {
  test("has the node of its TEE when the VM begins, where the tree was", async () => {
    const lab = await withNode();
    const vm = aVmWithTree(lab, blobOf(), IN_LAST_BLOCK);

    const { code, x0 } = firstRun(lab, vm);

    assert.equal(code, abi.GUEST_BOOT_DONE);
    assert.equal(x0, IN_LAST_BLOCK);
    const node = findNode(treeAt(lab, vm, x0), "/firmware/optee")!;
    assert.equal(textProperty(node, "compatible"), NODE.compatible);
  });

  test("is clean in the caches, since the VM begins with its own off", async () => {
    const lab = await withNode();
    const vm = aVmWithTree(lab, blobOf(2 * PAGE_SIZE), IN_LAST_BLOCK);

    firstRun(lab, vm);

    const first = vm.ramPa / PAGE_SIZE;
    const dirty = [...lab.machine.memory.uncleaned.keys()].filter(
      (page) => page >= first && page < first + RAM_SIZE / PAGE_SIZE,
    );
    assert.deepEqual(dirty, []);
  });

  test("lies elsewhere, and x0 says so, if its page is full", async () => {
    const lab = await withNode();
    const blob = blobOf(PAGE_SIZE);
    const vm = aVmWithTree(lab, blob, IN_LAST_BLOCK);

    const { code, x0 } = firstRun(lab, vm);

    assert.equal(code, abi.GUEST_BOOT_DONE);
    assert.equal(x0, IN_LAST_BLOCK + PAGE_SIZE);
    assert.ok(findNode(treeAt(lab, vm, x0), "/firmware/optee"));
    const old = lab.machine.memory.bytes(vm.ramPa + IN_LAST_BLOCK - RAM_IPA, blob.length);
    assert.equal(Buffer.compare(old, blob), 0);
  });

  test("may lie at any multiple of 8, and be the last thing of the VM's memory", async () => {
    const lab = await withNode();
    const blob = blobOf(PAGE_SIZE - 8);
    const vm = aVmWithTree(lab, blob, RAM_IPA + RAM_SIZE - PAGE_SIZE + 8);

    const { code, x0 } = firstRun(lab, vm);

    assert.equal(code, abi.GUEST_BOOT_DONE);
    assert.equal(x0, RAM_IPA + Number(KERNEL_SIZE));
    assert.ok(findNode(treeAt(lab, vm, x0), "/firmware/optee"));
  });

  test("tells the monitor who the guest says that it is", async () => {
    const lab = await withNode();

    firstRun(lab, aVmWithTree(lab, blobOf(), IN_LAST_BLOCK));

    assert.deepEqual(new MonitorState(lab.machine).identity(0), new Uint8Array(32).fill(7));
  });

  const refused: [string, (lab: Lab) => VirtualMachine, number][] = [
    ["there is none", (lab) => aVmWithTree(lab, new Uint8Array(64), IN_LAST_BLOCK), abi.GUEST_BOOT_NO_TREE],
    ["x0 is no IPA of its memory", (lab) => withX0(lab, BigInt(RAM_IPA + RAM_SIZE)), abi.GUEST_BOOT_NO_TREE],
    ["x0 is no IPA", (lab) => withX0(lab, 0xffff_ffff_ffff_fff8n), abi.GUEST_BOOT_BAD_REQUEST],
    ["x0 is not aligned", (lab) => withX0(lab, BigInt(IN_LAST_BLOCK + 4)), abi.GUEST_BOOT_BAD_REQUEST],
    ["it is not lawful", (lab) => aVmWithTree(lab, broken(), IN_LAST_BLOCK), abi.GUEST_BOOT_BAD_STRUCTURE],
    ["the compartment fails", withFault, GUEST_TREE_FAULTED],
    ["the VM cannot write there", withReadOnlyMemory, GUEST_TREE_NOT_MAPPED],
  ];
  for (const [name, vmOf, expected] of refused) {
    test(`is as it was if ${name}; the event says why, and the VM begins`, async () => {
      const lab = await withNode();
      const vm = vmOf(lab);
      const before = [...vm.vcpus[0]!.x];
      const ram = Buffer.from(lab.machine.memory.bytes(vm.ramPa, RAM_SIZE));

      const { code } = firstRun(lab, vm);

      assert.equal(code, expected);
      assert.deepEqual([...lab.core(0).x], before);
      assert.equal(ram.compare(lab.machine.memory.bytes(vm.ramPa, RAM_SIZE)), 0);
      assert.ok(lab.fetch(lab.core(0)));
    });
  }

  test("is as it was if the kind of TEE has no node", async () => {
    const lab = await aLab();
    const vm = aVmWithTree(lab, blobOf(), IN_LAST_BLOCK);

    assert.equal(firstRun(lab, vm).code, abi.GUEST_BOOT_NOT_WANTED);
    assert.deepEqual(treeAt(lab, vm, IN_LAST_BLOCK), decodeDeviceTree(blobOf()));
  });

  function withX0(lab: Lab, x0: bigint): VirtualMachine {
    const vm = aVmWithTree(lab, blobOf(), IN_LAST_BLOCK);
    vm.vcpus[0]!.x[0] = x0;
    return vm;
  }

  function broken(): Uint8Array {
    const blob = Buffer.from(blobOf());
    blob.writeUInt32BE(7, blob.readUInt32BE(8) + 8);
    return blob;
  }

  function withFault(lab: Lab): VirtualMachine {
    lab.machine.forcedEnd = "abort";
    lab.machine.forcedCompartment = COMPARTMENT_GUEST_BOOT;
    return aVmWithTree(lab, blobOf(), IN_LAST_BLOCK);
  }

  function withReadOnlyMemory(lab: Lab): VirtualMachine {
    const vm = aVmWithTree(lab, blobOf(), IN_LAST_BLOCK);
    const entryPa = vm.tables.entryPa(IN_LAST_BLOCK, 2);
    const entry = lab.machine.memory.read64(entryPa);
    lab.hypervisor.write64(entryPa, entry & ~word("STAGE2_S2AP_WO"));
    return vm;
  }
});
