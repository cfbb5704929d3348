// What the guest-boot compartment does to lawful trees. The tree decoder of the host and dtc are the oracles.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { execa } from "execa";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { aDeviceTreeNode, findNode, textProperty } from "../../host/formats/device-tree.ts";
import { decodeDeviceTree, encodeDeviceTree } from "../../host/formats/fdt.ts";
import { checkAnyTree, lab, showTee, withTeeNode } from "../drivers/guest-boot.ts";
import { aGuestTree, INITRD_END, INITRD_START } from "../drivers/guest-trees.ts";

const IDENTITY = Buffer.from(Array.from({ length: 32 }, (_, index) => index + 1));
const guestBlob = (...parameters: Parameters<typeof aGuestTree>) =>
  encodeDeviceTree(aGuestTree(...parameters));

async function dtc(blob: Uint8Array, to: "dts" | "dtb"): Promise<Buffer> {
  const { stdout } = await execa("dtc", ["-I", "dtb", "-O", to], { input: blob, encoding: "buffer" });
  return Buffer.from(stdout);
}

describe("the new tree", () => {
  test("is the old one and the node of the TEE", () => {
    const { code, blob } = showTee(guestBlob());

    assert.equal(code, abi.GUEST_BOOT_DONE);
    assert.deepEqual(decodeDeviceTree(blob), withTeeNode(aGuestTree()));
    const node = findNode(decodeDeviceTree(blob), "/firmware/optee")!;
    assert.deepEqual(
      [...node.properties].map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
      [
        ["compatible", "linaro,optee-tz\0"],
        ["method", "smc\0"],
      ],
    );
  });

  test("is one that dtc reads without a complaint about its form", async () => {
    const { blob } = showTee(guestBlob());

    const again = decodeDeviceTree(await dtc(blob, "dtb"));

    assert.deepEqual(again, decodeDeviceTree(blob));
    assert.match(
      (await dtc(blob, "dts")).toString(),
      /optee \{\s+compatible = "linaro,optee-tz";\s+method = "smc";/,
    );
  });

  test("is the same when it is shown again", () => {
    const { blob } = showTee(guestBlob());

    assert.deepEqual(showTee(blob).blob, blob);
  });

  test("has no node but the asked one at its place, wherever another was", () => {
    const stale = aDeviceTreeNode("optee", { method: "hvc" }, [aDeviceTreeNode("deep", { a: "b" })]);
    const withUnit = aDeviceTreeNode("optee@1", { method: "hvc" });
    const other = aDeviceTreeNode("optee-like", { method: "hvc" });
    const first = aDeviceTreeNode("firmware", { kept: "yes" }, [stale, other, withUnit]);
    const second = aDeviceTreeNode("firmware", {}, [stale]);
    const elsewhere = aDeviceTreeNode("soc", {}, [aDeviceTreeNode("optee", { method: "hvc" })]);
    const tree = aGuestTree({ more: [elsewhere, first, second] });

    const { blob } = checkAnyTree(encodeDeviceTree(tree));

    const firmwares = decodeDeviceTree(blob).root.children.filter(({ name }) => name === "firmware");
    assert.deepEqual(
      firmwares.map(({ children }) => children.map(({ name }) => name)),
      [["optee-like", "optee"], []],
    );
    assert.equal(textProperty(firmwares[0]!.children[1]!, "method"), "smc");
  });

  test("has the node that is asked for", () => {
    const request = { name: "trusty", compatible: "android,trusty-smc-v1", method: "smc" };

    const { blob } = checkAnyTree(guestBlob(), request);

    const node = findNode(decodeDeviceTree(blob), "/firmware/trusty")!;
    assert.equal(textProperty(node, "compatible"), "android,trusty-smc-v1");
  });

  test("gets new strings only if they are not there", () => {
    const bare = {
      root: aDeviceTreeNode("", {}, [aDeviceTreeNode("cpus", {})]),
      reservations: [],
      bootCpu: 0,
    };
    const withOne = structuredClone(bare);
    withOne.root.children[0]!.properties.set("method", new Uint8Array(1));
    const withBoth = structuredClone(withOne);
    withBoth.root.children[0]!.properties.set("not-compatible", new Uint8Array(1));

    const added = [bare, withOne, withBoth].map((tree) => {
      const blob = encodeDeviceTree(tree);
      const stringsSize = (bytes: Uint8Array) => Buffer.from(bytes).readUInt32BE(32);
      return stringsSize(checkAnyTree(blob).blob) - stringsSize(blob);
    });

    assert.deepEqual(added, ["compatible\0method\0".length, "compatible\0".length, 0]);
  });

  test("keeps reservations and the number of the boot CPU", () => {
    const reservations = [{ address: 0x4100_0000n, size: 0x1000n }];
    const tree = { ...aGuestTree({ reservations }), bootCpu: 3 };

    checkAnyTree(encodeDeviceTree(tree));
  });

  test("is not written where there is no node to write", () => {
    const { code, blob, banks } = showTee(guestBlob(), { isWanted: false, name: "" });

    assert.equal(code, abi.GUEST_BOOT_NOT_WANTED);
    assert.equal(blob.length, 0);
    assert.equal(banks.length, 1);
  });

  test("is written whole or not at all", () => {
    const size = showTee(guestBlob()).blob.length;

    assert.equal(showTee(guestBlob(), { capacity: size }).code, abi.GUEST_BOOT_DONE);
    assert.equal(showTee(guestBlob(), { capacity: size - 1 }).code, abi.GUEST_BOOT_NO_ROOM);
    assert.equal(showTee(guestBlob(), { capacity: 0 }).code, abi.GUEST_BOOT_NO_ROOM);
  });

  test("may be written over the old one: that was copied first", () => {
    const blob = guestBlob();
    const { blob: expected } = showTee(blob);
    lab.window.set(blob);

    const size = BigInt(blob.length);
    const code = lab.exports.call(abi.GUEST_BOOT_TREE, size, 0n, BigInt(abi.GUEST_BOOT_OUTPUT_MAX));

    assert.equal(code, BigInt(abi.GUEST_BOOT_DONE));
    assert.deepEqual(lab.window.slice(0, expected.length), expected);
  });
});

describe("what a tree says of its guest", () => {
  test("initrd and memory", () => {
    const memory = [0x4000_0000n, 0xc000_0000n, 0x2_0000_0000n, 0x4000_0000n];
    const answer = showTee(guestBlob({ memory }));

    assert.deepEqual(answer.initrd, [INITRD_START, INITRD_END]);
    assert.deepEqual(answer.banks, [memory.slice(0, 2), memory.slice(2)]);
    assert.equal(answer.flags & abi.GUEST_BOOT_HAS_INITRD, abi.GUEST_BOOT_HAS_INITRD);
  });

  test("no initrd if its end is not behind its start, or not a number", () => {
    const ends = [[INITRD_START], [0xffff_ffff_ffff_ffffn], Buffer.alloc(5)];
    for (const end of ends) {
      const chosen = { "linux,initrd-start": [INITRD_START], "linux,initrd-end": end };
      const { flags, initrd } = showTee(guestBlob({ chosen }));
      assert.equal(flags & abi.GUEST_BOOT_HAS_INITRD, 0);
      assert.deepEqual(initrd, [0n, 0n]);
    }
  });

  test("numbers of one cell are numbers", () => {
    const chosen = { "linux,initrd-start": [0x4700_0000], "linux,initrd-end": [0x4700_1000] };

    assert.deepEqual(showTee(guestBlob({ chosen })).initrd, [0x4700_0000n, 0x4700_1000n]);
  });

  test("memory by nodes of that name whose device_type says so, in the cells of the root", () => {
    const root = aDeviceTreeNode("", { "#address-cells": [1] }, [
      aDeviceTreeNode("memory@1000", { reg: [0x1000, 0x2000, 0x5000, 0], device_type: "memory" }, [
        aDeviceTreeNode("child", { reg: [1, 1] }),
      ]),
      aDeviceTreeNode("memory@2000", { reg: [0x2000, 0x1000] }),
      aDeviceTreeNode("memory-controller", { device_type: "memory", reg: [0x3000, 0x1000] }),
    ]);

    const { banks } = showTee(encodeDeviceTree({ root, reservations: [], bootCpu: 0 }), { isWanted: false });

    assert.deepEqual(banks, [[0x1000n, 0x2000n]]);
  });

  test("banks beyond the bound are left out", () => {
    const memory = Array.from({ length: 24 }, (_, index) =>
      index % 2 === 0 ? BigInt(index + 1) << 30n : 0x1000n,
    );

    assert.equal(showTee(guestBlob({ memory })).banks.length, abi.GUEST_BOOT_BANK_MAX);
  });

  test("its identity: of /chosen, or else of /passthrough, and 32 bytes", () => {
    const property = "vtz,guest-identity";
    const other = Buffer.alloc(32, 9);
    const of = (chosen: object, passthrough: object) => {
      const { flags, identity } = showTee(
        guestBlob({ chosen: { ...chosen }, passthrough: { ...passthrough } }),
      );
      return (flags & abi.GUEST_BOOT_HAS_IDENTITY) === 0 ? undefined : Buffer.from(identity);
    };

    assert.deepEqual(of({ [property]: IDENTITY }, { [property]: other }), IDENTITY);
    assert.deepEqual(of({}, { [property]: other }), other);
    assert.deepEqual(of({ [property]: IDENTITY.subarray(1) }, { [property]: other }), other);
    assert.equal(of({ [property]: Buffer.alloc(33) }, {}), undefined);
    assert.equal(of({}, {}), undefined);
  });

  test("devices by ACPI: a module of libxl's, or a tree with nothing else", () => {
    const module = aDeviceTreeNode("module@20000000", { compatible: ["xen,guest-acpi", "multiboot,module"] });
    const unlike = aDeviceTreeNode("module@20000000", {
      compatible: ["not-xen,guest-acpi", "xen,guest-acpi2"],
    });
    const stub = aGuestTree();
    stub.root.children = stub.root.children.filter(({ name }) => ["chosen", "hypervisor"].includes(name));

    assert.equal(showTee(guestBlob({ chosenChildren: [module] })).code, abi.GUEST_BOOT_ACPI);
    assert.equal(showTee(encodeDeviceTree(stub)).code, abi.GUEST_BOOT_ACPI);
    assert.equal(showTee(guestBlob({ chosenChildren: [unlike] })).code, abi.GUEST_BOOT_DONE);
  });
});
