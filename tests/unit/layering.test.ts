// The check of who imports whom refuses what its rules do not name: folders, single files, packages.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { layeringViolations, type Rule } from "../layering.ts";

const root = mkdtempSync(join(tmpdir(), "vtz-layering-"));
after(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "library"));

const RULES: Rule[] = [
  { folder: "library", mayImport: ["library", "abi/words.ts"], packages: ["node:crypto"] },
];

async function complaint(target: string): Promise<string | undefined> {
  writeFileSync(join(root, "library/file.ts"), `import { x } from "${target}";\n`);
  return (await layeringViolations(root, RULES))[0];
}

test("its own folder, the file and the package that it may import pass", async () => {
  for (const target of ["./other.ts", "../abi/words.ts", "node:crypto"])
    assert.equal(await complaint(target), undefined, target);
});

test("another file of that folder, another folder, and another package are refused", async () => {
  assert.match((await complaint("../abi/words.ts.ts"))!, /imports abi\/words\.ts\.ts/);
  assert.match((await complaint("../library2/x.ts"))!, /imports library2\/x\.ts/);
  assert.match((await complaint("node:fs"))!, /imports the package node:fs; .* import only node:crypto/);
});
