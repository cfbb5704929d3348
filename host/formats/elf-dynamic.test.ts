// readelf is the oracle, over programs that every host has.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { execa } from "execa";
import { isElf, readDynamicNeeds } from "./elf-dynamic.ts";

for (const path of ["/bin/sh", "/usr/bin/apt-get", process.execPath]) {
  test(`${path} needs what llvm-readelf says`, async () => {
    const { stdout } = await execa("llvm-readelf-19", ["-d", "-l", path]);
    const libraries = [...stdout.matchAll(/\(NEEDED\)\s+Shared library: \[(.*)\]/g)].map((match) => match[1]);
    const interpreter = /Requesting program interpreter: (.*)\]/.exec(stdout)?.[1];

    assert.deepEqual(readDynamicNeeds(await readFile(path)), { libraries, interpreter });
  });
}

test("what is not ELF is told apart and refused", () => {
  assert.equal(isElf(Buffer.from("#!/bin/sh\n".padEnd(80))), false);
  assert.throws(() => readDynamicNeeds(Buffer.alloc(100)), /not a little-endian 64-bit ELF/);
});
