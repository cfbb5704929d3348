// edwards25519 by its definition (RFC 8032, section 5.1), in BigInt and in affine coordinates: what tests compare
// with, and what they forge signatures with.

import { createHash } from "node:crypto";

export const P = 2n ** 255n - 19n;
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const modulo = (value: bigint, modulus = P): bigint => ((value % modulus) + modulus) % modulus;

export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = modulo(base), rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

/** Euclid's: faster than Fermat's. */
function invert(value: bigint): bigint {
  let [a, b, x, y] = [modulo(value), P, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return modulo(x);
}

const D = modulo(-121665n * invert(121666n));

/** An x of this y, with this sign if it is not 0. */
export function xOf(y: bigint, sign: bigint): bigint | undefined {
  const square = modulo((y * y - 1n) * invert(D * y * y + 1n));
  const root = power(square, (P + 3n) / 8n);
  const x = [root, modulo(root * power(2n, (P - 1n) / 4n))].find((it) => modulo(it * it) === square);
  return x === undefined ? undefined : (x & 1n) === sign ? x : modulo(-x);
}

export const NEUTRAL: Point = { x: 0n, y: 1n };
const BASE_Y = modulo(4n * invert(5n));
export const BASE: Point = { x: xOf(BASE_Y, 0n)!, y: BASE_Y };

export function add(a: Point, b: Point): Point {
  const product = modulo(D * modulo(a.x * b.x) * modulo(a.y * b.y));
  return {
    x: modulo((a.x * b.y + b.x * a.y) * invert(1n + product)),
    y: modulo((a.y * b.y + a.x * b.x) * invert(1n - product)),
  };
}

export function multiply(factor: bigint, point: Point): Point {
  let result = NEUTRAL;
  for (let double = point, rest = factor; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

export function littleEndian(value: bigint, size = 32): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

export function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export const encode = ({ x, y }: Point): Uint8Array => littleEndian(y | ((x & 1n) << 255n));

/** All eight points whose order divides 8: the multiples of one of order 8. */
export function smallOrderPoints(): Point[] {
  for (let y = 2n; ; y++) {
    const x = xOf(y, 0n);
    if (x === undefined) continue;
    const point = multiply(L, { x, y });
    if (multiply(4n, point).y !== 1n) return [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((n) => multiply(n, point));
  }
}

/** k of a signature. */
export function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const hash = createHash("sha512").update(r).update(publicKey).update(message).digest();
  return modulo(fromLittleEndian(hash), L);
}
