// docs/attestation.md has the numbers and words of abi/attestation.ts, and its policy is one that evidence can meet.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as abi from "../../abi/attestation.ts";
import * as evidence from "../../tests/drivers/evidence.ts";
import type { CborMap, CborValue } from "./cbor.ts";
import { parsePolicy, verifyEvidence } from "./index.ts";

const { FIELDS, filled } = evidence;
const text = readFileSync(new URL("../../docs/attestation.md", import.meta.url), "utf8");
const block = (language: string) => new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)![1]!;

/** The keys of the map that stands under this name, its inner maps left out. */
function keysOf(rule: string): string[] {
  const body = new RegExp(`^${rule} = \\{\n([^]*?)^\\}`, "m").exec(block("cddl"))![1]!;
  return [...body.matchAll(/^ {2}(?:\? )?(-?\d+) =>/gm)].map((match) => match[1]!);
}

const keys = (map: readonly (readonly [CborValue, CborValue])[]) => map.map(([key]) => String(key));

test("the claims are those of the CDDL, in its order", () => {
  const claims = evidence.claimEntries(FIELDS);
  const submods = claims.find(([key]) => key === BigInt(abi.EAT_SUBMODS))![1] as CborMap;

  assert.deepEqual(keysOf("claims"), keys(claims));
  assert.deepEqual(keysOf("component"), keys((submods.get("tee") as CborMap).entries));
  assert.deepEqual(keysOf("coswid"), keys(evidence.coswid("tee", "x", filled(0)).entries));
  assert.ok(block("cddl").includes(`"${abi.EAT_PROFILE}"`));
});

test("the policy is one, and the evidence of the tests meets it", () => {
  const device = evidence.signerOf(filled(1));
  const policy = parsePolicy(block("json"));

  const bytes = evidence.evidenceOf(device, FIELDS);
  assert.ok(verifyEvidence(bytes, { deviceKey: device.publicKey, nonce: FIELDS.nonce, policy }).isAccepted);
});
