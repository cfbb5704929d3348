// The rewriter on synthetic images whose instructions come from clang's assembler and are read back with
// llvm-objdump. Debian's images: debian-images.test.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { forbiddenPattern } from "../../arm/forbidden.ts";
import { hardeningRules } from "../../el2/rules/translation-registers.ts";
import { hardenXen } from "./harden.ts";
import { hardeningReport } from "./report.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-harden-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An arm64 Image around assembled code; its header branches to it. */
function imageOf(assembly: string[]): Uint8Array {
  const source = join(folder, "code.S");
  const object = join(folder, "code.o");
  const flat = join(folder, "code.bin");
  writeFileSync(source, `${assembly.join("\n")}\n`);
  execFileSync("clang-19", [
    "--target=aarch64-none-elf",
    "-march=armv9.5-a+d128",
    "-c",
    source,
    "-o",
    object,
  ]);
  execFileSync("llvm-objcopy-19", ["-O", "binary", object, flat]);
  return withHeader(readFileSync(flat));
}

function withHeader(code: Uint8Array): Uint8Array {
  const image = new Uint8Array(64 + code.length);
  new DataView(image.buffer).setUint32(0, encodeBranch(64), true);
  image.set(new TextEncoder().encode("ARMd"), 56);
  image.set(code, 64);
  return image;
}

/** `b #distance`. */
function encodeBranch(distance: number): number {
  return 0x14000000 | (distance / 4);
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

test("the image that was given stays as it is, be it a Buffer", () => {
  const image = Buffer.from(imageOf(["msr HCR_EL2, x3", "ret"]));
  const before = Buffer.from(image);

  const { image: hardened, wasHardened } = hardenXen(image);

  assert.deepEqual(image, before);
  assert.notDeepEqual(Buffer.from(hardened), before);
  assert.equal(wasHardened, false);
});

test("random words: only listed sites change, and none that should change is left", () => {
  const site = fc
    .tuple(fc.constantFrom(...hardeningRules), fc.nat({ max: 31 }))
    .map(([{ register }, rt]) => originalOf(register) | rt);
  const arithmetic = fc.nat({ max: 0x3fffff }).map((low) => (0x91000000 | low) >>> 0); // add xd, xn, #imm
  const anything = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(arithmetic, site), { minLength: 1 }),
      fc.array(fc.oneof(anything, site)),
      (code, data) => {
        const [first] = hardeningRules;
        const ret = 0xd65f03c0;
        const words = [...code, originalOf(first!.register), ret];
        const dataPage = Array(1024 - 16)
          .fill(0)
          .map((_, index) => words[index] ?? 0);
        const image = withHeader(new Uint8Array(new Uint32Array([...dataPage, ...data]).buffer));

        const { image: hardened, sites } = hardenXen(image);

        const inCode = words.flatMap((word, index) =>
          forbiddenPattern(word >>> 0) === undefined ? [] : [64 + index * 4],
        );
        assert.deepEqual(
          sites.map(({ offset }) => offset),
          inCode,
        );
        assert.deepEqual(changedWords(image, hardened), inCode);
        assert.equal(hardenXen(hardened).wasHardened, true);
      },
    ),
  );
});

const code = (pattern: RegExp) => (error: unknown) =>
  pattern.test((error as { code: string }).code) || assert.fail(error as Error);
const refusals: [what: string, image: () => Uint8Array, code: RegExp][] = [
  ["ten bytes", () => new Uint8Array(10), /^not-an-image$/],
  ["a gzip file", () => Uint8Array.of(0x1f, 0x8b, ...new Uint8Array(100)), /^not-an-image$/],
  [
    "an image for big-endian machines",
    () => changed(imageOf(["msr HCR_EL2, x0"]), 24, 1),
    /^big-endian-image$/,
  ],
  [
    "a header whose PE header is elsewhere",
    () => changed(imageOf(["msr HCR_EL2, x0"]), 60, 64),
    /^damaged-image$/,
  ],
  ["an image without a site", () => imageOf(["nop", "ret"]), /^no-sites$/],
  ["an SMC of its own like ours", () => imageOf(["msr HCR_EL2, x0", "smc #0x8100", "ret"]), /^foreign-call$/],
  [
    "a 128-bit write",
    () => imageOf(["msr HCR_EL2, x0", "msrr TTBR0_EL2, x0, x1", "ret"]),
    /^no-call-for-it$/,
  ],
  [
    "a write of TTBR1_EL2",
    () => imageOf(["msr HCR_EL2, x0", "msr TTBR1_EL2, x1", "ret"]),
    /^no-call-for-it$/,
  ],
  ["a write of HCRX_EL2", () => imageOf(["msr HCR_EL2, x0", "msr HCRX_EL2, x1", "ret"]), /^no-call-for-it$/],
  ["DC ISW", () => imageOf(["msr HCR_EL2, x0", "dc isw, x1", "ret"]), /^no-call-for-it$/],
  [
    "a literal that looks like a write",
    () => imageOf(["msr HCR_EL2, x0", "ldr w0, 1f", "ret", `1: .word ${wordOf("msr TCR_EL2, x3")}`]),
    /^data-in-code$/,
  ],
  [
    "the upper half of a literal that looks like a write, although a path leads over it",
    () => imageOf(["msr HCR_EL2, x0", "ldr x0, 1f", "1: nop", `.word ${wordOf("msr TCR_EL2, x3")}`, "ret"]),
    /^data-in-code$/,
  ],
  [
    "a table among code with a word like a write",
    () => imageOf(["msr HCR_EL2, x0", "ret", `.word 0, ${wordOf("msr VBAR_EL2, x3")}`]),
    /^data-in-code$/,
  ],
  [
    "a word like a 128-bit write among code",
    () => imageOf(["msr HCR_EL2, x0", "ret", `.word 0, ${wordOf("msrr VTTBR_EL2, x2, x3")}`]),
    /^data-in-code$/,
  ],
];
for (const [what, image, pattern] of refusals) {
  test(`refused, with a reason: ${what}`, () => {
    assert.throws(() => hardenXen(image()), code(pattern));
  });
}

test("data in a page without code stays as it is, and is reported", () => {
  const likeAWrite = wordOf("msr TTBR0_EL2, x3");
  const image = imageOf(["msr HCR_EL2, x0", "ret", ".balign 0x1000", `.word 0, ${likeAWrite}, 0`]);

  const result = hardenXen(image);

  const [lookAlike, ...others] = result.lookAlikes;
  assert.deepEqual([lookAlike?.offset, lookAlike?.word, others], [64 + 0x1004, likeAWrite, []]);
  assert.deepEqual(changedWords(image, result.image), [64]);
  assert.match(hardeningReport(result), /^0x00001044 .* stays: data in a page without code/m);
});

test("code is found behind branches, calls, addresses in registers and pointers in data", () => {
  const image = imageOf([
    ...["start: bl 1f", "adr x1, 2f", "blr x1", "adrp x2, #0", "add x2, x2, #120", "br x2"],
    ...[".word 0", "1: msr HCR_EL2, x1", "cbz x0, 4f", "ret"],
    ...[".word 0", "2: msr VTCR_EL2, x2", "ret"],
    ...[".word 0", "3: nop // at 120", "msr VTTBR_EL2, x3", "b ."],
    ...[".word 0", "4: msr TCR_EL2, x4", "eret"],
    ...[".word 0", "5: msr MAIR_EL2, x5", "ret"],
    ...[".balign 0x1000", ".rept 8", ".xword 0xa0000200040 + (5b - start)", ".endr"],
  ]);

  const { sites } = hardenXen(image);

  assert.deepEqual(
    sites.map(({ register }) => register),
    ["HCR_EL2", "VTCR_EL2", "VTTBR_EL2", "TCR_EL2", "MAIR_EL2"],
  );
});

test("the report names every site", () => {
  const report = hardeningReport(hardenXen(imageOf(["msr VBAR_EL2, x4", "msr HCR_EL2, xzr", "ret"])));

  assert.match(report, /^2 writes of translation registers are calls of the monitor now$/m);
  assert.match(report, /^0x00000040 .* msr VBAR_EL2, x4$/m);
  assert.match(report, /msr HCR_EL2, xzr$/m);
});

function changed(image: Uint8Array, offset: number, value: number): Uint8Array {
  new DataView(image.buffer).setUint32(offset, value, true);
  return image;
}

/** One instruction, as the assembler has it. */
function wordOf(assembly: string): number {
  return new DataView(imageOf([assembly]).buffer).getUint32(64, true);
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
/** `msr REGISTER, x0`. */
function originalOf(register: string): number {
  const known = originals.get(register) ?? wordOf(`msr ${register}, x0`);
  originals.set(register, known);
  return known;
}
