// The rewriter on synthetic images whose instructions come from clang's assembler and are read back with
// llvm-objdump, and on Debian's Xen where it is in the cache.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import { cacheFolder } from "../paths.ts";
import { hardenXen } from "./harden.ts";
import { hardeningReport } from "./report.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-harden-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An arm64 Image around assembled code. */
function imageOf(assembly: string[]): Uint8Array {
  const source = join(folder, "code.S");
  const object = join(folder, "code.o");
  const flat = join(folder, "code.bin");
  writeFileSync(source, `${assembly.join("\n")}\n`);
  execFileSync("clang-19", ["--target=aarch64-none-elf", "-march=armv8.5-a", "-c", source, "-o", object]);
  execFileSync("llvm-objcopy-19", ["-O", "binary", object, flat]);
  return withHeader(readFileSync(flat));
}

function withHeader(code: Uint8Array): Uint8Array {
  const image = new Uint8Array(64 + code.length);
  image.set(new TextEncoder().encode("ARMd"), 56);
  image.set(code, 64);
  return image;
}

function disassemble(image: Uint8Array): string[] {
  const flat = join(folder, "out.bin");
  const object = join(folder, "out.o");
  writeFileSync(flat, image.subarray(64));
  execFileSync("llvm-objcopy-19", [
    ...["-I", "binary", "-O", "elf64-littleaarch64", "--rename-section=.data=.text,code", flat, object],
  ]);
  const text = execFileSync("llvm-objdump-19", ["-d", "--no-show-raw-insn", "--no-leading-addr", object], {
    encoding: "utf8",
  });
  return text
    .split("\n")
    .filter((line) => /^\s+[a-z]/.test(line))
    .map((line) => line.trim().replace(/\s+/g, " "));
}

for (const { register, index } of hardeningRules) {
  test(`msr ${register}, of any general register, becomes the call with index ${index}`, () => {
    const sources = ["x0", "x7", "x30", "xzr"];
    const { image, sites } = hardenXen(imageOf(sources.map((rt) => `msr ${register}, ${rt}`)));

    const numbers = [0, 7, 30, 31];
    const calls = numbers.map((rt) => `smc #0x${(0x8000 | (index << 5) | rt).toString(16)}`);
    assert.deepEqual(disassemble(image), calls);
    assert.deepEqual(
      sites.map((site) => [site.offset, site.register, site.rt]),
      numbers.map((rt, place) => [64 + place * 4, register, rt]),
    );
  });
}

test("what only looks like a site stays", () => {
  const near = [
    "mrs x0, TTBR0_EL2",
    "msr TTBR0_EL1, x0",
    "msr VTTBR_EL2, x1", // the one site, so that the image is accepted
    "msr CPTR_EL2, x0",
    "msr TPIDR_EL2, x0",
    "msr S3_4_C2_C0_1, x0", // TTBR1_EL2, which exists with VHE only
    "msr S3_5_C1_C1_0, x0",
    "msr daifset, #2",
    "smc #0",
    "hvc #0x80a0",
    "tlbi alle2",
    "eret",
  ];
  const image = imageOf(near);

  const { image: hardened, sites } = hardenXen(image);

  assert.equal(sites.length, 1);
  assert.deepEqual(changedWords(image, hardened), [64 + 2 * 4]);
});

test("a second run changes nothing and lists the same sites", () => {
  const once = hardenXen(imageOf(["msr HCR_EL2, x3", "nop", "msr TCR_EL2, x9", "isb"]));

  const twice = hardenXen(once.image);

  assert.deepEqual(twice.image, once.image);
  assert.deepEqual(twice.sites, once.sites);
  assert.deepEqual([once.wasHardened, twice.wasHardened], [false, true]);
});

test("random words: only listed sites change, and none that should change is left", () => {
  const site = fc
    .tuple(fc.constantFrom(...hardeningRules), fc.nat({ max: 31 }))
    .map(([{ register }, rt]) => hardenXen(imageOfWord(register, rt)).sites[0]!.original);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 0x7fffffff }), site), { minLength: 1 }),
      (words) => {
        const [first] = hardeningRules;
        const image = withHeader(
          new Uint8Array(new Uint32Array([...words, originalOf(first!.register)]).buffer),
        );
        const { image: hardened, sites } = hardenXen(image);
        assert.deepEqual(
          changedWords(image, hardened),
          sites.map(({ offset }) => offset),
        );
        assert.equal(hardenXen(hardened).wasHardened, true);
      },
    ),
  );
});

test("what cannot be hardened is refused with a reason", () => {
  const code = (pattern: RegExp) => (error: unknown) => pattern.test((error as { code: string }).code);
  assert.throws(() => hardenXen(new Uint8Array(10)), code(/not-an-image/));
  assert.throws(() => hardenXen(Uint8Array.of(0x1f, 0x8b, ...new Uint8Array(100))), code(/not-an-image/));
  assert.throws(() => hardenXen(imageOf(["nop", "ret"])), code(/no-sites/));
  assert.throws(() => hardenXen(imageOf(["msr HCR_EL2, x0", "smc #0x8100"])), code(/foreign-call/));
});

test("the report names every site", () => {
  const report = hardeningReport(hardenXen(imageOf(["msr VBAR_EL2, x4", "msr HCR_EL2, xzr"])));

  assert.match(report, /^2 writes of translation registers are calls of the monitor now$/m);
  assert.match(report, /^0x00000040 .* msr VBAR_EL2, x4$/m);
  assert.match(report, /msr HCR_EL2, xzr$/m);
});

// Sites in Debian's binaries, in the order of the rules.
const debianImages = [
  { version: "4.17", counts: [3, 1, 1, 5, 2, 5, 3, 9] },
  { version: "4.20", counts: [2, 1, 1, 6, 2, 5, 1, 9] },
];
for (const { version, counts } of debianImages) {
  const path = findInCache(`xen-${version}-arm64`);
  const skip = path === undefined && `xen-${version}-arm64 is not in ${cacheFolder()}`;
  test(`Debian's Xen ${version} has ${counts.reduce((sum, count) => sum + count)} sites`, { skip }, () => {
    const image = new Uint8Array(readFileSync(path!));

    const { image: hardened, sites } = hardenXen(image);

    const found = hardeningRules.map(
      ({ register }) => sites.filter((site) => site.register === register).length,
    );
    assert.deepEqual(found, counts);
    assert.deepEqual(
      changedWords(image, hardened),
      sites.map(({ offset }) => offset),
    );
  });
}

function findInCache(name: string): string | undefined {
  if (!existsSync(cacheFolder())) return undefined;
  const entries = readdirSync(cacheFolder(), { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === name);
  return found === undefined ? undefined : join(found.parentPath, found.name);
}

function changedWords(before: Uint8Array, after: Uint8Array): number[] {
  assert.equal(after.length, before.length);
  const offsets: number[] = [];
  for (let offset = 0; offset < before.length; offset += 4) {
    const [left, right] = [before, after].map((bytes) => Buffer.from(bytes.subarray(offset, offset + 4)));
    if (!left!.equals(right!)) offsets.push(offset);
  }
  return offsets;
}

const originals = new Map<string, number>();
/** `msr REGISTER, x0`, as the assembler has it. */
function originalOf(register: string): number {
  const known = originals.get(register);
  if (known !== undefined) return known;
  const word = new DataView(imageOf([`msr ${register}, x0`]).buffer).getUint32(64, true);
  originals.set(register, word);
  return word;
}

function imageOfWord(register: string, rt: number): Uint8Array {
  return withHeader(new Uint8Array(new Uint32Array([originalOf(register) | rt]).buffer));
}
