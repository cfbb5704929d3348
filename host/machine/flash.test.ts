import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BOOT_PACKAGE_PA, DEVICE_TREE_PA, MONITOR_TEXT_SIZE, XEN_PA } from "../../abi/memory-map.ts";
import { TEE_PROFILES } from "../../el1/tees/profiles.ts";
import { decodeBootPackage, encodeBootPackage } from "./boot-package.ts";
import { buildFlash } from "./flash.ts";
import { layOutRam } from "./ram-layout.ts";
import { parseTeeHeader } from "./tee-header.ts";

const MIB = 1024 * 1024;
const address = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const word = fc.integer({ min: 0, max: 0xffffffff });
const tee = fc.record({
  profile: fc.record({
    name: fc.stringMatching(/^[a-z0-9.-]{1,15}$/),
    loadIpa: address,
    entryIpa: address,
    entryKind: word,
    coreCount: word,
    timer: word,
    foreignInterrupt: word,
    foreignIntid: word,
    adaptedSites: word,
    wfi: word,
    hiddenCapabilities: word,
    hasDeviceTree: fc.constant(true),
  }),
  image: fc.uint8Array({ maxLength: 9000 }),
  deviceTree: fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }), memoryOffset: word }),
});
const anyPackage = fc.record({
  ramPa: address,
  ramSize: address,
  poolPa: address,
  poolSize: address,
  poolTeeOffset: address,
  hypervisorPa: address,
  deviceTreePa: address,
  coreCount: word,
  tees: fc.array(tee, { maxLength: 8 }),
});

test("a boot package comes back from its bytes as it was", () => {
  fc.assert(
    fc.property(anyPackage, (value) =>
      assert.deepEqual(plain(decodeBootPackage(encodeBootPackage(value))), plain(value)),
    ),
  );
});

test("a boot package that is cut off or of another kind is refused", () => {
  const bytes = encodeBootPackage({
    ...somePackage(),
    tees: [{ profile: TEE_PROFILES["optee-4.5"], image: new Uint8Array(5000) }],
  });

  assert.throws(() => decodeBootPackage(bytes.subarray(0, bytes.length - 1)), /cut off/);
  assert.throws(
    () => decodeBootPackage(bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))),
    /magic/,
  );
});

test("images lie page aligned, where the rows say, behind the monitor", () => {
  const monitor = Uint8Array.of(1, 2, 3);
  const image = new Uint8Array(5000).fill(0xab);
  const flash = buildFlash({
    monitor,
    tees: [{ profile: TEE_PROFILES["optee-4.5"], image }],
    ram: layOutRam(2048 * MIB, 4),
    coreCount: 2,
  });
  const view = new DataView(flash.buffer);

  assert.equal(view.getUint32(BOOT_PACKAGE_PA, true), 0x425a5456);
  const offset = Number(view.getBigUint64(BOOT_PACKAGE_PA + 0x110, true));
  assert.equal(offset % 4096, 0);
  assert.deepEqual(flash.slice(BOOT_PACKAGE_PA + offset, BOOT_PACKAGE_PA + offset + 5000), image);
  assert.deepEqual([...flash.subarray(0, 4)], [1, 2, 3, 0]);
  const decoded = decodeBootPackage(flash.subarray(BOOT_PACKAGE_PA));
  assert.deepEqual(
    [decoded.hypervisorPa, decoded.deviceTreePa, decoded.coreCount],
    [XEN_PA, DEVICE_TREE_PA, 2],
  );
});

test("a monitor that does not fit before the boot package is refused", () => {
  const options = { tees: [], ram: layOutRam(2048 * MIB, 4), coreCount: 2 };

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

function somePackage() {
  return {
    ramPa: 0x40000000,
    ramSize: 1,
    poolPa: 2,
    poolSize: 3,
    poolTeeOffset: 6,
    hypervisorPa: 4,
    deviceTreePa: 5,
    coreCount: 2,
  };
}

// Records of fast-check have no prototype; compared are values only.
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, item) =>
      item instanceof Uint8Array ? Buffer.from(item).toString("hex") : item,
    ),
  );
}
