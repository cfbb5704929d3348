// The boot compartment takes what was signed, whole, and nothing else: each byte of a package is tried, each field of
// its manifest, each length; and what it decides is what the host decides with Node's cryptography.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import * as abi from "../../abi/boot-compartment.ts";
import * as format from "../../abi/boot-package.ts";
import { COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments.ts";
import { decodeImageRows } from "../../host/machine/image-rows.ts";
import { verifyManifest } from "../../host/machine/verify-package.ts";
import { call, compare, imagesOf, lab, lend, open } from "../drivers/boot-compartment.ts";
import { aSignedPackage, resigned, someTee } from "../drivers/packages.ts";
import { aKey, ROOT_KEY } from "../machine/root-key.ts";

const TEE_COUNT = 2;
const good = aSignedPackage();
const rows = decodeImageRows(good, TEE_COUNT);
const rowAt = (row: number) => format.IMAGE_ROW_BASE + row * format.IMAGE_ROW_SIZE;
const FIRST_TEE = format.IMAGE_TEE_FIRST;

suite("a package", () => {
  test("that is signed, whole and new enough is accepted, and so is each of its images", () => {
    assert.equal(open(good, { minimumVersion: 5n }), abi.BOOT_ACCEPTED);

    for (const [row, image] of imagesOf(good, TEE_COUNT).entries())
      assert.equal(compare(row, image), abi.BOOT_ACCEPTED, `row ${row}`);
  });

  test("any flipped byte of the manifest is refused, by magic, size or signature", () => {
    for (let at = 0; at < format.BOOT_MANIFEST_SIZE; at++) {
      const status = open(flipped(good, at));

      const expected =
        at < format.BOOT_SIZE
          ? abi.BOOT_REFUSED_MAGIC
          : at < format.BOOT_VERSION
            ? abi.BOOT_REFUSED_SIZE
            : abi.BOOT_REFUSED_SIGNATURE;
      assert.equal(status, expected, `byte 0x${at.toString(16)}`);
    }
  });

  test("any flipped byte behind the manifest is refused, as padding or by its image's hash", () => {
    for (let at: number = format.BOOT_MANIFEST_SIZE; at < good.length; at++) {
      const row = rows.findIndex(({ place, size }) => at >= place && at < place + size);
      if (row < 0) {
        assert.equal(open(flipped(good, at)), abi.BOOT_REFUSED_PADDING, `byte 0x${at.toString(16)}`);
        continue;
      }
      if (at === rows[row]!.place) assert.equal(open(good), abi.BOOT_ACCEPTED);
      const { place, size } = rows[row]!;
      const image = flipped(good, at).subarray(place, place + size);
      assert.equal(compare(row, image), abi.BOOT_REFUSED_IMAGE_HASH, `byte 0x${at.toString(16)}`);
    }
  });

  test("that is cut off anywhere is refused", () => {
    for (let size = 0; size < good.length; size += size < 0x40 ? 1 : 0x1f)
      assert.equal(open(good.subarray(0, size)), abi.BOOT_REFUSED_SIZE, `${size} bytes`);
    assert.equal(open(good.subarray(0, good.length - 1)), abi.BOOT_REFUSED_SIZE);
    assert.equal(open(good, { size: COMPARTMENT_WINDOW_SIZE + 1 }), abi.BOOT_REFUSED_LENT);
  });

  test("with something behind its end is refused", () => {
    const longer = new Uint8Array(good.length + 0x1000);
    longer.set(good);

    assert.equal(open(longer), abi.BOOT_REFUSED_SIZE);
    const stretched = resigned(longer, (view) =>
      view.setBigUint64(format.BOOT_SIZE, BigInt(longer.length), true),
    );
    assert.equal(open(stretched), abi.BOOT_REFUSED_PLACE);
  });

  test("of another key is refused, also if the key is weak", () => {
    const weak = [new Uint8Array(32), Uint8Array.from([1, ...new Uint8Array(31)])];
    for (const rootKey of [aKey(0x12).publicKey, ...weak])
      assert.equal(open(good, { rootKey }), abi.BOOT_REFUSED_SIGNATURE);
    assert.equal(open(aSignedPackage({}, aKey(0x12))), abi.BOOT_REFUSED_SIGNATURE);
  });

  test("that is older than the device's minimum is refused", () => {
    assert.equal(open(good, { minimumVersion: 6n }), abi.BOOT_REFUSED_VERSION);
    assert.equal(open(good, { minimumVersion: 2n ** 64n - 1n }), abi.BOOT_REFUSED_VERSION);
    const newest = aSignedPackage({ version: 2n ** 64n - 1n });
    assert.equal(open(newest, { minimumVersion: 2n ** 63n }), abi.BOOT_ACCEPTED);
  });

  test("of as many TEEs as there may be is accepted; of none, and of one more, it is not", () => {
    const tees = Array.from({ length: format.TEE_MAX }, (_, index) => someTee(`tee-${index}`, 16));
    assert.equal(open(aSignedPackage({ tees })), abi.BOOT_ACCEPTED);
    assert.equal(open(aSignedPackage({ tees: [] })), abi.BOOT_REFUSED_TEE_COUNT);
    const many = resigned(good, (view) => view.setUint32(format.BOOT_TEE_COUNT, format.TEE_MAX + 1, true));
    assert.equal(open(many), abi.BOOT_REFUSED_TEE_COUNT);
  });

  test("that is refused closes the one before", () => {
    assert.equal(open(good), abi.BOOT_ACCEPTED);
    assert.equal(open(flipped(good, format.BOOT_SIGNATURE)), abi.BOOT_REFUSED_SIGNATURE);

    assert.equal(compare(0, imagesOf(good, TEE_COUNT)[0]!), abi.BOOT_REFUSED_NOT_OPEN);
    for (const operation of [abi.BOOT_IMAGE_BEGIN, abi.BOOT_IMAGE_PART, abi.BOOT_IMAGE_END])
      assert.equal(call(operation), abi.BOOT_REFUSED_NOT_OPEN);
  });
});

suite("a manifest that is signed and wrong", () => {
  type Change = (view: DataView, bytes: Uint8Array) => void;
  const place =
    (row: number, value: bigint): Change =>
    (view) =>
      view.setBigUint64(rowAt(row) + format.IMAGE_PLACE, value, true);
  const size =
    (row: number, value: bigint): Change =>
    (view) =>
      view.setBigUint64(rowAt(row) + format.IMAGE_SIZE, value, true);
  const kind =
    (row: number, value: number): Change =>
    (view) =>
      view.setUint32(rowAt(row) + format.IMAGE_KIND, value, true);
  const byte =
    (at: number, value: number): Change =>
    (_, bytes) =>
      bytes.set([value], at);
  const teeRow = (tee: number) => format.TEE_ROW_BASE + tee * format.TEE_ROW_SIZE;
  const poolPa = 0x70000000n;
  const pa = (row: number) => BigInt(rows[row]!.place);
  const afterTees = teeRow(TEE_COUNT);
  const afterRows = rowAt(rows.length);
  const ROWS: readonly (readonly [string, number, Change])[] = [
    ["a hypervisor that is empty", abi.BOOT_REFUSED_MISSING, size(0, 0n)],
    ["an initrd that is empty", abi.BOOT_REFUSED_MISSING, size(2, 0n)],
    ["a TEE that is empty", abi.BOOT_REFUSED_MISSING, size(FIRST_TEE, 0n)],
    ["no row of the dom0 kernel", abi.BOOT_REFUSED_MISSING, kind(1, 0)],
    ["no row of the last TEE's tree", abi.BOOT_REFUSED_MISSING, kind(rows.length - 1, 0)],
    ["kernel and initrd exchanged", abi.BOOT_REFUSED_KIND, kind(1, format.KIND_DOM0_INITRD)],
    ["a TEE as hypervisor", abi.BOOT_REFUSED_KIND, kind(0, format.KIND_TEE)],
    ["a hypervisor as TEE", abi.BOOT_REFUSED_KIND, kind(FIRST_TEE, format.KIND_HYPERVISOR)],
    [
      "a tree in place of the second TEE",
      abi.BOOT_REFUSED_KIND,
      kind(FIRST_TEE + 2, format.KIND_TEE_DEVICE_TREE),
    ],
    ["a kind that there is not", abi.BOOT_REFUSED_KIND, kind(3, 7)],
    ["a hypervisor not on a page", abi.BOOT_REFUSED_PLACE, place(0, pa(0) + 8n)],
    ["a kernel below RAM", abi.BOOT_REFUSED_PLACE, place(1, 0x3ffff000n)],
    ["an initrd in the pool", abi.BOOT_REFUSED_PLACE, place(2, poolPa)],
    ["an initrd that reaches into the pool", abi.BOOT_REFUSED_PLACE, size(2, poolPa - pa(2) + 1n)],
    ["an address that wraps around", abi.BOOT_REFUSED_PLACE, place(3, 2n ** 64n - 0x1000n)],
    ["a size that wraps around", abi.BOOT_REFUSED_PLACE, size(3, 2n ** 64n - 1n)],
    ["a kernel over the hypervisor", abi.BOOT_REFUSED_PLACE, place(1, pa(0))],
    ["a kernel that reaches the hypervisor", abi.BOOT_REFUSED_PLACE, size(1, pa(0) - pa(1) + 1n)],
    ["a hypervisor that reaches the initrd", abi.BOOT_REFUSED_PLACE, size(0, pa(2) - pa(0) + 1n)],
    ["a TEE in the manifest", abi.BOOT_REFUSED_PLACE, place(FIRST_TEE, 0n)],
    ["a TEE a page further", abi.BOOT_REFUSED_PLACE, place(FIRST_TEE, 0x2000n)],
    ["a second TEE over the first", abi.BOOT_REFUSED_PLACE, place(FIRST_TEE + 2, 0x1000n)],
    ["a TEE beyond the package", abi.BOOT_REFUSED_PLACE, size(FIRST_TEE, BigInt(good.length))],
    ["a TEE whose size wraps around", abi.BOOT_REFUSED_PLACE, size(FIRST_TEE, 2n ** 64n - 1n)],
    ["a last TEE that leaves a page over", abi.BOOT_REFUSED_PLACE, size(FIRST_TEE, 0x1000n)],
    ["a TEE that is shorter than what is there", abi.BOOT_REFUSED_PADDING, size(FIRST_TEE, 0x1ff0n)],
    ["a line feed in a name", abi.BOOT_REFUSED_TEXT, byte(rowAt(1) + format.IMAGE_NAME, 0x0a)],
    ["a character that is none", abi.BOOT_REFUSED_TEXT, byte(rowAt(5) + format.IMAGE_VERSION, 0x7f)],
    [
      "something behind a version's end",
      abi.BOOT_REFUSED_TEXT,
      byte(rowAt(0) + format.IMAGE_VERSION + 39, 0x41),
    ],
    [
      "a name without an end",
      abi.BOOT_REFUSED_TEXT,
      (_, bytes) => bytes.fill(0x41, rowAt(0) + format.IMAGE_NAME, rowAt(0) + format.IMAGE_VERSION),
    ],
    ["a TEE's name that is none", abi.BOOT_REFUSED_TEXT, byte(teeRow(1), 0x80)],
    ["something behind a TEE's name", abi.BOOT_REFUSED_TEXT, byte(teeRow(0) + 15, 0x41)],
    ["something behind the header", abi.BOOT_REFUSED_RESERVED, byte(format.BOOT_HEADER_END, 1)],
    ["something at the header's end", abi.BOOT_REFUSED_RESERVED, byte(format.BOOT_HEADER_SIZE - 1, 1)],
    ["something behind a profile", abi.BOOT_REFUSED_RESERVED, byte(teeRow(1) + format.TEE_ROW_END, 1)],
    ["a profile without a TEE", abi.BOOT_REFUSED_RESERVED, byte(afterTees, 1)],
    ["something before the rows", abi.BOOT_REFUSED_RESERVED, byte(format.IMAGE_ROW_BASE - 1, 1)],
    ["something behind a kind", abi.BOOT_REFUSED_RESERVED, byte(rowAt(2) + format.IMAGE_KIND + 4, 1)],
    ["something before a hash", abi.BOOT_REFUSED_RESERVED, byte(rowAt(6) + format.IMAGE_HASH - 1, 1)],
    ["a row too many", abi.BOOT_REFUSED_RESERVED, byte(afterRows, format.KIND_TEE)],
    ["something before the signature", abi.BOOT_REFUSED_RESERVED, byte(format.BOOT_SIGNATURE - 1, 1)],
  ];

  for (const [name, expected, change] of ROWS)
    test(`is refused: ${name}`, () => {
      const bytes = resigned(good, change);

      assert.equal(open(bytes), expected);
      assert.equal(verifyManifest(bytes, ROOT_KEY.publicKey, 0n), expected, "the host decides otherwise");
    });

  test("its profiles are the signer's: the monitor looks at them", () => {
    for (const at of [format.TEE_LOAD_IPA, format.TEE_ENTRY_KIND, format.TEE_DEVICE_TREE_MEMORY])
      assert.equal(open(resigned(good, byte(teeRow(0) + at, 0xff))), abi.BOOT_ACCEPTED);
  });
});

suite("an image", () => {
  const images = imagesOf(good, TEE_COUNT);

  test("any flipped byte of one in RAM is refused", () => {
    open(good);
    for (let row = 0; row < format.IMAGE_TEE_FIRST; row++)
      for (let at = 0; at < images[row]!.length; at++)
        assert.equal(
          compare(row, flipped(images[row]!, at)),
          abi.BOOT_REFUSED_IMAGE_HASH,
          `${row}: byte ${at}`,
        );
  });

  test("of another row, size or number is refused", () => {
    open(good);
    assert.equal(compare(1, images[0]!), abi.BOOT_REFUSED_IMAGE_HASH);
    assert.equal(compare(0, images[0]!.subarray(1)), abi.BOOT_REFUSED_IMAGE_SIZE);
    assert.equal(compare(0, new Uint8Array(0)), abi.BOOT_REFUSED_IMAGE_SIZE);
    assert.equal(compare(rows.length, images[0]!), abi.BOOT_REFUSED_NO_ROW);
    assert.equal(call(abi.BOOT_IMAGE_BEGIN, rows.length), abi.BOOT_REFUSED_NO_ROW);
    assert.equal(call(abi.BOOT_IMAGE_BEGIN, 2 ** 32), abi.BOOT_REFUSED_NO_ROW);
    assert.equal(call(abi.BOOT_IMAGE, 0, COMPARTMENT_WINDOW_SIZE + 1), abi.BOOT_REFUSED_LENT);
  });

  test("may come in parts, and is the same", () => {
    open(good);
    for (const partSize of [1, 63, 64, 1000, 0x1000]) {
      assert.equal(inParts(0, images[0]!, partSize), abi.BOOT_ACCEPTED);
      assert.equal(inParts(0, flipped(images[0]!, 77), partSize), abi.BOOT_REFUSED_IMAGE_HASH);
    }
    assert.equal(inParts(0, images[0]!.subarray(1), 1000), abi.BOOT_REFUSED_IMAGE_SIZE);
    const longer = new Uint8Array(images[0]!.length + 1);
    assert.equal(inParts(0, longer, 1000), abi.BOOT_REFUSED_IMAGE_SIZE);
  });

  test("is not disturbed in its parts by another that comes whole; of two in parts the later counts", () => {
    open(good);
    call(abi.BOOT_IMAGE_BEGIN, 0);
    assert.equal(compare(1, images[1]!), abi.BOOT_ACCEPTED);
    lend(images[0]!);
    assert.equal(call(abi.BOOT_IMAGE_PART, images[0]!.length), abi.BOOT_ACCEPTED);
    assert.equal(call(abi.BOOT_IMAGE_END), abi.BOOT_ACCEPTED);

    call(abi.BOOT_IMAGE_BEGIN, 0);
    call(abi.BOOT_MEASURE_BEGIN);
    assert.equal(call(abi.BOOT_IMAGE_PART, 1), abi.BOOT_REFUSED_ORDER);
    assert.equal(call(abi.BOOT_IMAGE_END), abi.BOOT_REFUSED_ORDER);
  });

  test("cannot be ended twice, or without a beginning", () => {
    open(good);
    inParts(0, images[0]!, 64);
    assert.equal(call(abi.BOOT_IMAGE_END), abi.BOOT_REFUSED_ORDER);
    assert.equal(call(abi.BOOT_IMAGE_PART, 1), abi.BOOT_REFUSED_ORDER);
    call(abi.BOOT_IMAGE_BEGIN, 0);
    assert.equal(call(abi.BOOT_IMAGE_PART, COMPARTMENT_WINDOW_SIZE + 1), abi.BOOT_REFUSED_LENT);
  });
});

suite("a measurement", () => {
  test("is SHA-256 of all that was lent, whatever the parts are", () => {
    const parts = [0, 1, 64, 4096, 100, 8192].map((size, seed) => new Uint8Array(size).fill(seed + 1));
    const hash = createHash("sha256");

    assert.equal(call(abi.BOOT_MEASURE_BEGIN), abi.BOOT_ACCEPTED);
    for (const part of parts) {
      lend(part);
      hash.update(part);
      assert.equal(call(abi.BOOT_MEASURE_PART, part.length), abi.BOOT_ACCEPTED);
    }
    assert.equal(call(abi.BOOT_MEASURE_END), abi.BOOT_ACCEPTED);

    const digest = lab.message.slice(abi.BOOT_MESSAGE_DIGEST, abi.BOOT_MESSAGE_DIGEST + 32);
    assert.deepEqual(Buffer.from(digest), hash.digest());
  });

  test("needs no package, but a beginning", () => {
    open(new Uint8Array(0));
    assert.equal(call(abi.BOOT_MEASURE_END), abi.BOOT_REFUSED_ORDER);
    assert.equal(call(abi.BOOT_MEASURE_PART, 1), abi.BOOT_REFUSED_ORDER);
    assert.equal(call(abi.BOOT_MEASURE_BEGIN), abi.BOOT_ACCEPTED);
    assert.equal(call(abi.BOOT_MEASURE_PART, COMPARTMENT_WINDOW_SIZE + 1), abi.BOOT_REFUSED_LENT);
  });
});

test("there is no other operation", () => {
  for (const operation of [0, abi.BOOT_MEASURE_END + 1, 0xffffffff])
    assert.equal(call(operation), abi.BOOT_REFUSED_OPERATION);
});

/** One bit of a byte is another: which bit, differs from byte to byte. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1 << (at % 8);
  return copy;
}

function inParts(row: number, bytes: Uint8Array, partSize: number): number {
  assert.equal(call(abi.BOOT_IMAGE_BEGIN, row), abi.BOOT_ACCEPTED);
  for (let at = 0; at < bytes.length; at += partSize) {
    const part = bytes.subarray(at, at + partSize);
    lend(part);
    assert.equal(call(abi.BOOT_IMAGE_PART, part.length), abi.BOOT_ACCEPTED);
  }
  return call(abi.BOOT_IMAGE_END);
}
