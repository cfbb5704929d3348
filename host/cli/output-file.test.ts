import assert from "node:assert/strict";
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkOutput, isSameFile, readInput, writeOutput } from "./output-file.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-output-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

test("what is not a file is written to and stays what it is", async () => {
  await writeOutput("/dev/null", "gone");

  assert(statSync("/dev/null").isCharacterDevice());
  await assert.rejects(writeOutput("/dev/full", "x"), { code: "disk-full" });
  assert(statSync("/dev/full").isCharacterDevice());
});

test("a link stays a link, and a file keeps its mode", async () => {
  writeFileSync(at("target"), "old", { mode: 0o600 });
  symlinkSync("target", at("link"));

  await writeOutput(at("link"), "new");

  assert(lstatSync(at("link")).isSymbolicLink());
  assert.equal(readFileSync(at("target"), "utf8"), "new");
  assert.equal(statSync(at("target")).mode & 0o777, 0o600);
});

test("no name, a folder, and a folder that is not there are refused in words, and nothing is left", async () => {
  const before = readdirSync(folder);
  await assert.rejects(checkOutput(""), { code: "usage" });
  await assert.rejects(writeOutput(folder, "x"), { code: "usage" });
  await assert.rejects(writeOutput(at("none/file"), "x"), { code: "no-folder" });
  assert.deepEqual(readdirSync(folder), before);
});

test("a device is no input, and a link to a file is that file", async () => {
  await assert.rejects(readInput("/dev/zero"), { code: "no-file" });
  await assert.rejects(readInput(at("none")), { code: "no-file" });
  assert(await isSameFile(at("link"), at("target")));
  assert(!(await isSameFile(at("link"), at("none"))));
});
