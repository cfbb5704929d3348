// Device trees of guests: one as libxl makes it, and others made of random parts.

import fc from "fast-check";
import { aDeviceTreeNode } from "../../host/formats/device-tree.ts";
import type { DeviceTree, DeviceTreeNode } from "../../host/formats/fdt.ts";

export const INITRD_START = 0x4700_0000n;
export const INITRD_END = 0x4780_1234n;

export interface GuestTree {
  memory?: bigint[];
  chosen?: Parameters<typeof aDeviceTreeNode>[1];
  chosenChildren?: DeviceTreeNode[];
  passthrough?: Parameters<typeof aDeviceTreeNode>[1];
  /** Further nodes below the root. */
  more?: DeviceTreeNode[];
  reservations?: DeviceTree["reservations"];
}

/** The nodes that libxl gives a guest of one vCPU (tools/libs/light/libxl_arm.c), the values shortened. */
export function aGuestTree(guest: GuestTree = {}): DeviceTree {
  const { memory = [0x4000_0000n, 0x1000_0000n], more = [], reservations = [] } = guest;
  const chosen = guest.chosen ?? {
    bootargs: "console=ttyAMA0",
    "linux,initrd-start": [INITRD_START],
    "linux,initrd-end": [INITRD_END],
    "rng-seed": Buffer.alloc(128, 0x5c),
  };
  const cpu = aDeviceTreeNode("cpu@0", { device_type: "cpu", compatible: "arm,armv8", reg: [0n] });
  const root = aDeviceTreeNode(
    "",
    {
      model: "XENVM-4.20",
      compatible: ["xen,xenvm-4.20", "xen,xenvm"],
      "interrupt-parent": [0xfde8],
      "#address-cells": [2],
      "#size-cells": [2],
    },
    [
      aDeviceTreeNode("chosen", chosen, guest.chosenChildren),
      aDeviceTreeNode("cpus", { "#address-cells": [1], "#size-cells": [0] }, [cpu]),
      aDeviceTreeNode("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2"], method: "hvc" }),
      aDeviceTreeNode("memory@40000000", { device_type: "memory", reg: memory }),
      aDeviceTreeNode("hypervisor", { compatible: "xen,xen", reg: [0x3800_0000n, 0x100_0000n] }),
      ...(guest.passthrough === undefined ? [] : [aDeviceTreeNode("passthrough", guest.passthrough)]),
      ...more,
    ],
  );
  return { root, reservations, bootCpu: 0 };
}

const nameArbitrary = fc.stringMatching(/^[a-z][a-z0-9,._+-]{0,11}$/);
/** Names that the compartment has an eye on come often. */
const nodeNameArbitrary = fc.oneof(
  nameArbitrary,
  fc.constantFrom(
    "firmware",
    "optee",
    "optee@0",
    "chosen",
    "memory@40000000",
    "reserved-memory",
    "passthrough",
  ),
);
const propertyNameArbitrary = fc.oneof(
  nameArbitrary,
  fc.constantFrom("compatible", "method", "reg", "device_type", "#address-cells", "linux,initrd-start"),
);

const nodeArbitrary: fc.Memo<DeviceTreeNode> = fc.memo((depth) =>
  fc.record({
    name: nodeNameArbitrary,
    properties: fc
      .array(fc.tuple(propertyNameArbitrary, fc.uint8Array({ maxLength: 17 })), { maxLength: 4 })
      .map((pairs) => new Map(pairs)),
    children: depth <= 1 ? fc.constant([]) : fc.array(nodeArbitrary(depth - 1), { maxLength: 3 }),
  }),
);

const reservationsArbitrary = fc.array(
  fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 1n, max: 2n ** 32n }))
    .map(([address, size]) => ({ address, size })),
  { maxLength: 3 },
);

/** Any tree that is lawful. */
export const treeArbitrary: fc.Arbitrary<DeviceTree> = fc.record({
  root: nodeArbitrary(4).map((node) => ({ ...node, name: "" })),
  reservations: reservationsArbitrary,
  bootCpu: fc.nat(255),
});
