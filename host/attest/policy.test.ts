// Policies: what one may say, and that each of its rules refuses what it is there for.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as evidence from "../../tests/drivers/evidence.ts";
import { Challenges, type Claims, PolicyError, parsePolicy, verifyEvidence } from "./index.ts";
import { brokenRule } from "./policy.ts";

const device = evidence.signerOf(evidence.filled(1));
const hex = (value: number) => Buffer.from(evidence.filled(value)).toString("hex");

const RULES: [rule: string, met: unknown, broken: unknown][] = [
  ["devices", [hex(0x21), hex(0x22)], [hex(0x21)]],
  ["monitor", [hex(0x44)], [hex(0x45), hex(0x55)]],
  ["hypervisor", [hex(0x55).toUpperCase()], [hex(0x44)]],
  ["tee", [hex(0x66)], [hex(0x67)]],
  ["maxViolations", 2, 1],
  ["minPackageVersion", 7, 8],
  ["debug", ["disabled", "disabled-since-boot"], ["disabled-permanently"]],
];

for (const [rule, met, broken] of RULES) {
  test(`${rule}: what meets it passes, what does not is named`, () => {
    const claims = claimsOf({ violations: 2n });
    assert.equal(brokenRule(parsePolicy(JSON.stringify({ [rule]: met })), claims), undefined);
    assert.equal(brokenRule(parsePolicy(JSON.stringify({ [rule]: broken })), claims), rule);
  });
}

test("verifiedBoot: only evidence of a verified boot will do", () => {
  const policy = parsePolicy('{ "verifiedBoot": true }');

  assert.equal(brokenRule(policy, claimsOf({})), undefined);
  assert.equal(brokenRule(policy, claimsOf({ verifiedBoot: false })), "verifiedBoot");
});

test("all rules hold at once, and the first that is broken is named", () => {
  const policy = parsePolicy(JSON.stringify({ maxViolations: 0, minPackageVersion: 9 }));

  assert.equal(brokenRule(policy, claimsOf({})), "minPackageVersion");
  assert.equal(brokenRule(policy, claimsOf({ violations: 1n })), "maxViolations");
  assert.equal(brokenRule({}, claimsOf({ violations: 1n })), undefined);
});

const NO_POLICIES: [what: string, text: string, complaint: RegExp][] = [
  ["no JSON", "{ tee: [] }", /this is none/],
  ["a list", "[]", /an object/],
  ["null", "null", /an object/],
  ["an unknown word", '{ "tees": [] }', /“tees” is no rule; the rules are devices, monitor/],
  ["a word of the language", '{ "toString": 1 }', /“toString” is no rule/],
  ["an empty list", '{ "tee": [] }', /“tee” must be a list/],
  ["a digest that is cut off", '{ "tee": ["00"] }', /“tee” must be a list of 32 bytes/],
  ["a digest that is no list", `{ "tee": "${hex(0x66)}" }`, /“tee” must be a list/],
  ["a negative number", '{ "maxViolations": -1 }', /“maxViolations” must be a whole number/],
  ["a number in a text", '{ "minPackageVersion": "7" }', /must be a whole number/],
  ["a number that is not exact", '{ "minPackageVersion": 9007199254740993 }', /must be a whole number/],
  ["an unknown debug status", '{ "debug": ["off"] }', /“debug” must be a list of enabled, disabled/],
  ["verifiedBoot that asks for none", '{ "verifiedBoot": false }', /“verifiedBoot” must be true/],
];

for (const [what, text, complaint] of NO_POLICIES) {
  test(`${what} is no policy`, () => {
    assert.throws(
      () => parsePolicy(text),
      (error) => error instanceof PolicyError && complaint.test(error.message),
    );
  });
}

test("a challenge is good once and for its time", () => {
  const challenges = new Challenges(1000);
  const [first, second, third] = [challenges.issue(0), challenges.issue(0), challenges.issue(0)];

  assert.notDeepEqual(first, second);
  assert.equal(challenges.redeem(first, 1000), true);
  assert.equal(challenges.redeem(first, 1000), false);
  assert.equal(challenges.redeem(second, 1001), false);
  assert.equal(challenges.redeem(evidence.filled(1), 0), false);

  challenges.issue(1001);
  assert.equal(challenges.redeem(third, 0), false);
});

function claimsOf(changes: Partial<evidence.EvidenceFields>): Claims {
  const { FIELDS } = evidence;
  const bytes = evidence.evidenceOf(device, { ...FIELDS, ...changes });
  const verdict = verifyEvidence(bytes, { deviceKey: device.publicKey, nonce: FIELDS.nonce });
  assert.ok(verdict.isAccepted);
  return verdict.claims;
}
