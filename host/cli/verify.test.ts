// vtz verify: 0 for evidence that is accepted, 1 with the cause for what is refused, 2 for what the user can mend.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import * as evidence from "../../tests/drivers/evidence.ts";
import { parseDeviceKey } from "../attest/index.ts";
import { projectFolder } from "../paths.ts";

const { FIELDS, filled } = evidence;
const folder = mkdtempSync(join(tmpdir(), "vtz-verify-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const device = evidence.signerOf(filled(1));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return name;
};
const good = file("good.cbor", evidence.evidenceOf(device, FIELDS));
const key = file("key.hex", `${hex(device.publicKey)}\n`);
const nonce = hex(FIELDS.nonce);

test("evidence that is accepted is told, and exit code 0", async () => {
  const { exitCode, stdout } = await verify(
    good,
    "--nonce",
    nonce,
    "--device-key",
    key,
    "--guest",
    hex(FIELDS.guest),
  );

  assert.equal(exitCode, 0);
  assert.match(stdout, /^accepted\n/);
  assert.match(stdout, /TEE +(66){32} +optee-4\.5 4\.5\.0/);
});

test("as JSON the claims are values", async () => {
  const big = evidence.evidenceOf(device, { ...FIELDS, packageVersion: (1n << 64n) - 1n, violations: 3n });
  const { stdout } = await verify(file("big.cbor", big), "--nonce", nonce, "--device-key", key, "--json");

  const { isAccepted, claims } = JSON.parse(stdout);
  assert.equal(isAccepted, true);
  assert.deepEqual([claims.violations, claims.packageVersion], [3, "18446744073709551615"]);
});

test("what is refused is exit code 1 with the cause", async () => {
  const policy = file("strict.json", JSON.stringify({ tee: [hex(filled(9))] }));
  const options = ["--device-key", key, "--nonce", nonce];

  const replayed = await verify(good, "--device-key", key, "--nonce", "00".repeat(32));
  const wrongGuest = await verify(good, ...options, "--guest", "00".repeat(32), "--json");
  const wrongTee = await verify(good, ...options, "--policy", policy);

  assert.deepEqual([replayed.exitCode, wrongGuest.exitCode, wrongTee.exitCode], [1, 1, 1]);
  assert.match(replayed.stdout, /^refused: nonce: /);
  assert.equal(JSON.parse(wrongGuest.stdout).code, "guest");
  assert.match(wrongTee.stdout, /^refused: policy:tee: /);
});

const MISTAKES: [what: string, words: string[], complaint: RegExp][] = [
  ["no evidence", ["none.cbor", "--nonce", nonce, "--device-key", key], /none\.cbor cannot be read/],
  [
    "a nonce that is too short",
    [good, "--nonce", "00", "--device-key", key],
    /--nonce 00: not 8 to 64 bytes/,
  ],
  ["a nonce of half a byte", [good, "--nonce", `${nonce}0`, "--device-key", key], /not 8 to 64 bytes/],
  [
    "a guest that is none",
    [good, "--nonce", nonce, "--device-key", key, "--guest", "guest1"],
    /not 32 bytes/,
  ],
  ["a key that is none", [good, "--nonce", nonce, "--device-key", good], /is no Ed25519 public key/],
  [
    "a policy that is none",
    [good, "--nonce", nonce, "--device-key", key, "--policy", key],
    /key\.hex: a policy is/,
  ],
];

for (const [what, words, complaint] of MISTAKES) {
  test(`${what} is exit code 2`, async () => {
    const { exitCode, stderr } = await verify(...words);

    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, complaint);
  });
}

test("a key is taken from PEM and from hexadecimal digits, and no other kind of key", () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const pem = publicKey.export({ format: "pem", type: "spki" }) as string;
  const { x } = publicKey.export({ format: "jwk" });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;

  assert.equal(Buffer.from(parseDeviceKey(pem)!).toString("base64url"), x);
  assert.deepEqual(parseDeviceKey(`${hex(device.publicKey).toUpperCase()}\n`), device.publicKey);
  for (const text of ["", "00", p256.export({ format: "pem", type: "spki" }) as string, pem.slice(0, 60)])
    assert.equal(parseDeviceKey(text), undefined);
});

function verify(...words: string[]) {
  return execa(join(projectFolder, "vtz"), ["verify", ...words], {
    reject: false,
    stdin: "ignore",
    cwd: folder,
    timeout: 60_000,
  });
}
