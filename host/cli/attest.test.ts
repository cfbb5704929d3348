// vtz attest as a user types it, as far as no machine has to run.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import { projectFolder } from "../paths.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-attest-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const NONCE = "5a".repeat(32);

const MISTAKES: [what: string, words: string[], complaint: RegExp][] = [
  ["no nonce", [], /nonce/i],
  ["a nonce that is too short", ["--nonce", NONCE.slice(2)], /not 32 bytes in hexadecimal/],
  ["a nonce that is too long", ["--nonce", `${NONCE}00`], /not 32 bytes in hexadecimal/],
  ["a nonce of other digits", ["--nonce", NONCE.replace("a", "g")], /not 32 bytes in hexadecimal/],
  ["a place that does not exist", ["--nonce", NONCE, "-o", "none/e.cbor"], /there is no folder none/],
  ["a machine that does not run", ["--nonce", NONCE], /machine “lab” does not run/],
];

for (const [what, words, complaint] of MISTAKES)
  test(`${what} is said in words, and no file is written`, async () => {
    const { exitCode, stderr } = await execa(
      join(projectFolder, "vtz"),
      ["attest", "web", "-m", "lab", ...words],
      { reject: false, cwd: folder, env: { VTZ_STATE: join(folder, "state") } },
    );

    assert.equal(exitCode, 2);
    assert.match(stderr, complaint);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name !== "state"),
      [],
    );
  });
