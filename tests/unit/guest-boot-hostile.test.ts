// Trees and requests that are not lawful: each cause has its code, and nothing is written (tests/drivers/guest-boot.ts).

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments.ts";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { aDeviceTreeNode } from "../../host/formats/device-tree.ts";
import { encodeDeviceTree } from "../../host/formats/fdt.ts";
import { type BootRequest, checkAnyTree, lab, showTee } from "../drivers/guest-boot.ts";
import { aGuestTree } from "../drivers/guest-trees.ts";

const BEGIN = 1;
const END_NODE = 2;
const PROPERTY = 3;
const NOP = 4;
const END = 9;

/** Fields of the header by their offsets: Devicetree Specification 0.4, section 5.2. */
const FIELD = {
  magic: 0,
  total: 4,
  structure: 8,
  strings: 12,
  reservations: 16,
  version: 20,
  oldest: 24,
} as const;
const SIZES = { strings: 32, structure: 36 } as const;

const guestBlob = () => Buffer.from(encodeDeviceTree(aGuestTree()));

/** The guest's tree with a word of its header changed. */
function withField(offset: number, change: (value: number) => number): Buffer {
  const blob = guestBlob();
  blob.writeUInt32BE(change(blob.readUInt32BE(offset)) >>> 0, offset);
  return blob;
}

/** A tree whose structure block are these words. */
function blobOfWords(words: number[], strings = "name\0"): Buffer {
  const structOffset = 56;
  const stringsOffset = structOffset + words.length * 4;
  const total = stringsOffset + strings.length;
  const header = [
    0xd00dfeed,
    total,
    structOffset,
    stringsOffset,
    40,
    17,
    16,
    0,
    strings.length,
    words.length * 4,
  ];
  const blob = Buffer.alloc(total);
  for (const [index, word] of [...header, 0, 0, 0, 0, ...words].entries())
    blob.writeUInt32BE(word, index * 4);
  blob.write(strings, stringsOffset, "latin1");
  return blob;
}

const named = (text: string) => Buffer.from(text.padEnd(4, "\0"), "latin1").readUInt32BE();
const ROOT = [BEGIN, 0];
const CHILD = [BEGIN, named("a"), END_NODE];
const code = (blob: Uint8Array, request: BootRequest = {}) => checkAnyTree(blob, request).code;

describe("what is no tree", () => {
  test("has no magic number, or is too short for one", () => {
    assert.equal(code(withField(FIELD.magic, (magic) => magic + 1)), abi.GUEST_BOOT_NO_TREE);
    assert.equal(code(guestBlob(), { available: 39 }), abi.GUEST_BOOT_NO_TREE);
    assert.equal(code(new Uint8Array(0)), abi.GUEST_BOOT_NO_TREE);
  });

  test("is larger than what is taken, or than what was lent", () => {
    const blob = guestBlob();

    assert.equal(code(withField(FIELD.total, () => abi.GUEST_BOOT_TREE_MAX + 1)), abi.GUEST_BOOT_TOO_LARGE);
    assert.equal(code(withField(FIELD.total, () => 0xffff_ffff)), abi.GUEST_BOOT_TOO_LARGE);
    assert.equal(code(blob, { available: blob.length - 1 }), abi.GUEST_BOOT_CUT_OFF);
    assert.equal(code(withField(FIELD.total, (total) => total + 1)), abi.GUEST_BOOT_CUT_OFF);
  });

  test("may be as large as is taken, and be lent with more behind it", () => {
    const withFiller = (length: number) =>
      encodeDeviceTree(aGuestTree({ more: [aDeviceTreeNode("filler", { filler: Buffer.alloc(length) })] }));
    const largest = withFiller(abi.GUEST_BOOT_TREE_MAX - withFiller(0).length);
    const lent = Buffer.concat([largest, Buffer.alloc(0x1000, 0xff)]);

    assert.equal(largest.length, abi.GUEST_BOOT_TREE_MAX);
    assert.equal(code(lent), abi.GUEST_BOOT_DONE);
  });

  test("what a longer tree left is no part of the next one", () => {
    showTee(guestBlob());
    assert.equal(code(guestBlob().subarray(0, 100)), abi.GUEST_BOOT_CUT_OFF);
    assert.equal(code(guestBlob().subarray(0, 20)), abi.GUEST_BOOT_NO_TREE);
  });
});

describe("a header is refused", () => {
  test("for its version", () => {
    for (const version of [0, 16, 18]) {
      assert.equal(code(withField(FIELD.version, () => version)), abi.GUEST_BOOT_BAD_VERSION);
    }
    for (const oldest of [0, 15, 18]) {
      assert.equal(code(withField(FIELD.oldest, () => oldest)), abi.GUEST_BOOT_BAD_VERSION);
    }
    assert.equal(code(withField(FIELD.oldest, () => 17)), abi.GUEST_BOOT_DONE);
  });

  const rows: [string, number, (value: number) => number][] = [
    ["the reservations are not aligned", FIELD.reservations, (offset) => offset + 4],
    ["the reservations lie in the header", FIELD.reservations, () => 32],
    ["the reservations lie behind the structure", FIELD.reservations, (offset) => offset + 0x400],
    ["the structure lies behind the strings", FIELD.structure, (offset) => offset + 0x4000],
    ["the strings lie in the structure", FIELD.strings, (offset) => offset - 4],
    ["the strings end behind the tree", SIZES.strings, (size) => size + 64],
    ["the strings begin behind the tree", FIELD.strings, (offset) => offset + 0x1000],
    ["the strings' end wraps", SIZES.strings, () => 0xffff_ffff],
    ["the structure's end wraps", SIZES.structure, () => 0xffff_fffc],
    ["the structure begins nowhere", FIELD.structure, () => 0xffff_fffc],
    ["the strings begin nowhere", FIELD.strings, () => 0xffff_ffff],
    ["the reservations begin nowhere", FIELD.reservations, () => 0xffff_fff8],
  ];
  for (const [name, offset, change] of rows) {
    test(`as ${name}`, () => assert.equal(code(withField(offset, change)), abi.GUEST_BOOT_BAD_HEADER));
  }

  test("as the structure is not aligned, or no number of words", () => {
    const words = blobOfWords([...ROOT, ...CHILD, END_NODE, END, NOP, NOP]); // room for it to be shifted
    words.writeUInt32BE(7 * 4, SIZES.structure);
    const shifted = Buffer.from(words);
    shifted.copyWithin(58, 56, 56 + 7 * 4).writeUInt32BE(58, FIELD.structure);
    const longer = Buffer.from(words);
    longer.writeUInt32BE(7 * 4 + 2, SIZES.structure);

    assert.equal(code(words), abi.GUEST_BOOT_DONE);
    assert.equal(code(shifted), abi.GUEST_BOOT_BAD_HEADER);
    assert.equal(code(longer), abi.GUEST_BOOT_BAD_HEADER);
  });

  test("as the reservations do not end before the structure", () => {
    const blob = guestBlob();
    blob.writeUInt32BE(1, 40 + 12);

    assert.equal(code(blob), abi.GUEST_BOOT_BAD_RESERVATIONS);
    assert.equal(code(withField(FIELD.structure, (offset) => offset - 4)), abi.GUEST_BOOT_BAD_RESERVATIONS);
  });
});

describe("a structure is refused", () => {
  const rows: [string, number[], number][] = [
    ["it is empty", [], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it has no root", [END], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it is of NOPs only", [NOP, NOP], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it begins with a property", [PROPERTY, 0, 0, ...ROOT, END_NODE, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it begins with an end", [END_NODE, ...ROOT, END_NODE, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it has two roots", [...ROOT, END_NODE, ...ROOT, END_NODE, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["a property follows the root", [...ROOT, END_NODE, PROPERTY, 0, 0, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    [
      "a property follows a node",
      [...ROOT, ...CHILD, PROPERTY, 0, 0, END_NODE, END],
      abi.GUEST_BOOT_BAD_STRUCTURE,
    ],
    ["it ends within a node", [...ROOT, ...CHILD, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["it does not end", [...ROOT, ...CHILD, END_NODE], abi.GUEST_BOOT_BAD_STRUCTURE],
    ["something follows its end", [...ROOT, END_NODE, END, NOP], abi.GUEST_BOOT_BAD_STRUCTURE],
    [
      "there are more ends than begins",
      [...ROOT, END_NODE, END_NODE, BEGIN, named("a"), END],
      abi.GUEST_BOOT_BAD_STRUCTURE,
    ],
    ["a token is unknown", [...ROOT, 5, END_NODE, END], abi.GUEST_BOOT_BAD_STRUCTURE],
    [
      "a token is of the other byte order",
      [...ROOT, 0x0100_0000, END_NODE, END],
      abi.GUEST_BOOT_BAD_STRUCTURE,
    ],
    ["the root has a name", [BEGIN, named("a"), END_NODE, END], abi.GUEST_BOOT_BAD_NAME],
    ["a node has none", [...ROOT, BEGIN, 0, END_NODE, END_NODE, END], abi.GUEST_BOOT_BAD_NAME],
    ["a node's name does not end", [...ROOT, BEGIN, named("abcd")], abi.GUEST_BOOT_BAD_NAME],
    ["a name has a slash", [...ROOT, BEGIN, named("a/b"), END_NODE, END_NODE, END], abi.GUEST_BOOT_BAD_NAME],
    [
      "a node's name has a #",
      [...ROOT, BEGIN, named("#a"), END_NODE, END_NODE, END],
      abi.GUEST_BOOT_BAD_NAME,
    ],
    [
      "a name is not ASCII",
      [...ROOT, BEGIN, named("a\xe4"), END_NODE, END_NODE, END],
      abi.GUEST_BOOT_BAD_NAME,
    ],
    ["a property is cut off", [...ROOT, PROPERTY, 0], abi.GUEST_BOOT_BAD_VALUE],
    ["a value is cut off", [...ROOT, PROPERTY, 13, 0, 0, END_NODE, END], abi.GUEST_BOOT_BAD_VALUE],
    ["a value is huge", [...ROOT, PROPERTY, 0xffff_ffff, 0, 0, END_NODE, END], abi.GUEST_BOOT_BAD_VALUE],
    ["a property's name is outside", [...ROOT, PROPERTY, 0, 5, END_NODE, END], abi.GUEST_BOOT_BAD_NAME],
    // Sixteen bytes before the strings stands the name of CHILD.
    [
      "a property's name is nowhere",
      [...ROOT, PROPERTY, 0, 0xffff_fff0, ...CHILD, END_NODE, END],
      abi.GUEST_BOOT_BAD_NAME,
    ],
    ["a property has no name", [...ROOT, PROPERTY, 0, 4, END_NODE, END], abi.GUEST_BOOT_BAD_NAME],
  ];
  for (const [name, words, expected] of rows) {
    test(`as ${name}`, () => assert.equal(code(blobOfWords(words)), expected));
  }

  test("as a property's name does not end, or has no characters of one", () => {
    const words = [...ROOT, PROPERTY, 0, 0, ...CHILD, END_NODE, END];

    assert.equal(code(blobOfWords(words)), abi.GUEST_BOOT_DONE);
    assert.equal(code(blobOfWords(words, "#name?\0")), abi.GUEST_BOOT_DONE);
    assert.equal(code(blobOfWords(words, "name")), abi.GUEST_BOOT_BAD_NAME);
    assert.equal(code(blobOfWords(words, "na@me\0")), abi.GUEST_BOOT_BAD_NAME);
  });

  test("and it is said where", () => {
    const blob = blobOfWords([...ROOT, NOP, 5, END_NODE, END]);

    assert.equal(showTee(blob).badOffset, 56 + 3 * 4);
  });

  test("as a name is too long", () => {
    const of = (length: number) =>
      code(encodeDeviceTree(aGuestTree({ more: [aDeviceTreeNode("n".repeat(length), {})] })));

    assert.equal(of(127), abi.GUEST_BOOT_DONE);
    assert.equal(of(128), abi.GUEST_BOOT_BAD_NAME);
  });

  test("as it is too deep", () => {
    const times = (count: number, words: number[]) => Array.from({ length: count }, () => words).flat();
    const of = (depth: number) => {
      const begins = times(depth - 1, [BEGIN, named("n")]);
      return showTee(blobOfWords([...ROOT, ...begins, ...times(depth, [END_NODE]), END])).code;
    };

    assert.equal(of(64), abi.GUEST_BOOT_DONE);
    assert.equal(of(65), abi.GUEST_BOOT_TOO_DEEP);
    assert.equal(of(5000), abi.GUEST_BOOT_TOO_DEEP);
  });

  test("NOPs are lawful wherever a token is", () => {
    const words = [NOP, ...ROOT, NOP, PROPERTY, 0, 0, NOP, ...CHILD, NOP, END_NODE, NOP, END];

    assert.equal(code(blobOfWords(words)), abi.GUEST_BOOT_DONE);
  });
});

describe("a request is refused", () => {
  const rows: [string, BootRequest][] = [
    ["no name", { name: "" }],
    ["a name that is none", { name: "op/tee" }],
    ["a name with a unit address", { name: "optee@0" }],
    ["a name that does not end", { name: "n".repeat(abi.GUEST_BOOT_NODE_NAME_SIZE) }],
    ["nothing that it is compatible with", { compatible: "" }],
    ["text that is not printable", { compatible: "a\x07b" }],
    ["text that does not end", { compatible: "c".repeat(abi.GUEST_BOOT_COMPATIBLE_SIZE) }],
    ["no method", { method: "" }],
    ["a method that does not end", { method: "m".repeat(abi.GUEST_BOOT_METHOD_SIZE) }],
    ["a tree that is not aligned", { treeIpa: 0x4800_0004n }],
    ["a tree beyond all addresses", { treeIpa: 2n ** 64n - 8n }],
    ["an entry beyond all addresses", { entryIpa: 2n ** 48n }],
  ];
  for (const [name, request] of rows) {
    test(`with ${name}`, () => assert.equal(code(guestBlob(), request), abi.GUEST_BOOT_BAD_REQUEST));
  }

  test("with areas outside the window, or an operation that is none", () => {
    const size = BigInt(COMPARTMENT_WINDOW_SIZE);
    const call = (a: bigint, b: bigint, c: bigint) => Number(lab.exports.call(abi.GUEST_BOOT_TREE, a, b, c));

    assert.equal(call(size + 1n, 0n, 0n), abi.GUEST_BOOT_BAD_AREA);
    assert.equal(call(0n, size + 1n, 0n), abi.GUEST_BOOT_BAD_AREA);
    assert.equal(call(0n, 1n, size), abi.GUEST_BOOT_BAD_AREA);
    assert.equal(call(0n, 1n, 2n ** 64n - 1n), abi.GUEST_BOOT_BAD_AREA);
    assert.equal(call(2n ** 32n, 2n ** 32n, 2n ** 32n), abi.GUEST_BOOT_BAD_AREA);
    assert.equal(Number(lab.exports.call(0x99, 0n, 0n, 0n)), abi.GUEST_BOOT_BAD_OPERATION);
  });
});
