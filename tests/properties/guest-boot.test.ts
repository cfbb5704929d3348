// Whatever a VM is started with, the guest-boot compartment answers with a code, and what it writes is the tree that it
// got with the node for the TEE, by the host's own decoder.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { aDeviceTreeNode } from "../../host/formats/device-tree.ts";
import { encodeDeviceTree } from "../../host/formats/fdt.ts";
import { checkAnyTree } from "../drivers/guest-boot.ts";
import { aGuestTree, treeArbitrary } from "../drivers/guest-trees.ts";

const { VTZ_FULL } = process.env;
const numRuns = VTZ_FULL === "1" ? 20_000 : 300;
const REFUSED_SINCE_UNPLACED: readonly number[] = [abi.GUEST_BOOT_NO_PLACE, abi.GUEST_BOOT_ACPI];

const small = encodeDeviceTree({
  root: aDeviceTreeNode("", { "#size-cells": [2] }, [
    aDeviceTreeNode("firmware", { compatible: "a" }, [aDeviceTreeNode("optee", { method: "hvc" })]),
    aDeviceTreeNode("memory@0", { device_type: "memory", reg: [0x4000_0000n, 0x1000_0000n] }),
    aDeviceTreeNode("reserved-memory", {}, [aDeviceTreeNode("a", { reg: [0x4100_0000n, 0x1000n] })]),
  ]),
  reservations: [{ address: 0x4200_0000n, size: 0x1000n }],
  bootCpu: 0,
});

describe("for any tree the answer is a code, and a good one comes with the right tree", () => {
  test("lawful trees", () => {
    fc.assert(
      fc.property(treeArbitrary, (tree) => {
        const { code } = checkAnyTree(encodeDeviceTree(tree));
        assert.ok(code === abi.GUEST_BOOT_DONE || REFUSED_SINCE_UNPLACED.includes(code), `code ${code}`);
      }),
      { numRuns },
    );
  });

  test("a small tree with each of its bits the other way round, and each of its bytes all zeros or ones", () => {
    for (let offset = 0; offset < small.length; offset++) {
      const changes = Array.from({ length: 8 }, (_, bit) => small[offset]! ^ (1 << bit));
      for (const byte of [...changes, 0, 0xff]) {
        const changed = small.slice();
        changed[offset] = byte;
        checkAnyTree(changed);
      }
    }
  });

  test("a guest's tree cut off anywhere, with and without its size told", () => {
    const blob = Buffer.from(encodeDeviceTree(aGuestTree()));
    for (let size = 0; size < blob.length; size++) {
      const cut = Buffer.from(blob.subarray(0, size));
      assert.notEqual(checkAnyTree(cut).code, abi.GUEST_BOOT_DONE);
      if (size < 8) continue;
      cut.writeUInt32BE(size, 4);
      checkAnyTree(cut);
    }
  });

  test("a guest's tree with some of its bytes others", () => {
    const blob = encodeDeviceTree(aGuestTree());
    const change = fc.tuple(
      fc.nat(blob.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 3, 4, 9)),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const changed = blob.slice();
        for (const [offset, byte] of changes) changed[offset] = byte;
        checkAnyTree(changed);
      }),
      { numRuns: 4 * numRuns },
    );
  });

  test("any words as a structure", () => {
    const word = fc.oneof(fc.constantFrom(1, 2, 3, 4, 9, 0, 4, 0x61000000), fc.nat(16), fc.nat());
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), fc.uint8Array({ maxLength: 12 }), (words, strings) => {
        const blob = Buffer.alloc(56 + words.length * 4 + strings.length);
        const stringsOffset = 56 + words.length * 4;
        const header = [
          0xd00dfeed,
          blob.length,
          56,
          stringsOffset,
          40,
          17,
          16,
          0,
          strings.length,
          words.length * 4,
        ];
        for (const [index, value] of [...header, 0, 0, 0, 0, ...words].entries())
          blob.writeUInt32BE(value, index * 4);
        blob.set(strings, stringsOffset);
        checkAnyTree(blob);
      }),
      { numRuns: 4 * numRuns },
    );
  });

  test("any header before a guest's blocks", () => {
    const blob = Buffer.from(encodeDeviceTree(aGuestTree()));
    const field = fc.oneof(
      fc.nat(blob.length + 8),
      fc.nat(),
      fc.constantFrom(0, 16, 17, 40, 56, 0xffff_ffff),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("4", "8", "12", "16", "20", "24", "32", "36"), field),
        (fields) => {
          const changed = Buffer.from(blob);
          for (const [offset, value] of Object.entries(fields)) changed.writeUInt32BE(value, Number(offset));
          checkAnyTree(changed);
        },
      ),
      { numRuns: 4 * numRuns },
    );
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.equal(checkAnyTree(bytes).code, abi.GUEST_BOOT_NO_TREE);
      }),
      { numRuns },
    );
  });
});
