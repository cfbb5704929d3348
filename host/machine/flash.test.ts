import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BOOT_PACKAGE_PA,
  DEVICE_PAGE_PA,
  DEVICE_PAGE_SIZE,
  MONITOR_TEXT_SIZE,
} from "../../abi/memory-map.ts";
import { buildFlash } from "./flash.ts";
import { layOutRam } from "./ram-layout.ts";
import { parseTeeHeader } from "./tee-header.ts";

const MIB = 1024 * 1024;

test("monitor, device page and boot package lie where the memory map says", () => {
  const flash = buildFlash({
    monitor: Uint8Array.of(1, 2, 3),
    devicePage: new Uint8Array(DEVICE_PAGE_SIZE).fill(4),
    bootPackage: Uint8Array.of(5, 6),
  });

  assert.deepEqual([...flash.subarray(0, 4)], [1, 2, 3, 0]);
  assert(flash.subarray(DEVICE_PAGE_PA, DEVICE_PAGE_PA + DEVICE_PAGE_SIZE).every((byte) => byte === 4));
  assert.deepEqual([...flash.subarray(BOOT_PACKAGE_PA)], [5, 6]);
});

test("a monitor that does not fit before the device page is refused", () => {
  const options = { devicePage: new Uint8Array(DEVICE_PAGE_SIZE), bootPackage: new Uint8Array(1) };

  assert.throws(() => buildFlash({ ...options, monitor: new Uint8Array(MONITOR_TEXT_SIZE + 1) }), /fit/);
  assert.throws(() => buildFlash({ ...options, monitor: new Uint8Array(0) }), /fit/);
});

test("the pool lies at the top of RAM, aligned, and the hypervisor has all below it", () => {
  const ram = layOutRam(2048 * MIB, 4);

  assert.deepEqual(ram, {
    ramPa: 0x40000000,
    ramSize: 2048 * MIB,
    poolPa: 0xba000000,
    poolSize: 96 * MIB,
    poolTeeOffset: 32 * MIB,
    hypervisorSize: 1952 * MIB,
  });
  assert.equal(layOutRam(2050 * MIB, 4).poolPa, 0xba000000);
  // 24 bytes for each page: its record, its entry in the direct map, its entry in the table of devices.
  assert.equal(layOutRam(64 * 1024 * MIB, 4).poolSize, (16 + 3 * 128 + 16 + 64) * MIB);
  assert.throws(() => layOutRam(64 * MIB, 4), /cannot hold/);
});

test("OP-TEE's header names load address, id and size", () => {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  const words = [0x4554504f, 0x00000102, 1, 0, 0x0e100000, 0, 0x1234];
  for (const [index, value] of words.entries()) view.setUint32(index * 4, value, true);

  assert.deepEqual(parseTeeHeader(bytes), {
    arch: "arm64",
    images: [{ loadAddress: 0x0e100000, id: 0, size: 0x1234 }],
  });
  assert.throws(() => parseTeeHeader(bytes.subarray(0, 27)), /cut off/);
  assert.throws(() => parseTeeHeader(new Uint8Array(28)), /not an OP-TEE header/);
});
