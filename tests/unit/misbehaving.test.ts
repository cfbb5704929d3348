// The test compartment does in Node what a test of its boundaries takes it to do.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as abi from "../../abi/misbehaving-compartment.ts";
import { aCompartment } from "../drivers/compartment.ts";

const lab = await aCompartment("sel0/misbehaving/main.ts");
const call = (operation: number, a = 0n, b = 0n, c = 0n) => lab.exports.call(operation, a, b, c);

test("a lawful call answers in its result and in the message", () => {
  lab.message.fill(7);

  assert.equal(call(abi.MISBEHAVE_NOT, 1n, 2n, 3n), 6n);
  assert.ok(lab.message.every((byte) => byte === 8));
});

test("it reads what it was lent, and remembers", () => {
  lab.window.set([1, 2, 3, 4]);

  assert.equal(call(abi.MISBEHAVE_SUM, 4n), 10n);
  assert.equal(call(abi.MISBEHAVE_REMEMBER, 5n), 0n);
  assert.equal(call(abi.MISBEHAVE_REMEMBER, 6n), 5n);
  assert.equal(call(abi.MISBEHAVE_LOOP, 9n), 9n);
});

test("it traps where WebAssembly traps", () => {
  assert.throws(() => call(abi.MISBEHAVE_UNREACHABLE), /unreachable/);
  assert.throws(() => call(abi.MISBEHAVE_DIVIDE, 1n, 0n), /divide by zero/);
  assert.throws(() => call(abi.MISBEHAVE_LOAD, 0x1000_0000n), /out of bounds/);
  assert.throws(() => call(0x1234), /unreachable/);
});
