// Folders into a guest and out of it; the guest is a folder here, its shell this host's.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Carrier, isRemoteFolder, pullFolder, pushFolder } from "./folders.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-folders-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const host: Carrier = {
  run: async (_where, command) => execFileSync("sh", ["-c", command], { encoding: "utf8" }),
  async push(_where, from, to, mode = 0o644) {
    copyFileSync(from, to);
    chmodSync(to, mode);
  },
  pull: async (_where, from, to) => copyFileSync(from, to),
};

/** A folder with what folders have in them. */
function aFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, "a b", "empty"), { recursive: true });
  writeFileSync(join(path, "a b", "it's $HOME"), "x");
  chmodSync(join(path, "a b", "it's $HOME"), 0o755);
  writeFileSync(join(path, "-n"), "y");
  return path;
}

const listing = (path: string) =>
  execFileSync("find", [".", "-printf", "%P %y %m\\n"], { cwd: path, encoding: "utf8" }).split("\n").sort();

test("a folder arrives as it is: names, permissions, empty folders", async () => {
  const from = aFolder("from");
  await pushFolder(host, "guest1", from, join(folder, "to"));
  assert.deepEqual(listing(join(folder, "to")), listing(from));

  assert.equal(await pullFolder(host, "guest1", join(folder, "to"), join(folder, "back")), 0);
  assert.deepEqual(listing(join(folder, "back")), listing(from));
});

test("a link to a file is the file; what is neither is refused before anything is sent", async () => {
  const from = aFolder("links");
  symlinkSync("-n", join(from, "link"));
  await pushFolder(host, "guest1", from, join(folder, "followed"));
  assert(listing(join(folder, "followed")).some((line) => line.startsWith("link f")));

  symlinkSync("nowhere", join(from, "dangling"));
  await assert.rejects(pushFolder(host, "guest1", from, join(folder, "none")), /dangling is neither/);
  assert(!(await isRemoteFolder(host, "guest1", join(folder, "none"))));
});

test("what is left out of a guest's folder is counted", async () => {
  const from = aFolder("counted");
  symlinkSync("-n", join(from, "link"));
  assert(await isRemoteFolder(host, "guest1", from));
  assert.equal(await pullFolder(host, "guest1", from, join(folder, "counted-back")), 1);
});
