// docs/claims.md: every claim names a test, and every test that it names exists.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../../host/paths.ts";

interface Claim {
  readonly text: string;
  readonly tests: { file: string; name: string }[];
}

function claimsOf(text: string): Claim[] {
  const claims: Claim[] = [];
  for (const line of text.split("\n")) {
    const [, file, name] = line.match(/^ {2}- `([^`]+)`: (.+)$/) ?? [];
    if (line.startsWith("- ")) claims.push({ text: line.slice(2), tests: [] });
    else if (file !== undefined) claims.at(-1)!.tests.push({ file, name: name! });
  }
  return claims;
}

/** What stands where a test, a suite or a row has its name. */
function hasTest(source: string, name: string): boolean {
  const isNamed = source.split(name).length > 1;
  return (
    isNamed && source.split("\n").some((line) => line.includes(name) && /test\(|suite\(|name:/.test(line))
  );
}

const claims = claimsOf(readFileSync(join(projectFolder, "docs/claims.md"), "utf8"));

test("docs/claims.md has claims, and each of them a test", () => {
  assert(claims.length > 20);
  assert.deepEqual(
    claims.filter(({ tests }) => tests.length === 0).map(({ text }) => text),
    [],
  );
});

test("every test that a claim names exists", () => {
  const missing = claims.flatMap(({ tests }) =>
    tests.filter(({ file, name }) => {
      const path = join(projectFolder, file);
      return !existsSync(path) || !hasTest(readFileSync(path, "utf8"), name);
    }),
  );
  assert.deepEqual(missing, []);
});

test("a claim without a test, and one whose test is gone, would be noticed", () => {
  const [first, second] = claimsOf("- One.\n- Two.\n  - `a.test.ts`: it holds\n");
  assert.deepEqual(first?.tests, []);
  assert.deepEqual(second?.tests, [{ file: "a.test.ts", name: "it holds" }]);
  assert(hasTest('test("it holds", () => {});', "it holds"));
  assert(!hasTest("// it holds", "it holds"));
});
