// dtc is the oracle; the round trip is a property.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { execa } from "execa";
import fc from "fast-check";
import { aDeviceTreeNode, cellsProperty, findNode, removeNode, textProperty } from "./device-tree.ts";
import { type DeviceTree, type DeviceTreeNode, decodeDeviceTree, encodeDeviceTree } from "./fdt.ts";

const SOURCE = `/dts-v1/;
/memreserve/ 0x0000000048000000 0x0000000000200000;
/ {
	#address-cells = <2>;
	compatible = "vtz,test", "second";
	chosen {
		bootargs = "console=hvc0";
		empty;
		module@42000000 { reg = <0x0 0x42000000 0x0 0x123>; };
	};
	cpus { cpu@0 { odd = [01 02 03]; }; cpu@1 { }; };
};
`;

async function compile(source: string): Promise<Uint8Array> {
  return (await execa("dtc", ["-q", "-I", "dts", "-O", "dtb"], { input: source, encoding: "buffer" })).stdout;
}

async function decompile(blob: Uint8Array): Promise<string> {
  return (await execa("dtc", ["-q", "-I", "dtb", "-O", "dts"], { input: blob })).stdout;
}

const nameArbitrary = fc.stringMatching(/^[a-z][a-z0-9,._+-]{0,11}$/);

const nodeArbitrary: fc.Memo<DeviceTreeNode> = fc.memo((depth) =>
  fc.record({
    name: nameArbitrary,
    properties: fc
      .array(fc.tuple(nameArbitrary, fc.uint8Array({ maxLength: 17 })), { maxLength: 4 })
      .map((pairs) => new Map(pairs)),
    children: depth <= 1 ? fc.constant([]) : fc.array(nodeArbitrary(depth - 1), { maxLength: 3 }),
  }),
);

const treeArbitrary: fc.Arbitrary<DeviceTree> = fc.record({
  root: nodeArbitrary(4).map((node) => ({ ...node, name: "" })),
  reservations: fc.array(
    fc
      .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 1n, max: 2n ** 32n }))
      .map(([address, size]) => ({ address, size })),
    { maxLength: 3 },
  ),
  bootCpu: fc.nat(255),
});

describe("flattened device trees", () => {
  test("any tree comes back from its encoding", () => {
    fc.assert(
      fc.property(treeArbitrary, (tree) => {
        assert.deepEqual(decodeDeviceTree(encodeDeviceTree(tree)), structuredClone(tree));
      }),
    );
  });

  test("what dtc compiled is decoded", async () => {
    const tree = decodeDeviceTree(await compile(SOURCE));

    assert.deepEqual(tree.reservations, [{ address: 0x48000000n, size: 0x200000n }]);
    assert.equal(textProperty(findNode(tree, "/chosen")!, "bootargs"), "console=hvc0");
    assert.deepEqual(
      cellsProperty(findNode(tree, "/chosen/module@42000000")!, "reg"),
      [0, 0x42000000, 0, 0x123],
    );
    assert.equal(findNode(tree, "/chosen")!.properties.get("empty")!.length, 0);
    assert.equal(findNode(tree, "/nothing/there"), undefined);
  });

  test("dtc reads our encoding as it reads its own", async () => {
    const blob = await compile(SOURCE);
    assert.equal(await decompile(encodeDeviceTree(decodeDeviceTree(blob))), await decompile(blob));
  });

  test("nodes made from values are what dtc makes of the same source", async () => {
    const root = aDeviceTreeNode("", {
      text: "a",
      texts: ["b", "c"],
      cells: [1, 2],
      wide: [0x123456789n],
      flag: true,
    });
    const source =
      '/dts-v1/; / { text = "a"; texts = "b", "c"; cells = <1 2>; wide = /bits/ 64 <0x123456789>; flag; };';

    const ours = encodeDeviceTree({ root, reservations: [], bootCpu: 0 });

    assert.equal(await decompile(ours), await decompile(await compile(source)));
  });

  test("a removed node is gone, its neighbours stay", async () => {
    const tree = decodeDeviceTree(await compile(SOURCE));
    assert.equal(removeNode(tree, "/cpus/cpu@0"), true);
    assert.equal(removeNode(tree, "/cpus/cpu@0"), false);
    assert.deepEqual(
      findNode(tree, "/cpus")!.children.map((child) => child.name),
      ["cpu@1"],
    );
  });

  test("what is no device tree is refused", () => {
    assert.throws(() => decodeDeviceTree(new Uint8Array(100)), /not a flattened device tree/);
    const whole = encodeDeviceTree({ root: aDeviceTreeNode("", {}), reservations: [], bootCpu: 0 });
    assert.throws(() => decodeDeviceTree(whole.subarray(0, whole.length - 8)), /cut off/);
  });
});
