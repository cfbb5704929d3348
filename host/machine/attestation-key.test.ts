// The compartment that ships is the oracle.

import assert from "node:assert/strict";
import { test } from "node:test";
import { anAttestLab } from "../../tests/drivers/attest.ts";
import { filled } from "../../tests/drivers/evidence.ts";
import { parseDeviceKey } from "../attest/index.ts";
import { attestationKeyPem } from "./attestation-key.ts";

const ONE = { secret: filled(1), identity: filled(2) };

for (const [what, device] of [
  ["one device", ONE],
  ["a device with another secret", { ...ONE, secret: filled(3) }],
  ["a device with another identity", { ...ONE, identity: filled(3) }],
] as const)
  test(`the key of ${what} is the one with which its attestation compartment signs`, async () => {
    const lab = await anAttestLab();
    lab.start(device);

    const key = parseDeviceKey(attestationKeyPem(device));

    assert.deepEqual(key, lab.publicKey());
  });
