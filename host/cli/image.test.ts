// `vtz keys`, `vtz fuse` and `vtz image --show` as a user runs them, on packages of a few kilobytes.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { execa } from "execa";
import { aSignedPackage } from "../../tests/drivers/packages.ts";
import { ramContents } from "../../tests/machine/boot-images.ts";
import { parseDeviceKey } from "../attest/index.ts";
import { findOrMakeDevice } from "../machine/device.ts";
import { makeKey } from "../machine/keys.ts";
import { projectFolder } from "../paths.ts";

let folder: string;
let image: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "vtz-image-cli-"));
  Object.assign(process.env, { VTZ_STATE: folder });
  image = join(folder, "release");
  const key = await makeKey("release");
  mkdirSync(image);
  writeFileSync(join(image, "boot-package.bin"), aSignedPackage({}, key));
});

beforeEach(() => {
  const names = ["hypervisor.bin", "dom0-kernel.bin", "dom0-initrd.bin", "machine.dtb"];
  const contents = [...ramContents().values()];
  for (const [index, name] of names.entries()) writeFileSync(join(image, name), contents[index]!);
});

after(() => {
  Object.assign(process.env, { VTZ_STATE: "" });
  rmSync(folder, { recursive: true, force: true });
});

const vtz = (...words: string[]) =>
  execa(join(projectFolder, "vtz"), words, { reject: false, cwd: folder, env: { VTZ_STATE: folder } });

test("a key is made once, listed, and its public half shown", async () => {
  const made = await vtz("keys", "make", "second");
  const again = await vtz("keys", "make", "second");

  assert.match(made.stdout, /^[0-9a-f]{64}$/);
  assert.equal((await vtz("keys", "show", "second")).stdout, made.stdout);
  assert.equal(again.exitCode, 2);
  assert.match(again.stderr, /^vtz: there is a key “second” already/);
  assert.match((await vtz("keys")).stdout, new RegExp(`^second +${made.stdout}$`, "m"));
});

test("a machine's key for its evidence is a PEM file, or JSON with the device's identity", async () => {
  const { identity } = await findOrMakeDevice("lab", new Uint8Array(32));

  const pem = await vtz("keys", "device", "--machine", "lab");
  const json = await vtz("keys", "device", "-m", "lab", "--json");

  const publicKey = Buffer.from(parseDeviceKey(pem.stdout)!).toString("hex");
  const expected = { machine: "lab", identity: Buffer.from(identity).toString("hex"), publicKey };
  assert.deepEqual(JSON.parse(json.stdout), expected);
});

test("what keys are asked for wrongly is said in a line and a hint", async () => {
  for (const [words, complaint] of [
    [["burn"], /no action “burn”/],
    [["make"], /which key to make/],
    [["show", "nobody"], /there is no key “nobody”/],
    [["device", "--machine", "nobody"], /machine “nobody” has no fuses yet/],
  ] as const) {
    const { exitCode, stderr } = await vtz("keys", ...words);
    assert.equal(exitCode, 2);
    assert.match(stderr, complaint);
    assert.equal(stderr.split("\n").length, 2);
  }
});

test("an image shows its manifest and is verified, package and files", async () => {
  const { stdout, exitCode } = await vtz("image", "--show", "release", "--key", "release");

  assert.equal(exitCode, 0);
  assert.match(stdout, /^release: boot package of version 5, for 2 cores and 1024 MiB$/m);
  assert.match(stdout, /^hypervisor +1 +0x48000000 +4080 +[0-9a-f]{64}$/m);
  assert.match(stdout, /^verified: a machine with this key takes it$/m);
});

test("of another key, too old, or with a changed file it is refused, with the reason", async () => {
  const key = ["--key", "release"];
  const refusal = async (...words: string[]) => {
    const { stdout, exitCode } = await vtz("image", "--show", "release", ...words);
    return [
      exitCode,
      stdout
        .split("\n")
        .at(-1)!
        .replace(/ \(.*\)/, ""),
    ];
  };

  const ofDevelopment = await refusal();
  const tooOld = await refusal(...key, "--minimum", "6");
  writeFileSync(join(image, "dom0-initrd.bin"), "another");
  const changed = await refusal(...key);

  assert.deepEqual(ofDevelopment, [
    1,
    "refused: the boot package is not signed with the machine's root key, or was changed afterwards",
  ]);
  assert.deepEqual(tooOld, [1, "refused: the boot package is older than the machine's minimum version"]);
  assert.deepEqual(changed, [1, "refused: dom0Initrd: an image is not the one that was signed"]);
});

test("a package by itself is shown too; what is none is refused in a line and a hint", async () => {
  const path = join(image, "boot-package.bin");
  const { stdout } = await vtz("image", "--show", path, "--key", "release", "--json");
  assert.equal(JSON.parse(stdout).images.length, 8);

  writeFileSync(join(folder, "cut.bin"), readFileSync(path).subarray(0, 5000));
  for (const [name, complaint] of [
    ["cut.bin", /boot package is cut off: 5000 of/],
    ["nothing.bin", /nothing.bin cannot be read/],
  ] as const) {
    const { exitCode, stderr } = await vtz("image", "--show", name);
    assert.equal(exitCode, 2);
    assert.match(stderr, complaint);
  }
});

test("nothing is built over what exists, and an image takes no options of its making", async () => {
  assert.match((await vtz("image", "release")).stderr, /release exists already/);
  assert.match(
    (await vtz("up", "--image", "release", "--cores", "4")).stderr,
    /--cores: an image that is made/,
  );
  assert.match((await vtz("image", "x", "--package-version", "-1")).stderr, /not a whole number from 0/);
});

test("a machine's fuses are shown without the secret; the minimum is raised and not lowered", async () => {
  assert.match((await vtz("fuse", "-m", "fused")).stderr, /has no fuses yet/);
  const { secret } = await findOrMakeDevice("fused", new Uint8Array(32).fill(7));

  const { stdout } = await vtz("fuse", "-m", "fused", "--minimum", "4", "--json");

  assert.equal(JSON.parse(stdout).minimumVersion, "4");
  assert.equal(JSON.parse(stdout).rootKey, "07".repeat(32));
  assert(!stdout.includes(Buffer.from(secret).toString("hex")));
  assert.match((await vtz("fuse", "-m", "fused", "--minimum", "3")).stderr, /a fuse is not taken back/);
});
