// The attestation compartment's wasm: its evidence is that of docs/attestation.md, byte for byte, and the verifier
// accepts it; what the monitor must not ask is refused and changes nothing.

import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import * as abi from "../../abi/attest-compartment.ts";
import { verifyEvidence } from "../../host/attest/index.ts";
import { anAttestLab, recordOf } from "../drivers/attest.ts";
import { type EvidenceFields, evidenceOf, FIELDS, filled, signerOf } from "../drivers/evidence.ts";

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const DEVICE = { secret: SECRET, identity: FIELDS.device };
const hkdf = (secret: Uint8Array, identity: Uint8Array, info: Uint8Array) =>
  new Uint8Array(hkdfSync("sha256", secret, identity, info, 32));
const text = (words: string) => new TextEncoder().encode(words);
const signer = signerOf(hkdf(SECRET, FIELDS.device, text(abi.ATTEST_SIGNING_KEY_INFO)));

const lab = await anAttestLab();
lab.start(DEVICE);

test("the device's key is HKDF's, and its public half Ed25519's", () => {
  assert.deepEqual(lab.publicKey(), signer.publicKey);
});

test("evidence is accepted by the verifier, and says what the record says", () => {
  const bytes = lab.evidence(recordOf(FIELDS));

  const verdict = verifyEvidence(bytes, {
    deviceKey: lab.publicKey(),
    nonce: FIELDS.nonce,
    guest: FIELDS.guest,
  });
  assert.ok(verdict.isAccepted);
  assert.equal(verdict.claims.components.tee.measurement, "66".repeat(32));
});

const ascii = (maxLength: number, minLength = 0) =>
  fc
    .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength, maxLength })
    .map((codes) => String.fromCharCode(...codes));
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte !== 0));
const u64 = fc.oneof(
  fc.constantFrom(0n, 23n, 24n, 255n, 256n, 0xffffn, 0x10000n, 0xffffffffn, 0x100000000n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const anyFields: fc.Arbitrary<EvidenceFields> = fc.record({
  nonce: fc.uint8Array({ minLength: 8, maxLength: 64 }),
  device: fc.constant(FIELDS.device),
  verifiedBoot: fc.boolean(),
  debug: fc.nat({ max: 4 }),
  guest: digest,
  violations: u64,
  lockedDown: fc.constant(true),
  packageVersion: u64,
  monitor: digest,
  hypervisor: digest,
  tee: digest,
  teeName: ascii(abi.ATTEST_TEE_NAME_SIZE, 1),
  teeVersion: ascii(abi.ATTEST_TEE_VERSION_SIZE),
});

test("whatever a record says, evidence is the deterministic encoding of it, signed", () => {
  fc.assert(
    fc.property(anyFields, (fields) => {
      const bytes = lab.evidence(recordOf(fields));
      assert.deepEqual(Buffer.from(bytes), Buffer.from(evidenceOf(signer, fields)));
      assert.ok(verifyEvidence(bytes, { deviceKey: signer.publicKey, nonce: fields.nonce }).isAccepted);
    }),
    { numRuns: 60 },
  );
});

test("the largest record fits, and behind the evidence the message page is empty", () => {
  const largest = {
    ...FIELDS,
    nonce: filled(0xff, 64),
    violations: (1n << 64n) - 1n,
    packageVersion: (1n << 64n) - 1n,
    teeName: "n".repeat(abi.ATTEST_TEE_NAME_SIZE),
    teeVersion: "v".repeat(abi.ATTEST_TEE_VERSION_SIZE),
  };
  lab.lab.message.fill(0xa5);

  const bytes = lab.evidence(recordOf(largest));

  assert.deepEqual(Buffer.from(bytes), Buffer.from(evidenceOf(signer, largest)));
  assert.ok(bytes.length <= abi.ATTEST_EVIDENCE_SIZE_MAX, `${bytes.length} bytes`);
  assert.ok(lab.lab.message.subarray(bytes.length).every((byte) => byte === 0));
});

test("each byte of a record counts: another record is other evidence, or none", () => {
  const record = recordOf(FIELDS);
  const evidence = Buffer.from(lab.evidence(record));

  for (let at = 0; at < record.length; at++) {
    const changed = record.slice();
    changed[at] = changed[at]! ^ 1;
    const result = lab.call(abi.ATTEST_EVIDENCE, changed);
    const isOther = Buffer.compare(Buffer.from(lab.lab.message.slice(0, result)), evidence) !== 0;
    assert.ok(result >= abi.ATTEST_REFUSED_MIN || isOther, `byte 0x${at.toString(16)}`);
  }
});

const word = (at: number, value: number) => (record: Uint8Array) =>
  new DataView(record.buffer).setUint32(at, value, true);
const byte = (at: number, value: number) => (record: Uint8Array) => {
  record[at] = value;
};
const zeros32 = (at: number) => (record: Uint8Array) => {
  record.fill(0, at, at + 32);
};
const NAME_END = abi.ATTEST_RECORD_TEE_NAME + abi.ATTEST_TEE_NAME_SIZE - 1;

const REFUSED: [what: string, change: (record: Uint8Array) => void, result: number][] = [
  ["before lockdown", word(abi.ATTEST_RECORD_FLAGS, 2), abi.ATTEST_NOT_LOCKED_DOWN],
  ["a flag that nobody knows", word(abi.ATTEST_RECORD_FLAGS, 5), abi.ATTEST_BAD_RECORD],
  ["a debug status that is none", word(abi.ATTEST_RECORD_DEBUG, 5), abi.ATTEST_BAD_RECORD],
  ["a word that is not zero", word(abi.ATTEST_RECORD_ZERO, 1), abi.ATTEST_BAD_RECORD],
  ["a nonce of 7 bytes", word(abi.ATTEST_RECORD_NONCE_SIZE, 7), abi.ATTEST_BAD_NONCE],
  ["a nonce of 65 bytes", word(abi.ATTEST_RECORD_NONCE_SIZE, 65), abi.ATTEST_BAD_NONCE],
  ["a nonce that is longer than it says", word(abi.ATTEST_RECORD_NONCE_SIZE, 31), abi.ATTEST_BAD_NONCE],
  ["no guest", zeros32(abi.ATTEST_RECORD_GUEST), abi.ATTEST_NO_GUEST],
  ["a monitor that was not measured", zeros32(abi.ATTEST_RECORD_MONITOR), abi.ATTEST_NOT_MEASURED],
  ["a hypervisor that was not measured", zeros32(abi.ATTEST_RECORD_HYPERVISOR), abi.ATTEST_NOT_MEASURED],
  ["a TEE that was not measured", zeros32(abi.ATTEST_RECORD_TEE), abi.ATTEST_NOT_MEASURED],
  ["no name", byte(abi.ATTEST_RECORD_TEE_NAME, 0), abi.ATTEST_BAD_NAME],
  ["a name that is no ASCII", byte(abi.ATTEST_RECORD_TEE_NAME, 0x80), abi.ATTEST_BAD_NAME],
  ["a name with a control character", byte(abi.ATTEST_RECORD_TEE_NAME, 0x1f), abi.ATTEST_BAD_NAME],
  ["a name with DEL", byte(abi.ATTEST_RECORD_TEE_NAME, 0x7f), abi.ATTEST_BAD_NAME],
  ["a name with more behind its end", byte(NAME_END, 0x20), abi.ATTEST_BAD_NAME],
  ["a version that is no ASCII", byte(abi.ATTEST_RECORD_TEE_VERSION, 0xff), abi.ATTEST_BAD_NAME],
];

for (const [what, change, result] of REFUSED) {
  test(`no evidence of ${what}, and the message is as it was`, () => {
    const record = recordOf(FIELDS);
    change(record);

    assert.equal(lab.call(abi.ATTEST_EVIDENCE, record), result);
    assert.deepEqual(lab.lab.message.slice(0, record.length), record);
  });
}

test("a guest's key is HKDF's of device, identity and TEE: each of them counts", async () => {
  const other = await anAttestLab();
  other.start({ ...DEVICE, secret: filled(9) });
  const renamed = await anAttestLab();
  renamed.start({ ...DEVICE, identity: filled(9) });
  const [guest, tee] = [FIELDS.guest, FIELDS.tee];

  const info = Uint8Array.of(...text(abi.ATTEST_GUEST_KEY_INFO), ...guest, ...tee);
  assert.deepEqual(lab.guestKey(guest, tee), hkdf(SECRET, FIELDS.device, info));

  const keys = [
    lab.guestKey(guest, tee),
    lab.guestKey(filled(0x34), tee),
    lab.guestKey(guest, filled(0x67)),
    lab.guestKey(tee, guest),
    other.guestKey(guest, tee),
    renamed.guestKey(guest, tee),
  ].map((key) => Buffer.from(key).toString("hex"));
  assert.equal(new Set(keys).size, keys.length);
});

test("a guest that comes back finds its key, also after another start of the device", async () => {
  const again = await anAttestLab();
  again.start(DEVICE);
  lab.guestKey(filled(0x34), FIELDS.tee);

  assert.deepEqual(again.guestKey(FIELDS.guest, FIELDS.tee), lab.guestKey(FIELDS.guest, FIELDS.tee));
});

test("a guest without an identity has no key", () => {
  const message = Uint8Array.of(...filled(0), ...FIELDS.tee);

  assert.equal(lab.call(abi.ATTEST_GUEST_KEY, message), abi.ATTEST_NO_GUEST);
  assert.deepEqual(lab.lab.message.slice(0, 64), message);
});

test("the secret is nowhere once it has started, and a guest's key only where it is given", async () => {
  const { lab: inner } = await startedLab();
  const lives = (needle: Uint8Array) => Buffer.from(inner.memory).includes(Buffer.from(needle));
  assert.equal(lives(SECRET), false);
  assert.equal(lives(SECRET.subarray(0, 16)), false);

  const key = (await startedLab()).guestKey(FIELDS.guest, FIELDS.tee);
  inner.message.set(Uint8Array.of(...FIELDS.guest, ...FIELDS.tee));
  inner.exports.call(abi.ATTEST_GUEST_KEY, 0n, 0n, 0n);
  inner.message.fill(0, 0, key.length);
  assert.equal(lives(key), false);
  assert.ok(inner.message.every((byte) => byte === 0));
});

test("before it has started it does nothing; it starts once, and not with no secret", async () => {
  const fresh = await anAttestLab();
  const before = recordOf(FIELDS);
  for (const operation of [abi.ATTEST_PUBLIC_KEY, abi.ATTEST_GUEST_KEY, abi.ATTEST_EVIDENCE, 0])
    assert.equal(fresh.call(operation, before), abi.ATTEST_NOT_STARTED);
  assert.deepEqual(fresh.lab.message.slice(0, before.length), before);

  assert.equal(fresh.start({ ...DEVICE, secret: filled(0) }), abi.ATTEST_NO_SECRET);
  assert.equal(fresh.start(DEVICE), abi.ATTEST_OK);
  assert.equal(fresh.start({ ...DEVICE, secret: filled(9) }), abi.ATTEST_ALREADY_STARTED);
  assert.deepEqual(fresh.publicKey(), signer.publicKey);
});

test("there is no other operation", () => {
  for (const operation of [0, 5, 0xffffffff]) assert.equal(lab.call(operation), abi.ATTEST_NO_OPERATION);
});

async function startedLab() {
  const fresh = await anAttestLab();
  fresh.start(DEVICE);
  return fresh;
}
