// The device tree that a guest's TEE finds in x2: nothing but the N world's memory, which the monitor fills in
// for each guest (abi/boot-package.ts, TEE_DEVICE_TREE_MEMORY). OP-TEE takes its non-secure ranges from it.

import { aDeviceTreeNode } from "../formats/device-tree.ts";
import { encodeDeviceTree } from "../formats/fdt.ts";
import type { DeviceTreeTemplate } from "./boot-package.ts";

// Two (base, size) pairs of 64 bits; the value says "not filled in" to whoever reads a dump.
const PLACEHOLDER = Buffer.alloc(32, 0xee);

export function teeDeviceTree(): DeviceTreeTemplate {
  const cells = { "#address-cells": [2], "#size-cells": [2] };
  const memory = aDeviceTreeNode("memory@40000000", { device_type: "memory", reg: PLACEHOLDER });
  const root = aDeviceTreeNode("", { ...cells, compatible: "linux,dummy-virt" }, [memory]);
  const bytes = Buffer.from(encodeDeviceTree({ root, reservations: [], bootCpu: 0 }));

  const memoryOffset = bytes.indexOf(PLACEHOLDER);
  if (memoryOffset < 0 || bytes.indexOf(PLACEHOLDER, memoryOffset + 1) >= 0) {
    throw new Error("the mark for the N world's memory must occur once");
  }
  return { bytes, memoryOffset };
}
