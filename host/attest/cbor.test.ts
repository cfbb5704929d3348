// CBOR against the examples of RFC 8949, appendix A, and of its section on what is not well-formed (appendix F).

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CborMap, CborSimple, CborTag, type CborValue } from "./cbor.ts";
import { CborError, decodeCbor } from "./cbor-decode.ts";
import { encodeCbor } from "./cbor-encode.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");
const map = (...entries: [CborValue, CborValue][]) => new CborMap(entries);
const countTo25 = Array.from({ length: 25 }, (_, index) => BigInt(index + 1));

// Appendix A: what is in its deterministic encoding there.
const EXAMPLES: [hex: string, value: CborValue][] = [
  ["00", 0n],
  ["01", 1n],
  ["0a", 10n],
  ["17", 23n],
  ["1818", 24n],
  ["1819", 25n],
  ["1864", 100n],
  ["1903e8", 1000n],
  ["1a000f4240", 1000000n],
  ["1b000000e8d4a51000", 1000000000000n],
  ["1bffffffffffffffff", 18446744073709551615n],
  ["c249010000000000000000", new CborTag(2n, bytes("010000000000000000"))],
  ["3bffffffffffffffff", -18446744073709551616n],
  ["c349010000000000000000", new CborTag(3n, bytes("010000000000000000"))],
  ["20", -1n],
  ["29", -10n],
  ["3863", -100n],
  ["3903e7", -1000n],
  ["f90000", 0],
  ["f98000", -0],
  ["f93c00", 1],
  ["fb3ff199999999999a", 1.1],
  ["f93e00", 1.5],
  ["f97bff", 65504],
  ["fa47c35000", 100000],
  ["fa7f7fffff", 3.4028234663852886e38],
  ["fb7e37e43c8800759c", 1e300],
  ["f90001", 2 ** -24],
  ["f90400", 6.103515625e-5],
  ["f9c400", -4],
  ["fbc010666666666666", -4.1],
  ["f97c00", Number.POSITIVE_INFINITY],
  ["f97e00", Number.NaN],
  ["f9fc00", Number.NEGATIVE_INFINITY],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["f7", undefined],
  ["f0", new CborSimple(16)],
  ["f8ff", new CborSimple(255)],
  ["c074323031332d30332d32315432303a30343a30305a", new CborTag(0n, "2013-03-21T20:04:00Z")],
  ["c11a514b67b0", new CborTag(1n, 1363896240n)],
  ["c1fb41d452d9ec200000", new CborTag(1n, 1363896240.5)],
  ["d74401020304", new CborTag(23n, bytes("01020304"))],
  ["d818456449455446", new CborTag(24n, bytes("6449455446"))],
  ["d82076687474703a2f2f7777772e6578616d706c652e636f6d", new CborTag(32n, "http://www.example.com")],
  ["40", bytes("")],
  ["4401020304", bytes("01020304")],
  ["60", ""],
  ["6161", "a"],
  ["6449455446", "IETF"],
  ["62225c", '"\\'],
  ["62c3bc", "\u00fc"],
  ["63e6b0b4", "\u6c34"],
  ["64f0908591", "\ud800\udd51"],
  ["80", []],
  ["83010203", [1n, 2n, 3n]],
  ["8301820203820405", [1n, [2n, 3n], [4n, 5n]]],
  ["98190102030405060708090a0b0c0d0e0f101112131415161718181819", countTo25],
  ["a0", map()],
  ["a201020304", map([1n, 2n], [3n, 4n])],
  ["a26161016162820203", map(["a", 1n], ["b", [2n, 3n]])],
  ["826161a161626163", ["a", map(["b", "c"])]],
  [
    "a56161614161626142616361436164614461656145",
    map(["a", "A"], ["b", "B"], ["c", "C"], ["d", "D"], ["e", "E"]),
  ],
];

for (const [encoded, value] of EXAMPLES) {
  test(`RFC 8949, appendix A: ${encoded} is decoded, and encoded again`, () => {
    assert.deepEqual(decodeCbor(bytes(encoded)), value);
    assert.equal(hex(encodeCbor(value)), encoded);
  });
}

// The rest of appendix A: other encodings of the same values.
const INDEFINITE = [
  "5f42010243030405ff",
  "7f657374726561646d696e67ff",
  "9fff",
  "9f018202039f0405ffff",
  "9f01820203820405ff",
  "83018202039f0405ff",
  "83019f0203ff820405",
  "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
  "bf61610161629f0203ffff",
  "826161bf61626163ff",
  "bf6346756ef563416d7421ff",
];
const LONG_FLOATS = [
  "fa7f800000",
  "fa7fc00000",
  "faff800000",
  "fb7ff0000000000000",
  "fb7ff8000000000000",
  "fbfff0000000000000",
];

const REFUSED: [why: RegExp, hexes: string[]][] = [
  [/indefinite length/, [...INDEFINITE, "ff", "1f", "3f", "df00"]],
  [/longer than needed/, [...LONG_FLOATS, "f97e01", "fb3ff8000000000000"]],
  [/longer than needed/, ["1817", "190018", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3800", "5800"]],
  [/longer than needed/, ["7801" + "61", "980100", "b800", "d80100"]],
  [/the same key twice/, ["a201010102", "a2616101616102", "a201020103"]],
  [/keys out of order/, ["a202010101", "a2616201616101", "a21818000100"]],
  [
    /cut off/,
    ["", "18", "1901", "1b00000000000000", "41", "6261", "81", "8201", "a1", "a101", "c1", "f9", "fb00"],
  ],
  [/cut off/, ["5bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff", "9a7fffffff00"]],
  [/more bytes than/, ["0000", "8000", "f600"]],
  [/reserved encoding/, ["1c", "1d", "1e", "3c", "5c", "7c", "9c", "bc", "dc", "fc", "fd", "fe"]],
  [/reserved encoding/, ["f800", "f814", "f818", "f81f"]],
  [/no UTF-8/, ["61ff", "62c328", "63eda080"]],
  [/nested too deeply/, [`${"81".repeat(17)}00`, `${"a100".repeat(17)}00`, `${"c1".repeat(4096)}00`]],
];

for (const [why, hexes] of REFUSED) {
  for (const encoded of hexes) {
    const name = encoded.length > 40 ? `${encoded.slice(0, 40)}…` : encoded || "nothing";
    test(`${name} is refused: ${why.source}`, () => {
      assert.throws(
        () => decodeCbor(bytes(encoded)),
        (error) => error instanceof CborError && why.test(error.message),
      );
    });
  }
}

test("whatever is taken is encoded to the same bytes, and nothing but a CborError is thrown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (input) => {
      const value = decodedOrUndefined(input);
      if (value !== undefined) assert.equal(hex(encodeCbor(value.value)), hex(input));
    }),
    { numRuns: 20_000 },
  );
});

test("every value comes back from its encoding", () => {
  const { tree } = fc.letrec<{ tree: CborValue }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.bigInt({ min: -(1n << 64n), max: (1n << 64n) - 1n }),
      fc.double(),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom<CborValue>(true, false, null, new CborSimple(32)),
      fc.array(tie("tree"), { maxLength: 5 }),
      fc.tuple(fc.bigInt({ min: 0n, max: 1n << 40n }), tie("tree")).map(([tag, of]) => new CborTag(tag, of)),
      fc
        .dictionary(fc.string(), tie("tree"), { maxKeys: 5 })
        .map((record) => new CborMap(Object.entries(record))),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const encoded = encodeCbor(value);
      assert.equal(hex(encodeCbor(decodeCbor(encoded))), hex(encoded));
    }),
    { numRuns: 2000 },
  );
});

test("a map with a key twice has no encoding", () => {
  assert.throws(() => encodeCbor(map(["a", 1n], ["a", 2n])), /same key twice/);
});

function decodedOrUndefined(input: Uint8Array): { value: CborValue } | undefined {
  try {
    return { value: decodeCbor(input) };
  } catch (error) {
    assert.ok(error instanceof CborError);
    return undefined;
  }
}
