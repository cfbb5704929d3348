// The virtual TZPC by itself: what its registers read as, and which writes ask for a change.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as abi from "../../abi/devices-compartment.ts";
import { tzpcRegisters } from "../../arm/tzpc.ts";
import { aCompartment } from "../drivers/compartment.ts";

const lab = await aCompartment("sel0/devices/main.ts");
const view = new DataView(lab.message.buffer, lab.message.byteOffset);
const NONE = abi.DEVICES_ACTION_NONE;
const SECURE = abi.DEVICES_ACTION_SECURE_PERIPHERALS;
const RELEASE = abi.DEVICES_ACTION_RELEASE_PERIPHERALS;

const register = (name: string, index = 0) => {
  const { offset } = tzpcRegisters.find((each) => each.name === `TZPC_${name}`)!;
  return (BigInt(abi.DEVICE_TZPC) << 32n) | BigInt(offset! + index * 12);
};
const read = (name: string, index = 0) =>
  Number(lab.exports.call(abi.DEVICES_READ, register(name, index), 0n, 4n));
const write = (name: string, value: number, index = 0, size = 4n) =>
  Number(lab.exports.call(abi.DEVICES_WRITE, register(name, index), BigInt(value), size));
const mask = () => view.getUint32(abi.DEVICES_ACTION_MASK, true);

/** All non-secure, with these peripherals. */
function reset(present = 0xffffff): void {
  lab.message.fill(0);
  view.setUint32(abi.DEVICES_PRESENT, present, true);
}

test("a driver finds a BP147 that has everything non-secure", () => {
  reset();
  assert.deepEqual(
    [0, 1, 2].map((index) => read("DECPROT0_STAT", index)),
    [0xff, 0xff, 0xff],
  );
  assert.equal(Number(lab.exports.call(abi.DEVICES_READ, register("PERIPHID0"), 0n, 4n)), 0x70);
  assert.equal(Number(lab.exports.call(abi.DEVICES_READ, register("PCELLID0") + 4n, 0n, 4n)), 0xf0);
});

test("a cleared bit makes its peripheral secure, a set one non-secure, and no other", () => {
  reset();
  assert.equal(write("DECPROT0_CLR", 0x81, 1), SECURE);
  assert.equal(mask(), 0x8100);
  assert.equal(read("DECPROT0_STAT", 1), 0x7e);
  assert.equal(write("DECPROT0_CLR", 0x03, 1), SECURE);
  assert.equal(mask(), 0x0200);
  assert.equal(write("DECPROT0_SET", 0x0f, 1), RELEASE);
  assert.equal(mask(), 0x0300);
  assert.deepEqual(
    [0, 1, 2].map((index) => read("DECPROT0_STAT", index)),
    [0xff, 0x7f, 0xff],
  );
});

test("what changes nothing asks for nothing", () => {
  reset(0x05);
  assert.equal(write("DECPROT0_CLR", 0xfa), NONE, "there are no such peripherals");
  assert.equal(write("DECPROT0_SET", 0xff), NONE, "they are so");
  assert.equal(write("DECPROT0_STAT", 0), NONE, "it is read only");
  assert.equal(write("DECPROT0_CLR", 1, 0, 2n), NONE, "no word");
  assert.equal(write("DECPROT0_CLR", 1, 3), NONE, "beyond the last register");
  assert.equal(read("DECPROT0_STAT"), 0xff);
  assert.equal(write("DECPROT0_CLR", 0xff), SECURE);
  assert.equal(mask(), 0x05);
});
