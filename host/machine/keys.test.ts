// Keys that sign what boots.

import assert from "node:assert/strict";
import { sign, verify } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findKey, keyNames, keyPath, keysFolder, makeKey, publicKeyObject, readKey } from "./keys.ts";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "vtz-keys-"));
  Object.assign(process.env, { VTZ_STATE: folder });
});

after(() => {
  Object.assign(process.env, { VTZ_STATE: "" });
  rmSync(folder, { recursive: true, force: true });
});

test("a key signs, and its public half, as 32 bytes, verifies", async () => {
  const { privateKey, publicKey } = await makeKey("signer");
  const message = Buffer.from("what boots");

  const signature = sign(null, message, privateKey);

  assert.equal(publicKey.length, 32);
  assert(verify(null, message, publicKeyObject(publicKey), signature));
  assert.deepEqual((await readKey("signer")).publicKey, publicKey);
});

test("a key is for its owner's eyes, and never replaced", async () => {
  await makeKey("release");
  const path = keyPath("release");
  const before = readFileSync(path);

  await assert.rejects(makeKey("release"), /keys are not replaced/);

  assert.deepEqual(readFileSync(path), before);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert(readdirSync(keysFolder()).every((name) => name.endsWith(".pem")));
});

test("the development key is made when it is first used, once, also when two use it at once", async () => {
  const found = await Promise.all([findKey(), findKey(), findKey()]);

  assert.equal(new Set(found.map(({ publicKey }) => Buffer.from(publicKey).toString("hex"))).size, 1);
  assert((await keyNames()).includes("development"));
});

test("a key that is missing, damaged or of another name is said so", async () => {
  await assert.rejects(findKey("nobody"), /there is no key “nobody”/);
  await assert.rejects(makeKey("../escape"), /cannot be a key's name/);
  writeFileSync(keyPath("broken"), "-----BEGIN PRIVATE KEY-----\n");
  await assert.rejects(readKey("broken"), /holds no Ed25519 key/);
});
