// HMAC, HKDF and HMAC_DRBG with SHA-256 of compartments (sel0/crypto) against published vectors and Node's HMAC.

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { bytesAt, clear, fromHex, lab, place, room, toHex } from "../drivers/crypto.ts";
import { NodeDrbg, nodeMac } from "../drivers/node-drbg.ts";

const { exports } = lab;
const NOTHING = new Uint8Array(0);
const text = (value: string) => new TextEncoder().encode(value);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: "max" });

function macOf(key: Uint8Array, message: Uint8Array): string {
  clear();
  const macPtr = room(32);
  exports.hmacSha256(place(key), key.length, place(message), message.length, macPtr);
  return toHex(bytesAt(macPtr, 32));
}

// RFC 4231, test cases 1, 2, 3 and 6.
const MACS: [number: number, key: Uint8Array, message: Uint8Array, mac: string][] = [
  [
    1,
    new Uint8Array(20).fill(0x0b),
    text("Hi There"),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  ],
  [
    2,
    text("Jefe"),
    text("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    3,
    new Uint8Array(20).fill(0xaa),
    new Uint8Array(50).fill(0xdd),
    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
  ],
  [
    6,
    new Uint8Array(131).fill(0xaa),
    text("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
];
for (const [number, key, message, mac] of MACS) {
  test(`HMAC: RFC 4231's test case ${number}`, () => assert.equal(macOf(key, message), mac));
}

test("HMAC: keys and messages of any length have Node's code", () => {
  fc.assert(
    fc.property(bytes(140), bytes(300), (key, message) => {
      assert.equal(macOf(key, message), nodeMac(key, message).toString("hex"));
    }),
  );
});

function expand(key: Uint8Array, info: Uint8Array, size: number): string | undefined {
  const outputPtr = room(size + 1);
  const done = exports.hkdfSha256Expand(place(key), place(info), info.length, outputPtr, size);
  assert.equal(bytesAt(outputPtr + size, 1)[0], 0xa5, "a byte behind the output");
  return done === 0 ? undefined : toHex(bytesAt(outputPtr, size));
}

function extract(salt: Uint8Array, input: Uint8Array): Uint8Array {
  const keyPtr = room(32);
  exports.hkdfSha256Extract(place(salt), salt.length, place(input), input.length, keyPtr);
  return bytesAt(keyPtr, 32);
}

test("HKDF: RFC 5869's test case 1", () => {
  clear();
  const key = extract(fromHex("000102030405060708090a0b0c"), new Uint8Array(22).fill(0x0b));
  assert.equal(toHex(key), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  assert.equal(
    expand(key, fromHex("f0f1f2f3f4f5f6f7f8f9"), 42),
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  );
});

test("HKDF: RFC 5869's test case 3, without salt and information", () => {
  clear();
  const key = extract(NOTHING, new Uint8Array(22).fill(0x0b));
  assert.equal(toHex(key), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  assert.equal(
    expand(key, NOTHING, 42),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
});

test("HKDF: any lengths have Node's output, and more than 255 blocks are refused", () => {
  fc.assert(
    fc.property(
      bytes(80),
      bytes(80),
      bytes(80),
      fc.integer({ min: 1, max: 300 }),
      (salt, input, info, size) => {
        clear();
        const nodeOutput = Buffer.from(hkdfSync("sha256", input, salt, info, size)).toString("hex");
        assert.equal(expand(extract(salt, input), info, size), nodeOutput);
      },
    ),
  );
  clear();
  assert.equal(expand(new Uint8Array(32), NOTHING, 0), "");
  const [key, most] = [new Uint8Array(32).fill(1), 255 * 32];
  assert.equal(expand(key, NOTHING, most)!.length, 2 * most);
  assert.equal(expand(key, NOTHING, most + 1), undefined);
});

const DRBG_STATE_SIZE = 0x48;

interface Drbg {
  readonly ptr: number;
  generate(size: number, additional?: Uint8Array): string | undefined;
  reseed(entropy: Uint8Array, additional?: Uint8Array): boolean;
}

function aDrbg(entropy: Uint8Array, nonce: Uint8Array, personalization = NOTHING): Drbg {
  clear();
  const ptr = place(new Uint8Array(DRBG_STATE_SIZE));
  const sized = (data: Uint8Array) => [place(data), data.length] as const;
  exports.drbgInstantiate(ptr, ...sized(entropy), ...sized(nonce), ...sized(personalization));
  return {
    ptr,
    generate(size, additional = NOTHING) {
      const outputPtr = room(size + 1);
      const done = exports.drbgGenerate(ptr, ...sized(additional), outputPtr, size);
      assert.equal(bytesAt(outputPtr + size, 1)[0], 0xa5, "a byte behind the output");
      return done === 0 ? undefined : toHex(bytesAt(outputPtr, size));
    },
    reseed: (fresh, additional = NOTHING) =>
      exports.drbgReseed(ptr, ...sized(fresh), ...sized(additional)) !== 0,
  };
}

// NIST's CAVP, drbgvectors: HMAC_DRBG, SHA-256, no prediction resistance, count 0: the second of two requests counts.
test("HMAC_DRBG: NIST's vector without reseed", () => {
  const drbg = aDrbg(
    fromHex("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488"),
    fromHex("659ba96c601dc69fc902940805ec0ca8"),
  );
  drbg.generate(128);
  assert.equal(
    drbg.generate(128),
    "e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89" +
      "d54fbb978a15b5c443c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc1" +
      "07694bb7547bb0995f70de25d6b29e2d3011bb19d27676c07162c8b5ccde0668" +
      "961df86803482cb37ed6d5c0bb8d50cf1f50d476aa0458bdaba806f48be9dcb8",
  );
});

test("HMAC_DRBG: NIST's vector with a reseed", () => {
  const drbg = aDrbg(
    fromHex("06032cd5eed33f39265f49ecb142c511da9aff2af71203bffaf34a9ca5bd9c0d"),
    fromHex("0e66f71edc43e42a45ad3c6fc6cdc4df"),
  );
  drbg.reseed(fromHex("01920a4e669ed3a85ae8a33b35a74ad7fb2a6bb4cf395ce00334a9c9a5a5d552"));
  drbg.generate(128);
  assert.equal(
    drbg.generate(128),
    "76fc79fe9b50beccc991a11b5635783a83536add03c157fb30645e611c2898bb" +
      "2b1bc215000209208cd506cb28da2a51bdb03826aaf2bd2335d576d519160842" +
      "e7158ad0949d1a9ec3e66ea1b1a064b005de914eac2e9d4f2d72a8616a802254" +
      "22918250ff66a41bd2f864a6a38cc5b6499dc43f7f2bd09e1e0f8f5885935124",
  );
});

test("HMAC_DRBG: any history of requests and reseeds is as the standard says", () => {
  const entropy = fc.uint8Array({ minLength: 32, maxLength: 70 });
  const act = fc.record({ fresh: fc.option(entropy), additional: bytes(50), size: fc.nat({ max: 100 }) });
  fc.assert(
    fc.property(entropy, bytes(30), bytes(30), fc.array(act, { maxLength: 6 }), (seed, nonce, name, acts) => {
      const drbg = aDrbg(seed, nonce, name);
      const node = new NodeDrbg(Buffer.concat([seed, nonce, name]));
      for (const { fresh, additional, size } of acts) {
        if (fresh === null) assert.equal(drbg.generate(size, additional), node.generate(size, additional));
        else {
          assert.equal(drbg.reseed(fresh, additional), true);
          node.update(Buffer.concat([fresh, additional]));
        }
      }
    }),
  );
});

test("HMAC_DRBG: what it refuses changes nothing", () => {
  const [entropy, little] = [new Uint8Array(32).fill(7), new Uint8Array(31).fill(7)];
  const empty = aDrbg(little, NOTHING);
  assert.ok(bytesAt(empty.ptr, DRBG_STATE_SIZE).every((byte) => byte === 0));
  assert.equal(empty.reseed(entropy), false);
  assert.equal(empty.generate(1), undefined);
  assert.ok(bytesAt(empty.ptr, DRBG_STATE_SIZE).every((byte) => byte === 0));

  const drbg = aDrbg(entropy, NOTHING);
  assert.notEqual(drbg.generate(1 << 16), undefined);
  const before = bytesAt(drbg.ptr, DRBG_STATE_SIZE);
  assert.equal(drbg.reseed(little), false);
  assert.equal(drbg.generate((1 << 16) + 1), undefined);
  assert.deepEqual(bytesAt(drbg.ptr, DRBG_STATE_SIZE), before);
});

test("HMAC_DRBG: after 2^48 requests there must be a reseed", () => {
  const drbg = aDrbg(new Uint8Array(32).fill(7), NOTHING);
  const counter = new DataView(lab.memory.buffer, drbg.ptr + 0x40, 8);
  counter.setBigUint64(0, 1n << 48n, true);

  assert.notEqual(drbg.generate(1), undefined);
  assert.equal(drbg.generate(1), undefined);
  assert.equal(drbg.reseed(new Uint8Array(32).fill(8)), true);
  assert.notEqual(drbg.generate(1), undefined);
});

test("HMAC_DRBG: a forgotten generator is gone", () => {
  const drbg = aDrbg(new Uint8Array(32).fill(7), NOTHING);
  exports.drbgForget(drbg.ptr);

  assert.ok(bytesAt(drbg.ptr, DRBG_STATE_SIZE).every((byte) => byte === 0));
  assert.equal(drbg.generate(1), undefined);
});
