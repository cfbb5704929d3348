// SHA-256 and SHA-512 of compartments (sel0/crypto) against the standard's examples and Node's implementation.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { bytesAt, clear, lab, place, room, toHex } from "../drivers/crypto.ts";

type Name = "sha256" | "sha512";
const NAMES: readonly Name[] = ["sha256", "sha512"];
const DIGEST_SIZES = { sha256: 32, sha512: 64 };
const STATE_SIZES = { sha256: 0x68, sha512: 0xc8 };
const nodeDigest = (name: Name, message: Uint8Array) => createHash(name).update(message).digest("hex");

/** The digest of all parts, each absorbed by one call; they lie anywhere. */
function digestOf(name: Name, parts: readonly Uint8Array[], skew = 0): string {
  clear();
  const statePtr = room(STATE_SIZES[name]);
  const digestPtr = room(DIGEST_SIZES[name]);
  lab.exports[`${name}Begin`](statePtr);
  for (const part of parts) lab.exports[`${name}Update`](statePtr, place(part, skew), part.length);
  lab.exports[`${name}End`](statePtr, digestPtr);
  return toHex(bytesAt(digestPtr, DIGEST_SIZES[name]));
}

// FIPS 180-4's examples.
const TWO_BLOCKS = {
  sha256: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
  sha512:
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
};
const EXAMPLES: [name: Name, message: string, digest: string][] = [
  ["sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ["sha256", TWO_BLOCKS.sha256, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
  [
    "sha512",
    "abc",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
  [
    "sha512",
    TWO_BLOCKS.sha512,
    "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018" +
      "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
  ],
];
for (const [name, message, digest] of EXAMPLES) {
  test(`${name}: the standard's example of ${message.length} bytes`, () => {
    assert.equal(digestOf(name, [new TextEncoder().encode(message)]), digest);
  });
}

for (const name of NAMES) {
  test(`${name}: every length around the ends of blocks is padded right`, () => {
    for (let length = 0; length <= 260; length++) {
      const message = Uint8Array.from({ length }, (_, index) => (index * 151 + length) & 0xff);
      assert.equal(digestOf(name, [message], length % 8), nodeDigest(name, message), `${length} bytes`);
    }
  });

  test(`${name}: parts of any length, anywhere, have the digest of the whole`, () => {
    const part = fc.uint8Array({ maxLength: 400, size: "max" });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.nat({ max: 7 }), (parts, skew) => {
        assert.equal(digestOf(name, parts, skew), nodeDigest(name, Buffer.concat(parts)));
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: two computations at once do not meet`, () => {
    clear();
    const messages = [Buffer.alloc(300, "one"), Buffer.alloc(170, "two")];
    const states = messages.map(() => room(STATE_SIZES[name]));
    const digestPtr = room(DIGEST_SIZES[name]);
    const { [`${name}Begin` as const]: begin, [`${name}Update` as const]: update } = lab.exports;

    for (const statePtr of states) begin(statePtr);
    for (const half of [0, 1]) {
      messages.forEach((message, index) => {
        const bytes = message.subarray((half * message.length) / 2, ((half + 1) * message.length) / 2);
        update(states[index]!, place(bytes), bytes.length);
      });
    }

    messages.forEach((message, index) => {
      lab.exports[`${name}End`](states[index]!, digestPtr);
      assert.equal(toHex(bytesAt(digestPtr, DIGEST_SIZES[name])), nodeDigest(name, message));
    });
  });

  test(`${name}: one call for one message; what was hashed is left nowhere in the state`, () => {
    clear();
    const message = Buffer.alloc(150, "secret");
    const digestPtr = room(DIGEST_SIZES[name]);
    lab.exports[name](place(message), message.length, digestPtr);
    assert.equal(toHex(bytesAt(digestPtr, DIGEST_SIZES[name])), nodeDigest(name, message));

    const statePtr = room(STATE_SIZES[name]);
    lab.exports[`${name}Begin`](statePtr);
    lab.exports[`${name}Update`](statePtr, place(message), message.length);
    lab.exports[`${name}End`](statePtr, digestPtr);
    assert.ok(bytesAt(statePtr, STATE_SIZES[name]).every((byte) => byte === 0));
  });
}
