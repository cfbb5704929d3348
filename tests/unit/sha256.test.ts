// SHA-256 at EL3 (el3/monitor/measure/sha256.ts) against the standard's examples and Node's implementation.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { aMeasureLab, digestOf, digestWords } from "../drivers/measure.ts";

const lab = await aMeasureLab(5 * 0x1000);
const nodeDigest = (message: Uint8Array) => createHash("sha256").update(message).digest("hex");

// FIPS 180-4's examples, and the empty message of NIST's CAVP.
const EXAMPLES: [message: string, digest: string][] = [
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  [
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
  ],
];
for (const [message, digest] of EXAMPLES) {
  test(`the digest of the standard's example of ${message.length} bytes`, () => {
    assert.equal(digestOf(lab, new TextEncoder().encode(message)), digest);
  });
}

test("every length around the ends of a block and of a page is padded right", () => {
  const lengths = [...Array(130).keys(), 0xfff, 0x1000, 0x1001, 0x1037, 0x1038, 0x103f, 0x1040, 0x2000];
  for (const length of lengths) {
    const message = Uint8Array.from({ length }, (_, index) => (index * 151 + length) & 0xff);
    assert.equal(digestOf(lab, message), nodeDigest(message), `${length} bytes`);
  }
});

test("messages of several pages and any tail have Node's digest", () => {
  const message = fc.tuple(fc.nat({ max: 4 }), fc.uint8Array({ maxLength: 0xfff }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(message, ([pages, tail, seed]) => {
      const bytes = new Uint8Array(pages * 0x1000 + tail.length);
      for (let index = 0; index < pages * 0x1000; index++) bytes[index] = (index * 31 + seed) ^ (index >> 8);
      bytes.set(tail, pages * 0x1000);
      assert.equal(digestOf(lab, bytes), nodeDigest(bytes));
    }),
    { numRuns: 60 },
  );
});

test("pages are taken in the order of the calls, wherever they lie, and a computation starts anew", () => {
  const { measure, memory } = lab;
  for (let page = 0; page < 3; page++) memory.fill(page + 1, page * 0x1000, (page + 1) * 0x1000);
  const order = [2, 0, 1, 0];

  measure.sha256Begin();
  measure.sha256Page(0n); // given up
  measure.sha256Begin();
  for (const page of order) measure.sha256Page(BigInt(page * 0x1000));
  measure.sha256End();

  const expected = Buffer.concat(order.map((page) => Buffer.alloc(0x1000, page + 1)));
  assert.equal(digestWords(measure), nodeDigest(expected));
});

const { VTZ_FULL } = process.env;
const skip = VTZ_FULL !== "1" && "takes seconds: `vtz test --full`";
test("a message of 512 MiB and more has its length in both words", { skip }, () => {
  const { measure, memory } = lab;
  memory.fill(0x5a, 0, 0x1000);
  const pages = (1 << 29) / 0x1000 + 1;
  const hash = createHash("sha256");

  measure.sha256Begin();
  for (let page = 0; page < pages; page++) measure.sha256Page(0n);
  measure.sha256End();

  for (let page = 0; page < pages; page++) hash.update(memory.subarray(0, 0x1000));
  assert.equal(digestWords(measure), hash.digest("hex"));
});

test("the digest has eight words: an index beyond them stays inside", () => {
  digestOf(lab, new Uint8Array(3));
  assert.equal(lab.measure.sha256Word(8), lab.measure.sha256Word(0));
});
