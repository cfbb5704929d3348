// The tests of the monitor and of compartments bite: each of its checks, taken away, is missed by the test that is said to guard it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../../host/paths.ts";
import { mutatedFile, runMutant } from "../mutants/mutate.ts";
import { MUTANTS, QUICK_COUNT } from "../mutants/rows.ts";

const { VTZ_FULL } = process.env;
const rows = VTZ_FULL === "1" ? MUTANTS : MUTANTS.slice(0, QUICK_COUNT);

test("each mutant's text stands once in its file, and its test exists", async () => {
  for (const mutant of MUTANTS) {
    const { name, file, text, testFile, test: title } = mutant;
    const source = await readFile(join(projectFolder, mutatedFile(mutant)), "utf8");
    assert.equal(source.split(text).length - 1, 1, `“${name}”: its text in ${file}`);
    // A name may be made of parts: its first words are enough to notice a test that is gone.
    const tests = await readFile(join(projectFolder, "tests", testFile), "utf8");
    const words = title.split(" ").slice(0, 3).join(" ").replace(/:$/, "");
    assert(tests.includes(words), `“${name}”: “${title}” in ${testFile}`);
  }
});

for (const mutant of rows) {
  test(`mutant: ${mutant.name}`, async () => {
    assert.equal(await runMutant(mutant), "killed", `by “${mutant.test}” in ${mutant.testFile}`);
  });
}
