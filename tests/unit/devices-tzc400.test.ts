// The virtual TZC-400 by itself: what its registers read as, which writes ask for a change of the partition, which are
// refused. The message page is the guest's state, as the monitor would keep it.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as abi from "../../abi/devices-compartment.ts";
import { tzc400Constants, tzc400Registers } from "../../arm/tzc400.ts";
import { aCompartment } from "../drivers/compartment.ts";

const lab = await aCompartment("sel0/devices/main.ts");
const MIB2 = abi.PARTITION_GRANULE;
const FILTER = 1;
const S_ACCESS = 0xc0000000;
const SECURE = (S_ACCESS | FILTER) >>> 0;
const NORMAL_ACCESS = 0x10001;
const BASE = 0x48000000;

const offsetOf = (name: string, region = 0) =>
  tzc400Registers.find((register) => register.name === `TZC400_${name}`)!.offset! +
  region * tzc400Constants.TZC400_REGION_STRIDE;

const read = (offset: number, size = 4) =>
  Number(lab.exports.call(abi.DEVICES_READ, BigInt(offset), 0n, BigInt(size)));
const write = (offset: number, value: number, size = 4) =>
  Number(lab.exports.call(abi.DEVICES_WRITE, BigInt(offset), BigInt(value >>> 0), BigInt(size)));
const range = () => {
  const words = new BigUint64Array(lab.message.buffer, lab.message.byteOffset + abi.DEVICES_ACTION_IPA, 2);
  return [...words].map(Number);
};

function reset(): void {
  lab.message.fill(0);
}

/** Base and top of a region. */
function place(region: number, base: number, size: number): void {
  write(offsetOf("REGION_BASE_LOW", region), base);
  write(offsetOf("REGION_BASE_HIGH", region), Math.floor(base / 2 ** 32));
  write(offsetOf("REGION_TOP_LOW", region), base + size - 1);
  write(offsetOf("REGION_TOP_HIGH", region), Math.floor((base + size - 1) / 2 ** 32));
}

const turnOn = (region: number, attributes = SECURE) =>
  write(offsetOf("REGION_ATTRIBUTES", region), attributes);
const failure = () => [
  read(offsetOf("FAIL_ID")),
  read(offsetOf("FAIL_ADDRESS_HIGH")) * 2 ** 32 + read(offsetOf("FAIL_ADDRESS_LOW")),
];

suite("what a driver finds", () => {
  test("a TZC-400 of one filter unit and nine regions, its gate open", () => {
    reset();
    assert.equal(read(offsetOf("BUILD_CONFIG")) & 0x1f, tzc400Constants.TZC400_REGION_COUNT - 1);
    assert.equal((read(offsetOf("BUILD_CONFIG")) >> 24) & 3, 0);
    assert.equal(read(offsetOf("GATE_KEEPER")), 0x10001);
    const pid = (index: number) => read(offsetOf("PID0") + 4 * index);
    assert.equal(pid(0) | ((pid(1) & 0xf) << 8), 0x460);
    const cids = [0, 1, 2, 3].map((index) => read(offsetOf("CID0") + 4 * index));
    assert.deepEqual(cids, [0x0d, 0xf0, 0x05, 0xb1]);
  });

  test("region 0 lets everybody do everything, and stays so", () => {
    reset();
    place(0, BASE, MIB2);
    assert.equal(turnOn(0), abi.DEVICES_ACTION_NONE);
    assert.equal(write(offsetOf("REGION_ID_ACCESS"), 0), abi.DEVICES_ACTION_NONE);
    assert.equal(read(offsetOf("REGION_BASE_LOW")), 0);
    assert.equal(read(offsetOf("REGION_ATTRIBUTES")), SECURE);
    assert.equal(read(offsetOf("REGION_ID_ACCESS")), 0xffffffff);
    assert.equal(read(offsetOf("REGION_TOP_LOW")), 0xffffffff);
  });

  test("what can be written reads back; the rest, and what is no word, reads as zero", () => {
    reset();
    write(offsetOf("ACTION"), 0xff);
    write(offsetOf("GATE_KEEPER"), 0);
    write(offsetOf("BUILD_CONFIG"), 0);
    write(offsetOf("REGION_TOP_LOW", 3), 0x12345678);
    assert.equal(read(offsetOf("ACTION")), 3);
    assert.equal(read(offsetOf("GATE_KEEPER")), 0);
    assert.notEqual(read(offsetOf("BUILD_CONFIG")), 0);
    assert.equal(read(offsetOf("REGION_TOP_LOW", 3)), 0x12345fff);
    assert.equal(read(offsetOf("REGION_TOP_LOW", 3), 1), 0);
    write(offsetOf("ACTION"), 0, 2);
    assert.equal(read(offsetOf("ACTION")), 3);
    write(0x400, 0xffffffff);
    assert.equal(read(0x400), 0);
  });
});

suite("the partition", () => {
  test("a region whose filter goes on becomes secure; off, it is both worlds' again", () => {
    reset();
    place(1, BASE, 2 * MIB2);

    assert.equal(turnOn(1), abi.DEVICES_ACTION_SECURE);
    assert.deepEqual(range(), [BASE, 2 * MIB2]);
    assert.equal(read(offsetOf("REGION_ATTRIBUTES", 1)), SECURE);

    assert.equal(turnOn(1, 0), abi.DEVICES_ACTION_RELEASE);
    assert.deepEqual(range(), [BASE, 2 * MIB2]);
    assert.equal(read(offsetOf("REGION_ATTRIBUTES", 1)), 0);
  });

  test("so does one that the normal world is let into, or no longer", () => {
    reset();
    place(8, 0x2_4000_0000, MIB2);
    write(offsetOf("REGION_ID_ACCESS", 8), NORMAL_ACCESS);
    assert.equal(turnOn(8), abi.DEVICES_ACTION_NONE);
    assert.equal(write(offsetOf("REGION_ID_ACCESS", 8), 0), abi.DEVICES_ACTION_SECURE);
    assert.deepEqual(range(), [0x2_4000_0000, MIB2]);
    assert.equal(write(offsetOf("REGION_ID_ACCESS", 8), 0xffffffff), abi.DEVICES_ACTION_RELEASE);
    assert.equal(write(offsetOf("REGION_ID_ACCESS", 8), NORMAL_ACCESS), abi.DEVICES_ACTION_NONE);
  });

  test("the place of a secure region does not change", () => {
    reset();
    place(1, BASE, MIB2);
    turnOn(1);
    place(1, BASE + MIB2, 2 * MIB2);
    assert.equal(read(offsetOf("REGION_BASE_LOW", 1)), BASE);
    assert.equal(read(offsetOf("REGION_TOP_LOW", 1)), BASE + MIB2 - 1);
  });

  test("what cannot be changes nothing, and says where and why", () => {
    const cases: Record<string, [base: number, size: number]> = {
      "an odd begin": [BASE + 0x1000, MIB2],
      "an odd size": [BASE, MIB2 + 0x1000],
      nothing: [BASE, 0],
      "too much": [BASE, abi.PARTITION_SIZE_MAX + MIB2],
    };
    for (const [name, [base, size]] of Object.entries(cases)) {
      reset();
      place(2, base, size);
      assert.equal(turnOn(2), abi.DEVICES_ACTION_NONE, name);
      assert.equal(read(offsetOf("REGION_ATTRIBUTES", 2)), 0, name);
      assert.deepEqual(failure(), [abi.PARTITION_RANGE, base], name);
      assert.equal(read(offsetOf("INT_STATUS")), 1, name);
    }
  });

  test("memory that one world only reads does not exist", () => {
    reset();
    place(1, BASE, MIB2);
    for (const attributes of [0x40000001, 0x80000001, 0x00000001])
      assert.equal(turnOn(1, attributes), abi.DEVICES_ACTION_NONE);
    turnOn(1);
    for (const access of [0x1, 0x10000])
      assert.equal(write(offsetOf("REGION_ID_ACCESS", 1), access), abi.DEVICES_ACTION_NONE);
    assert.equal(turnOn(1, 0x40000001), abi.DEVICES_ACTION_NONE);
    assert.equal(read(offsetOf("REGION_ATTRIBUTES", 1)), SECURE);
    assert.equal(read(offsetOf("REGION_ID_ACCESS", 1)), 0);
  });

  test("secure regions do not overlap", () => {
    for (const [base, size] of [
      [BASE, MIB2],
      [BASE - MIB2, 2 * MIB2],
      [BASE + MIB2, MIB2],
      [BASE - MIB2, 4 * MIB2],
    ] as const) {
      reset();
      place(1, BASE, 2 * MIB2);
      turnOn(1);
      place(2, base, size);
      assert.equal(turnOn(2), abi.DEVICES_ACTION_NONE);
      assert.equal(read(offsetOf("INT_STATUS")), 0x10001);
      place(2, BASE + 2 * MIB2, MIB2);
      assert.equal(turnOn(2), abi.DEVICES_ACTION_SECURE);
    }
  });

  test("what the monitor refuses is told like a refused access: the first one stays until it is cleared", () => {
    reset();
    lab.exports.call(abi.DEVICES_REFUSED, BigInt(abi.PARTITION_SHARED), 0x2_4020_0000n, 0n);
    lab.exports.call(abi.DEVICES_REFUSED, BigInt(abi.PARTITION_EXHAUSTED), 0x40000000n, 0n);
    assert.deepEqual(failure(), [abi.PARTITION_SHARED, 0x2_4020_0000]);
    assert.equal(read(offsetOf("INT_STATUS")), 0x101);
    write(offsetOf("INT_CLEAR"), FILTER);
    assert.deepEqual(failure(), [0, 0]);
    assert.equal(read(offsetOf("INT_STATUS")), 0);
  });
});

test("another operation is a trap", () => {
  assert.throws(() => lab.exports.call(77, 0n, 0n, 0n), /unreachable/);
});
