import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "./make-folder.ts";

test("what is missing above is made too, and again is no error", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "vtz-folder-"));
  t.after(() => rm(root, { recursive: true }));
  await makeFolder(join(root, "a", "b"));
  await makeFolder(join(root, "a", "b"));
  assert((await stat(join(root, "a", "b"))).isDirectory());
});

test("a file system that makes none is an error, not a loop", { timeout: 10_000 }, async () => {
  await assert.rejects(makeFolder("/proc/vtz/evidence"), { code: "ENOENT" });
});
