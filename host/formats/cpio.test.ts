// cpio(1) is the oracle.

import assert from "node:assert/strict";
import { lstat, mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { type CpioEntry, encodeCpio } from "./cpio.ts";

const entries: CpioEntry[] = [
  { path: "folder", kind: "folder", mode: 0o755 },
  { path: "folder/file", kind: "file", mode: 0o640, data: Buffer.from("contents\n") },
  { path: "folder/odd", kind: "file", mode: 0o755, data: Buffer.of(1, 2, 3, 4, 5) },
  { path: "folder/empty", kind: "file", mode: 0o600 },
  { path: "link", kind: "link", mode: 0o777, data: Buffer.from("folder/file") },
];

test("cpio unpacks what was encoded, with kinds, permissions and contents", async () => {
  const folder = await mkdtemp(join(tmpdir(), "vtz-cpio-"));

  await execa("cpio", ["-i", "-d", "--quiet"], { cwd: folder, input: encodeCpio(entries) });

  assert.equal(await readFile(join(folder, "folder/file"), "utf8"), "contents\n");
  assert.deepEqual([...(await readFile(join(folder, "folder/odd")))], [1, 2, 3, 4, 5]);
  assert.equal((await lstat(join(folder, "folder/empty"))).size, 0);
  assert.equal((await lstat(join(folder, "folder/file"))).mode & 0o7777, 0o640);
  assert.equal((await lstat(join(folder, "folder"))).isDirectory(), true);
  assert.equal(await readlink(join(folder, "link")), "folder/file");
  await rm(folder, { recursive: true });
});

test("cpio lists a character device with its numbers", async () => {
  const device: CpioEntry = {
    path: "console",
    kind: "character-device",
    mode: 0o600,
    device: { major: 5, minor: 1 },
  };

  const { stdout } = await execa("cpio", ["-tv", "--quiet"], { input: encodeCpio([device]) });

  assert.match(stdout, /^crw-------.* 5, +1 .* console$/);
});

test("the same entries give the same bytes, a multiple of four", () => {
  const bytes = encodeCpio(entries);
  assert.ok(Buffer.from(bytes).equals(encodeCpio(entries)));
  assert.equal(bytes.length % 4, 0);
});
