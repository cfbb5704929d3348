// Test kernels as images: what the monitor and the toolstack will look for in them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { PROBE_ORDER_OFFSET, PROBE_ORDER_SIZE } from "../../abi/probe.ts";
import { CASES_SIZE } from "../../abi/probe-cases.ts";
import { systemAccessConstants } from "../../arm/instructions.ts";
import { readLinuxImageHeader } from "../formats/linux-image.ts";
import { buildKernel, type KernelName } from "./build-kernel.ts";

const PAGE_SIZE = 0x1000;
const REGISTER_COUNT = 3;

async function timerAccesses(name: KernelName): Promise<number> {
  const { CNTPS_ACCESS_MASK: mask, CNTPS_ACCESS_VALUE: value } = systemAccessConstants;
  const image = await readFile(await buildKernel(name));
  const offsets = [...Array(image.length >> 2).keys()].map((index) => index * 4);
  return offsets.filter((offset) => (image.readUInt32LE(offset) & mask) >>> 0 === value).length;
}

test("the probe TEE of the vector kind reads and writes each secure-timer register in one place", async () => {
  assert.equal(await timerAccesses("probe-tee-vector"), REGISTER_COUNT * 2);
});

test("the probe TEE of the resume kind has no secure-timer instruction", async () => {
  assert.equal(await timerAccesses("probe-tee-resume"), 0);
});

test("the probe guest is an Image with room for its order and its cases, and ends where these begin", async () => {
  const image = await readFile(await buildKernel("probe-guest"));
  const order = image.subarray(PROBE_ORDER_OFFSET, PROBE_ORDER_OFFSET + PROBE_ORDER_SIZE);
  const { textOffset, memorySize } = readLinuxImageHeader(image);

  assert.equal(textOffset, 0);
  assert.ok(order.every((byte) => byte === 0));
  assert.equal(image.length % PAGE_SIZE, 0);
  assert.ok(memorySize > image.length + CASES_SIZE);
});
