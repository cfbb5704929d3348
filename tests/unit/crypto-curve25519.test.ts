// The arithmetic under Ed25519 (sel0/crypto: field, scalars, points) against BigInt, at the ends of what it may get.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesAt, clear, lab, place, room, toHex } from "../drivers/crypto.ts";
import {
  BASE,
  encode,
  fromLittleEndian,
  L,
  littleEndian,
  modulo,
  multiply,
  NEUTRAL,
  P,
  power,
  smallOrderPoints,
  xOf,
} from "../drivers/edwards25519.ts";

const FIELD_SIZE = 80;
const POINT_SIZE = 320;
const LIMB_MAX = 2n ** 29n;
const TIGHT_MAX = 2n ** 26n + 2n;

const { exports } = lab;

const limb = fc.oneof(
  fc.bigInt({ min: -LIMB_MAX, max: LIMB_MAX }),
  fc.constantFrom(0n, 1n, -1n, LIMB_MAX, -LIMB_MAX, 2n ** 26n - 1n),
);
const limbs = fc.array(limb, { minLength: 10, maxLength: 10 });
const scalar = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  fc.constantFrom(0n, 1n, 15n, 16n, L - 1n, L, L + 1n, 2n ** 255n, 2n ** 256n - 1n),
);

const placeLimbs = (words: readonly bigint[]) => place(new Uint8Array(BigInt64Array.from(words).buffer));
const limbsAt = (ptr: number) => [...new BigInt64Array(bytesAt(ptr, FIELD_SIZE).buffer)];
const sumOf = (words: readonly bigint[]) =>
  words.reduce((sum, word, index) => sum + word * 2n ** BigInt(26 * index), 0n);

function encoded(elementPtr: number): bigint {
  const ptr = room(33);
  exports.fieldEncode(ptr, elementPtr);
  assert.equal(bytesAt(ptr, 33)[32], 0xa5, "a byte behind the encoding");
  return fromLittleEndian(bytesAt(ptr, 32));
}

test("products of elements with the largest limbs allowed are right, and tight", () => {
  const extreme = [LIMB_MAX, -LIMB_MAX].map((word) => Array<bigint>(10).fill(word));
  fc.assert(
    fc.property(limbs, limbs, (a, b) => {
      clear();
      const resultPtr = room(FIELD_SIZE);
      exports.fieldMultiply(resultPtr, placeLimbs(a), placeLimbs(b));
      assert.equal(encoded(resultPtr), modulo(sumOf(a) * sumOf(b)));
      for (const word of limbsAt(resultPtr)) assert.ok(word <= TIGHT_MAX && word >= -TIGHT_MAX, `${word}`);
    }),
    { numRuns: 500, examples: extreme.flatMap((a) => extreme.map((b) => [a, b] as [bigint[], bigint[]])) },
  );
});

test("what is encoded is below p, whatever the limbs are", () => {
  const near = [-1n, 0n, 1n, P - 1n, P, P + 1n, 2n * P - 1n, 2n * P, 2n ** 255n - 1n, 2n ** 255n];
  const split = (value: bigint) =>
    Array.from({ length: 10 }, (_, index) =>
      index === 9 ? value >> 234n : (value >> BigInt(26 * index)) & 0x3ffffffn,
    );
  for (const value of near) assert.equal(encoded(placeLimbs(split(value))), modulo(value), `${value}`);
  fc.assert(fc.property(limbs, (a) => assert.equal(encoded(placeLimbs(a)), modulo(sumOf(a)))));
});

test("an element is what its 255 bits say, and its inverse is Fermat's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      clear();
      const elementPtr = room(FIELD_SIZE);
      exports.fieldDecode(elementPtr, place(bytes, 3));
      const value = modulo(fromLittleEndian(bytes) & (2n ** 255n - 1n));
      assert.equal(encoded(elementPtr), value);
      exports.fieldInvert(elementPtr, elementPtr);
      assert.equal(encoded(elementPtr), power(value, P - 2n));
    }),
  );
});

test("numbers of 64 bytes are reduced modulo L, and those below L are told from others", () => {
  const wide = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 512n - 1n }),
    fc.bigInt({ min: 0n, max: (2n ** 512n - 2n) / L }).map((factor) => factor * L + (factor & 1n)),
    fc.constantFrom(L - 1n, L, 2n * L - 1n, 2n ** 512n - 1n),
  );
  fc.assert(
    fc.property(wide, (value) => {
      clear();
      const resultPtr = room(32);
      exports.scalarReduce(resultPtr, place(littleEndian(value, 64)));
      assert.equal(fromLittleEndian(bytesAt(resultPtr, 32)), value % L);
    }),
  );
  fc.assert(
    fc.property(scalar, (value) => {
      assert.equal(exports.scalarIsCanonical(place(littleEndian(value))) !== 0, value < L);
    }),
  );
});

test("a × b + c modulo L", () => {
  fc.assert(
    fc.property(scalar, scalar, scalar, (a, b, c) => {
      clear();
      const resultPtr = room(32);
      const [aPtr, bPtr, cPtr] = [a, b, c].map((value) => place(littleEndian(value)));
      exports.scalarMultiplyAdd(resultPtr, aPtr!, bPtr!, cPtr!);
      assert.equal(fromLittleEndian(bytesAt(resultPtr, 32)), (a * b + c) % L);
    }),
  );
});

test("a point times any number of 256 bits", () => {
  const point = fc.oneof(
    fc.bigInt({ min: 1n, max: L }).map((factor) => multiply(factor, BASE)),
    fc.constantFrom(BASE, NEUTRAL, ...smallOrderPoints()),
  );
  fc.assert(
    fc.property(point, scalar, (point, factor) => {
      clear();
      const [pointPtr, resultPtr, bytesPtr] = [room(POINT_SIZE), room(POINT_SIZE), room(32)];
      assert.equal(exports.pointDecode(pointPtr, place(encode(point))), 1);
      exports.pointMultiply(resultPtr, pointPtr, place(littleEndian(factor)));
      exports.pointEncode(bytesPtr, resultPtr);
      assert.equal(toHex(bytesAt(bytesPtr, 32)), toHex(encode(multiply(factor, point))));
    }),
    { numRuns: 40 },
  );
});

test("no y from p on is decoded, whether it is a point's modulo p or not", () => {
  const pointPtr = room(POINT_SIZE);
  for (let y = P; y < 2n ** 255n; y++) {
    for (const sign of [0n, 1n]) {
      const bytes = littleEndian(y | (sign << 255n));
      assert.equal(exports.pointDecode(pointPtr, place(bytes)), 0, `${y - P}, sign ${sign}`);
    }
  }
});

test("a point with x = 0 has one sign", () => {
  const pointPtr = room(POINT_SIZE);
  for (const y of [1n, P - 1n]) {
    assert.equal(exports.pointDecode(pointPtr, place(littleEndian(y))), 1);
    assert.equal(exports.pointDecode(pointPtr, place(littleEndian(y | (1n << 255n)))), 0);
  }
});

test("a y is decoded if there is an x, and to the x of that sign", () => {
  const pointPtr = room(POINT_SIZE);
  const y = fc.oneof(fc.bigInt({ min: 0n, max: P - 1n }), fc.bigInt({ min: 0n, max: 40n }));
  fc.assert(
    fc.property(y, fc.constantFrom(0n, 1n), (y, sign) => {
      const x = xOf(y, sign);
      const isPoint = x !== undefined && (x & 1n) === sign;
      assert.equal(exports.pointDecode(pointPtr, place(littleEndian(y | (sign << 255n)))) !== 0, isPoint);
      if (isPoint) assert.equal(encoded(pointPtr), x);
    }),
  );
});

test("eight points have a small order, and no others", () => {
  const pointPtr = room(POINT_SIZE);
  const small = smallOrderPoints();
  assert.equal(new Set(small.map((point) => toHex(encode(point)))).size, 8);
  const others = [BASE, multiply(5n, BASE), multiply(L - 1n, BASE)];
  for (const point of [...small, ...others]) {
    assert.equal(exports.pointDecode(pointPtr, place(encode(point))), 1);
    assert.equal(exports.pointHasSmallOrder(pointPtr) !== 0, small.includes(point));
  }
});
