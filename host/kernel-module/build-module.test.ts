// The module writer on Debian's kernel, and on kernels that were never built; llvm-readelf is the oracle.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execa } from "execa";
import { debianModule, OTHER, otherModule } from "../../tests/drivers/kernel-modules.ts";
import { makeAttestModule } from "../machine/attest-module.ts";
import { buildModule } from "./build-module.ts";
import { modinfoOf, readLoaderFacts, THIS_MODULE } from "./loader-facts.ts";
import { RelocatableFile } from "./relocatable.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-kernel-module-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const QUESTION = { nonce: new Uint8Array(32).fill(0x11), tag: "vtz-evidence-0" };
const IMPORTS = ["_printk"];

test("of Debian's kernel, a module has the same facts as the one from which they were learned", async () => {
  const reference = await debianModule("optee");

  const made = await makeAttestModule(QUESTION, reference, folder);

  assert.deepEqual(readLoaderFacts(made, IMPORTS), readLoaderFacts(reference, IMPORTS));
  assert.deepEqual(new RelocatableFile(made).undefinedSymbols(), IMPORTS);
});

test("any module of that kernel tells the same", async () => {
  const [optee, tee] = [await debianModule("optee"), await debianModule("tee")];

  assert.deepEqual(readLoaderFacts(tee, IMPORTS), readLoaderFacts(optee, IMPORTS));
});

test("what is read of an ELF file is what llvm-readelf reads", async () => {
  const path = join(folder, "optee.ko");
  writeFileSync(path, await debianModule("optee"));
  const read = async (option: string) => (await execa("llvm-readelf-19", ["-W", option, path])).stdout;

  const file = new RelocatableFile(await debianModule("optee"));

  const sections = [...(await read("-S")).matchAll(/^ +\[ *\d+\] (\S+) +[A-Z]/gm)].map(([, name]) => name);
  assert.deepEqual(
    file.sections.slice(1).map(({ name }) => name),
    sections.slice(-file.sections.length + 1),
  );
  const undefinedNames = [...(await read("-s")).matchAll(/ UND (\S+)$/gm)].map(([, name]) => name);
  assert.deepEqual(file.undefinedSymbols(), undefinedNames);
});

test("of a kernel with another layout, struct, versions and veneers are that kernel's", async () => {
  const made = new RelocatableFile(await makeAttestModule(QUESTION, await otherModule(), folder));

  const struct = made.section(THIS_MODULE)!;
  assert.deepEqual([struct.bytes.length, struct.alignment], [128, 128n]);
  assert.equal(struct.bytes.toString("latin1").replaceAll("\0", ""), "vtz_attest");
  assert.equal(struct.bytes.indexOf("vtz_attest"), 8);
  assert.deepEqual(made.relocations(THIS_MODULE), [
    { offset: 64n, type: 257, symbol: "init_module", addend: 0n },
  ]);
  const versions = made.section("__versions")!.bytes;
  assert.deepEqual([versions.readBigUInt64LE(0), versions.readBigUInt64LE(64)], [0x1234n, 0x5678n]);
  assert.equal(new Map(modinfoOf(made.section(".modinfo")!.bytes)).get("vermagic"), "7.7 test");
  assert.deepEqual([made.section(".plt")?.bytes.length, made.section(".init.plt")], [1, undefined]);
});

const REFUSED: [what: string, change: Partial<typeof OTHER>, complaint: RegExp][] = [
  ["without information", { modinfo: "" }, /no section \.modinfo/],
  ["for no kernel", { modinfo: OTHER.modinfo.replace("vermagic", "magic") }, /vermagic/],
  ["without a name", { modinfo: OTHER.modinfo.replace("name=other", "x=other") }, /just its name/],
  ["with a struct that holds more", { struct: OTHER.struct.replace(/56$/, "55; .byte 1") }, /just its name/],
  ["without a struct", { struct: "" }, /no section \.gnu\.linkonce\.this_module/],
  ["without a first function", { struct: OTHER.struct.replace("init_module", "0") }, /no pointer to init_/],
  [
    "with another pointer",
    { struct: OTHER.struct.replace("init_module", "init_module + 4") },
    /no pointer to init_/,
  ],
  [
    "with two first functions",
    { struct: OTHER.struct.replace(/56$/, "48; .quad init_module") },
    /no pointer to init_/,
  ],
  ["with a pointer between words", { struct: OTHER.struct.replace("51;", "52;") }, /no pointer to init_/],
  [
    "with a pointer behind its struct",
    {
      struct: OTHER.struct.replace(".quad init_module", ".zero 8; .reloc 128, R_AARCH64_ABS64, init_module"),
    },
    /no pointer to init_/,
  ],
  ["without versions", { versions: "" }, /no section __versions/],
  [
    "without the layout's version",
    { versions: OTHER.versions.replace("module_", "modula_") },
    /module_layout/,
  ],
  ["without printk", { versions: OTHER.versions.replace("_printk", "_prinkt") }, /no version of _printk/],
  ["with larger versions", { versions: OTHER.versions.replace("49", "57") }, /of another size/],
  ["with other veneers", { veneers: `${OTHER.veneers}, 0` }, /veneers are of another size/],
];

for (const [what, change, complaint] of REFUSED)
  test(`a module ${what} is refused, in words`, async () => {
    const module = await otherModule(change);

    assert.throws(() => readLoaderFacts(module, IMPORTS), { code: "other-kernel", message: complaint });
  });

test("what is no relocatable AArch64 ELF file is refused, in words", async () => {
  const module = await debianModule("tee");
  const changed = (at: number, value: number) => {
    const bytes = new Uint8Array(module);
    bytes[at] = value;
    return bytes;
  };
  for (const [bytes, complaint] of [
    [new Uint8Array(10), /no ELF file/],
    [changed(0, 0), /no ELF file/],
    [changed(4, 1), /no little-endian AArch64/],
    [changed(18, 62), /no little-endian AArch64/],
    [changed(16, 3), /no relocatable/],
    [changed(58, 40), /other section headers/],
    [module.slice(0, 0x1000), /cut off/],
  ] as const)
    assert.throws(() => readLoaderFacts(bytes, IMPORTS), { code: "other-kernel", message: complaint });
});

test("a module that uses more of the kernel than it says is not made", async () => {
  const source = join(folder, "more.c");
  writeFileSync(source, "void panic(const char *); int init_module(void) { panic(0); return 0; }\n");
  const text = { name: "more", license: "", description: "", defines: {}, imports: IMPORTS, file: source };

  await assert.rejects(buildModule(text, await otherModule(), folder), /uses panic of the kernel/);
});
