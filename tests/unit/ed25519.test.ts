// Ed25519 of compartments (sel0/crypto/ed25519.ts): the standard's vectors, Node's implementation, and forged
// signatures of which the equation holds but an encoding or a key is not as it must be.

import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { COMPARTMENT_STATICS_PTR } from "../../abi/compartments.ts";
import { bytesAt, clear, fromHex, lab, place, room, toHex } from "../drivers/crypto.ts";
import {
  add,
  BASE,
  challenge,
  encode,
  fromLittleEndian,
  L,
  littleEndian,
  multiply,
  NEUTRAL,
  P,
  smallOrderPoints,
} from "../drivers/edwards25519.ts";

const STATICS_SIZE = 0x10000;

function publicKeyOf(seed: Uint8Array): Uint8Array {
  clear();
  const ptr = room(32);
  lab.exports.ed25519PublicKey(place(seed), ptr);
  return bytesAt(ptr, 32);
}

/** Undefined if it refuses; then nothing was written. */
function signatureOf(seed: Uint8Array, publicKey: Uint8Array, message: Uint8Array): Uint8Array | undefined {
  clear();
  const ptr = room(64);
  const before = bytesAt(ptr, 64);
  const done = lab.exports.ed25519Sign(place(seed), place(publicKey), place(message), message.length, ptr);
  if (done !== 0) return bytesAt(ptr, 64);
  assert.deepEqual(bytesAt(ptr, 64), before);
  return undefined;
}

function accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  clear();
  const messagePtr = place(message, 1);
  return lab.exports.ed25519Verify(place(publicKey), messagePtr, message.length, place(signature, 1)) !== 0;
}

// RFC 8410: what stands before the seed in DER.
const nodePrivateKey = (seed: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([fromHex("302e020100300506032b657004220420"), seed]),
    format: "der",
    type: "pkcs8",
  });
const nodeKeyBytes = (seed: Uint8Array): Uint8Array =>
  createPublicKey(nodePrivateKey(seed)).export({ format: "der", type: "spki" }).subarray(-32);

// RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
const VECTORS: [seed: string, publicKey: string, message: string, signature: string][] = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
  [
    "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589" +
      "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
  ],
];
VECTORS.forEach(([seed, publicKey, message, signature], index) => {
  test(`the standard's vector ${index}: key, signature, verification`, () => {
    const [key, text] = [fromHex(publicKey), fromHex(message)];
    assert.equal(toHex(publicKeyOf(fromHex(seed))), publicKey);
    assert.equal(toHex(signatureOf(fromHex(seed), key, text)!), signature);
    assert.equal(accepts(key, text, fromHex(signature)), true);
  });
});

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const messages = fc.uint8Array({ maxLength: 300, size: "max" });

test("keys and signatures are Node's, and each accepts the other's", () => {
  fc.assert(
    fc.property(seeds, messages, (seed, message) => {
      const key = nodePrivateKey(seed);
      const publicKey = publicKeyOf(seed);
      assert.deepEqual(publicKey, new Uint8Array(nodeKeyBytes(seed)));
      const signature = signatureOf(seed, publicKey, message)!;
      assert.equal(toHex(signature), sign(null, message, key).toString("hex"));
      assert.equal(accepts(publicKey, message, signature), true);
    }),
    { numRuns: 40 },
  );
});

test("one bit changed anywhere, and it is refused", () => {
  fc.assert(
    fc.property(seeds, messages, fc.nat(), (seed, message, place) => {
      const publicKey = nodeKeyBytes(seed);
      const signature = sign(null, message, nodePrivateKey(seed));
      const parts = Buffer.concat([publicKey, signature, message]);
      const bit = place % (parts.length * 8);
      parts[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(accepts(parts.subarray(0, 32), parts.subarray(96), parts.subarray(32, 96)), false);
    }),
    { numRuns: 100 },
  );
});

const SEED = fromHex(VECTORS[0]![0]);
const PUBLIC_KEY = fromHex(VECTORS[0]![1]);
const MESSAGE = new TextEncoder().encode("a manifest");

/** The secret scalar of a seed, section 5.1.5. */
function secretOf(seed: Uint8Array): bigint {
  const hash = createHash("sha512").update(seed).digest().subarray(0, 32);
  return (fromLittleEndian(hash) & (2n ** 254n - 8n)) | (2n ** 254n);
}

const withS = (signature: Uint8Array, s: bigint) =>
  Buffer.concat([signature.subarray(0, 32), littleEndian(s)]);

test("S is below L: no other S of the same rest is accepted", () => {
  const signature = signatureOf(SEED, PUBLIC_KEY, MESSAGE)!;
  const s = fromLittleEndian(signature.subarray(32));

  assert.equal(accepts(PUBLIC_KEY, MESSAGE, signature), true);
  for (let other = s + L; other < 2n ** 256n; other += L) {
    assert.equal(accepts(PUBLIC_KEY, MESSAGE, withS(signature, other)), false, `S + ${(other - s) / L} L`);
  }
});

/** A message for which k is a multiple of 8, so that a key's part of small order plays no role. */
function messageFor(r: Uint8Array, publicKey: Uint8Array, remainder = 0n): Uint8Array {
  for (let number = 0; ; number++) {
    const message = Buffer.from(`message ${number}`);
    if (challenge(r, publicKey, message) % 8n === remainder) return message;
  }
}

test("a key of small order is refused, although the equation holds", () => {
  const r = encode(multiply(77n, BASE));
  for (const point of smallOrderPoints()) {
    const key = encode(point);
    const message = messageFor(r, key);
    const right = add(multiply(77n, BASE), multiply(challenge(r, key, message), point));

    assert.equal(toHex(encode(right)), toHex(encode(multiply(77n, BASE))), "the equation holds");
    assert.equal(accepts(key, message, Buffer.concat([r, littleEndian(77n)])), false, toHex(key));
  }
});

test("a key that is not encoded canonically is refused", () => {
  const r = encode(multiply(77n, BASE));
  const sign = 1n << 255n;
  for (const y of [P, P + 1n, P | sign, (P + 1n) | sign, 1n | sign, (P - 1n) | sign]) {
    const key = littleEndian(y);
    assert.equal(accepts(key, messageFor(r, key), Buffer.concat([r, littleEndian(77n)])), false, toHex(key));
  }
});

test("R has one encoding: others of the same point are refused", () => {
  const secret = secretOf(SEED);
  const forge = (r: Uint8Array) =>
    Buffer.concat([r, littleEndian((challenge(r, PUBLIC_KEY, MESSAGE) * secret) % L)]);
  const sign = 1n << 255n;

  assert.equal(
    accepts(PUBLIC_KEY, MESSAGE, forge(encode(NEUTRAL))),
    true,
    "r = 0 is a signer's own business",
  );
  for (const y of [1n | sign, P + 1n, (P + 1n) | sign]) {
    assert.equal(accepts(PUBLIC_KEY, MESSAGE, forge(littleEndian(y))), false, y.toString(16));
  }
});

test("the equation is that without the cofactor", () => {
  const secret = secretOf(SEED);
  const torsion = smallOrderPoints()[1]!;
  const r = encode(add(multiply(77n, BASE), torsion));
  const s = (77n + challenge(r, PUBLIC_KEY, MESSAGE) * secret) % L;
  assert.equal(accepts(PUBLIC_KEY, MESSAGE, Buffer.concat([r, littleEndian(s)])), false);

  // The same of a key with a part of small order: it counts unless k takes it away.
  const mixedKey = encode(add(multiply(secret, BASE), torsion));
  const plainR = encode(multiply(77n, BASE));
  for (const remainder of [0n, 1n, 4n]) {
    const message = messageFor(plainR, mixedKey, remainder);
    const mixedS = (77n + challenge(plainR, mixedKey, message) * secret) % L;
    const signature = Buffer.concat([plainR, littleEndian(mixedS)]);
    assert.equal(accepts(mixedKey, message, signature), remainder === 0n, `k = ${remainder} modulo 8`);
  }
});

test("a key that is no point is refused, also for the R that would come out of calculating with it", () => {
  const noPoint = littleEndian(2n);
  publicKeyOf(SEED); // leaves zeros where a decoded point would be: then all that is calculated is zeros

  assert.equal(accepts(noPoint, MESSAGE, new Uint8Array(64)), false);
  assert.equal(accepts(noPoint, MESSAGE, signatureOf(SEED, PUBLIC_KEY, MESSAGE)!), false);
});

test("nothing is signed with another's public key", () => {
  const other = publicKeyOf(fromHex(VECTORS[1]![0]));

  assert.equal(signatureOf(SEED, other, MESSAGE), undefined);
});

test("after signing no secret is left in the compartment's own memory", () => {
  const hash = createHash("sha512").update(SEED).digest();
  const nonce = createHash("sha512").update(hash.subarray(32)).update(MESSAGE).digest();
  const r = littleEndian(fromLittleEndian(nonce) % L);
  const secrets = [SEED, hash.subarray(8, 24), hash.subarray(32), nonce, r];

  for (const use of [() => signatureOf(SEED, PUBLIC_KEY, MESSAGE), () => publicKeyOf(SEED)]) {
    use();
    const statics = Buffer.from(bytesAt(COMPARTMENT_STATICS_PTR, STATICS_SIZE));
    for (const secret of secrets) {
      for (let at = 0; at + 8 <= secret.length; at += 8) {
        const word = Buffer.from(secret.subarray(at, at + 8));
        assert.equal(statics.indexOf(word), -1);
        assert.equal(statics.indexOf(word.reverse()), -1, "as a word of the message schedule");
      }
    }
  }
});
