// `vtz harden` as a user runs it, on the smallest image that has a site.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import { projectFolder } from "../paths.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-harden-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const MSR_HCR_EL2_X3 = 0xd51c1103;
const SMC_HCR_EL2_X3 = 0xd4101c63;
const RET = 0xd65f03c0;

/** Header with a branch to byte 64, one instruction, RET. */
function writeImage(name: string, instruction: number): string {
  const image = Buffer.alloc(72);
  image.writeUInt32LE(0x14000010, 0);
  image.write("ARMd", 56);
  image.writeUInt32LE(instruction, 64);
  image.writeUInt32LE(RET, 68);
  const path = join(folder, name);
  writeFileSync(path, image);
  return path;
}

const harden = (...words: string[]) =>
  execa(join(projectFolder, "vtz"), ["harden", ...words], { reject: false, cwd: folder });

test("without -o the hardened image lies beside the other, which stays as it is", async () => {
  const path = writeImage("xen", MSR_HCR_EL2_X3);

  const { stdout, exitCode } = await harden("xen");

  assert.equal(exitCode, 0);
  assert.match(stdout, /^xen-hardened: 1 writes? of translation registers are calls of the monitor now/);
  assert.equal(readFileSync(`${path}-hardened`).readUInt32LE(64), SMC_HCR_EL2_X3);
  assert.equal(readFileSync(path).readUInt32LE(64), MSR_HCR_EL2_X3);
});

test("--json lists the sites and where the image went; a second run says that nothing was left to do", async () => {
  writeImage("xen", MSR_HCR_EL2_X3);

  const first = JSON.parse((await harden("xen", "-o", "one", "--json")).stdout);
  const second = JSON.parse((await harden("one", "-o", "two", "--json")).stdout);

  assert.deepEqual([first.output, first.wasHardened, first.sites.length], ["one", false, 1]);
  assert.deepEqual([second.output, second.wasHardened, second.sites], ["two", true, first.sites]);
});

test("a refused image is refused in one line and a hint, and nothing is written", async () => {
  writeImage("odd", 0xd51c2023); // msr TTBR1_EL2, x3

  const { stderr, exitCode } = await harden("odd");

  assert.equal(exitCode, 2);
  assert.match(stderr, /^vtz: odd: the image has `msr TTBR1_EL2, x3` at 0x40 .*no call$/m);
  assert.equal(stderr.split("\n").length, 2);
  assert.equal(existsSync(join(folder, "odd-hardened")), false);
});
