// What the verifier accepts, and that it refuses everything else with the cause.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as abi from "../../abi/attestation.ts";
import * as evidence from "../../tests/drivers/evidence.ts";
import { CborMap, type CborValue } from "./cbor.ts";
import { encodeCbor } from "./cbor-encode.ts";
import { HEADER_ALG, HEADER_KID, keyThumbprint, negative } from "./cose-sign1.ts";
import { type Claims, type Expected, parsePolicy, verifyEvidence } from "./index.ts";

const { FIELDS, filled } = evidence;
const device = evidence.signerOf(filled(1));
const other = evidence.signerOf(filled(2));
const expected: Expected = { deviceKey: device.publicKey, nonce: FIELDS.nonce, guest: FIELDS.guest };
const good = evidence.evidenceOf(device, FIELDS);

function codeOf(bytes: Uint8Array, changes: Partial<Expected> = {}): string {
  const verdict = verifyEvidence(bytes, { ...expected, ...changes });
  if (verdict.isAccepted) return "accepted";
  assert.notEqual(verdict.reason, "");
  return verdict.code;
}

test("the answer to the question is accepted, with what it says", () => {
  const verdict = verifyEvidence(good, expected);

  assert.deepEqual(verdict, {
    isAccepted: true,
    claims: {
      nonce: "11".repeat(32),
      device: "22".repeat(32),
      verifiedBoot: true,
      debug: "disabled-since-boot",
      guest: "33".repeat(32),
      violations: 0n,
      lockedDown: true,
      packageVersion: 7n,
      components: {
        tee: { name: "optee-4.5", version: "4.5.0", measurement: "66".repeat(32) },
        monitor: { name: "vTZ", measurement: "44".repeat(32) },
        hypervisor: { name: "Xen", measurement: "55".repeat(32) },
      },
    } satisfies Claims,
  });
});

test("a bit of any byte changed: never accepted", () => {
  for (let at = 0; at < good.length; at++) {
    const changed = good.slice();
    changed[at] = changed[at]! ^ (1 << (at % 8));
    assert.notEqual(codeOf(changed), "accepted", `byte ${at}`);
  }
});

test("cut off anywhere, or with more behind it: not-cbor", () => {
  for (let size = 0; size < good.length; size++) assert.equal(codeOf(good.subarray(0, size)), "not-cbor");
  assert.equal(codeOf(Uint8Array.of(...good, 0)), "not-cbor");
});

test("another device's, and another device's under this one's name", () => {
  assert.equal(codeOf(evidence.evidenceOf(other, FIELDS)), "wrong-key");

  const payload = encodeCbor(new CborMap(evidence.claimEntries(FIELDS)));
  const forged = evidence.signed(other, payload, evidence.headerOf(device));
  assert.equal(codeOf(forged), "signature");
});

test("a payload under the signature of another one", () => {
  const changed = evidence.evidenceOf(device, { ...FIELDS, violations: 1n });
  const spliced = Uint8Array.of(...changed.subarray(0, -64), ...good.subarray(-64));

  assert.equal(codeOf(spliced), "signature");
});

test("an answer to another question is a replay", () => {
  assert.equal(codeOf(good, { nonce: filled(0x12) }), "nonce");
  assert.equal(codeOf(good, { nonce: FIELDS.nonce.subarray(1) }), "nonce");
});

test("evidence about another guest", () => {
  assert.equal(codeOf(good, { guest: filled(0x34) }), "guest");

  const { guest: _, ...anyGuest } = expected;
  assert.equal(verifyEvidence(good, anyGuest).isAccepted, true);
});

test("evidence of before lockdown", () => {
  assert.equal(codeOf(evidence.evidenceOf(device, { ...FIELDS, lockedDown: false })), "not-locked-down");
});

test("a token of another profile, and one without", () => {
  const key = BigInt(abi.EAT_PROFILE_CLAIM);
  assert.equal(codeOf(withClaim(key, "urn:ietf:rfc:rfc9711")), "profile");
  assert.equal(codeOf(withClaim(key, undefined)), "profile");
});

test("headers of the profile: the key is named, in the protected header, and nothing else is asked", () => {
  const payload = encodeCbor(new CborMap(evidence.claimEntries(FIELDS)));
  const kid = keyThumbprint(device.publicKey);
  const alg = evidence.headerOf(device).get(HEADER_ALG);
  const without = new CborMap([[HEADER_ALG, alg]]);
  const unprotected = new CborMap([[HEADER_KID, kid]]);

  assert.equal(codeOf(evidence.signed(device, payload, without, unprotected)), "not-cose");
  assert.equal(codeOf(evidence.signed(device, payload, new CborMap([[HEADER_KID, kid]]))), "wrong-algorithm");
});

for (const [key, value] of evidence.claimEntries(FIELDS)) {
  if (key === BigInt(abi.EAT_PROFILE_CLAIM)) continue;
  test(`claim ${key} is there, and of its type`, () => {
    assert.equal(codeOf(withClaim(key as bigint, undefined)), "claims");
    for (const wrong of ["text", -1n, null, 1.5, [], new CborMap([])]) {
      if (typeof wrong !== typeof value || value instanceof CborMap)
        assert.equal(codeOf(withClaim(key as bigint, wrong)), "claims");
    }
  });
}

const WRONG_VALUES: [what: string, key: bigint, value: CborValue][] = [
  ["a nonce of 7 bytes", BigInt(abi.EAT_NONCE), filled(1, 7)],
  ["a nonce of 65 bytes", BigInt(abi.EAT_NONCE), filled(1, 65)],
  ["several nonces", BigInt(abi.EAT_NONCE), [filled(1), filled(2)]],
  ["a UEID of another type", BigInt(abi.EAT_UEID), filled(2, 33)],
  ["a shorter UEID", BigInt(abi.EAT_UEID), filled(1, 17)],
  ["a debug status that is none", BigInt(abi.EAT_DBGSTAT), BigInt(abi.DBGSTAT_MAX + 1)],
  ["a negative debug status", BigInt(abi.EAT_DBGSTAT), -1n],
  ["a guest's identity of 31 bytes", negative(abi.EAT_GUEST_ARGUMENT), filled(1, 31)],
  ["a negative number of violations", negative(abi.EAT_VIOLATIONS_ARGUMENT), -1n],
  ["lockdown as a number", negative(abi.EAT_LOCKDOWN_ARGUMENT), 1n],
];

for (const [what, key, value] of WRONG_VALUES) {
  test(`${what}: claims`, () => assert.equal(codeOf(withClaim(key, value)), "claims"));
}

const NAME = BigInt(abi.EAT_SWNAME);
const MEASUREMENTS = BigInt(abi.EAT_MEASUREMENTS);
const coswidOf = (label: string, digest: Uint8Array) => encodeCbor(evidence.coswid(label, "x", digest));
const format = BigInt(abi.CONTENT_FORMAT_COSWID);

const WRONG_COMPONENTS: [what: string, key: bigint, value: CborValue, code: string][] = [
  ["no name", NAME, undefined, "claims"],
  ["an empty name", NAME, "", "claims"],
  ["no measurement", MEASUREMENTS, undefined, "claims"],
  ["no format", MEASUREMENTS, [], "claims"],
  ["another format", MEASUREMENTS, [[60n, coswidOf("tee", filled(1))]], "claims"],
  [
    "a CoSWID that is not wrapped",
    MEASUREMENTS,
    [[format, evidence.coswid("tee", "x", filled(1))]],
    "claims",
  ],
  ["two CoSWIDs", MEASUREMENTS, Array(2).fill([format, coswidOf("tee", filled(1))]), "claims"],
  ["another component's CoSWID", MEASUREMENTS, [[format, coswidOf("monitor", filled(1))]], "claims"],
  ["a digest of 31 bytes", MEASUREMENTS, [[format, coswidOf("tee", filled(1, 31))]], "claims"],
  ["a CoSWID that is none", MEASUREMENTS, [[format, encodeCbor(1n)]], "claims"],
  ["a CoSWID in another encoding", MEASUREMENTS, [[format, filled(0xff, 3)]], "not-cbor"],
  ["a version that is no array", BigInt(abi.EAT_SWVERSION), "4.5.0", "claims"],
];

for (const [what, key, value, code] of WRONG_COMPONENTS) {
  test(`a TEE with ${what}: ${code}`, () => {
    const submods = claimOf(BigInt(abi.EAT_SUBMODS)) as CborMap;
    const tee = replaced((submods.get("tee") as CborMap).entries, key, value);
    const changed = replaced(submods.entries, "tee", tee);
    assert.equal(codeOf(withClaim(BigInt(abi.EAT_SUBMODS), changed)), code);
  });
}

test("each submodule must be there", () => {
  const submods = claimOf(BigInt(abi.EAT_SUBMODS)) as CborMap;
  for (const label of ["tee", "monitor", "hypervisor"]) {
    const less = replaced(submods.entries, label, undefined);
    assert.equal(codeOf(withClaim(BigInt(abi.EAT_SUBMODS), less)), "claims");
  }
});

test("a claim that the profile does not know is ignored; one that stands twice is not", () => {
  const payload = encodeCbor(new CborMap(evidence.claimEntries(FIELDS)));
  const last = negative(abi.EAT_PACKAGE_VERSION_ARGUMENT);
  const doubled = Uint8Array.of(payload[0]! + 1, ...payload.subarray(1), ...encodeCbor(last), 9);

  assert.equal(codeOf(withClaim(70000n, "whatever")), "accepted");
  assert.equal(codeOf(evidence.signed(device, doubled)), "not-cbor");
});

test("a payload that is signed but not deterministic, and one that is no claims set", () => {
  const payload = encodeCbor(new CborMap(evidence.claimEntries(FIELDS)));
  const open = Uint8Array.of(0xbf, ...payload.subarray(1), 0xff);

  assert.equal(codeOf(evidence.signed(device, open)), "not-cbor");
  assert.equal(codeOf(evidence.signed(device, encodeCbor([]))), "claims");
});

test("the policy is asked last, and names the rule", () => {
  const policy = parsePolicy('{ "maxViolations": 0 }');
  const violated = { ...FIELDS, violations: 1n };

  assert.equal(codeOf(good, { policy }), "accepted");
  assert.equal(codeOf(evidence.evidenceOf(device, violated), { policy }), "policy:maxViolations");
  assert.equal(codeOf(evidence.evidenceOf(device, violated), { policy, nonce: filled(9) }), "nonce");
});

test("a key that cannot be one is the caller's mistake", () => {
  assert.throws(() => verifyEvidence(good, { ...expected, deviceKey: filled(1, 31) }), RangeError);
});

function claimOf(key: bigint): CborValue {
  return evidence.claimEntries(FIELDS).find(([candidate]) => candidate === key)?.[1];
}

/** Signed by the device, with this claim instead of its own; undefined: without it. */
function withClaim(key: bigint, value: CborValue): Uint8Array {
  return evidence.signed(device, encodeCbor(replaced(evidence.claimEntries(FIELDS), key, value)));
}

function replaced(
  entries: readonly (readonly [CborValue, CborValue])[],
  key: CborValue,
  value: CborValue,
): CborMap {
  const others = entries.filter(([candidate]) => candidate !== key);
  return new CborMap(value === undefined ? others : [...others, [key, value]]);
}
