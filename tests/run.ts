// Everything that must hold, in the order of cost: checks, tests in Node, boots in QEMU. Ends with one plain
// line, `N passed, N failed`, over all of it.

import { glob } from "node:fs/promises";
import { join } from "node:path";
import { run as runTests } from "node:test";
import { spec } from "node:test/reporters";
import { CHECKS } from "./checks.ts";

export interface TestOptions {
  readonly root: string;
  /** Also what takes long: xtest's whole suite, fifty guests one after another. */
  readonly isFull: boolean;
  /** Only these parts; empty: all. */
  readonly parts: readonly Part[];
  /** Only tests whose names match. */
  readonly pattern?: string;
}

export type Part = "check" | "unit" | "boots";
export const PARTS: readonly Part[] = ["check", "unit", "boots"];

export interface Counts {
  passed: number;
  failed: number;
}

const UNIT_FILES = [
  "{host,arm,abi,el1,el2,el3,spec,sel0,bench}/**/*.test.ts",
  "tests/{unit,contract,properties}/**/*.test.ts",
];
const BOOT_FILES = ["tests/{attacks,boots}/**/*.test.ts"];

export async function runAll(options: TestOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const wants = (part: Part) => options.parts.length === 0 || options.parts.includes(part);
  if (wants("check") && options.pattern === undefined) await runChecks(options.root, counts);
  if (wants("unit")) await runFiles(UNIT_FILES, options, true, counts);
  // Boots share two cores: one after another, or their time limits would say nothing.
  if (wants("boots")) await runFiles(BOOT_FILES, options, false, counts);
  if (options.pattern !== undefined && counts.passed + counts.failed === 0)
    process.stdout.write(`\nno test's name matches “${options.pattern}”\n`);
  process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`);
  return counts;
}

async function runChecks(root: string, counts: Counts): Promise<void> {
  for (const { name, run } of CHECKS) {
    const complaint = await run(root);
    process.stdout.write(`${complaint === undefined ? "✔" : "✖"} ${name}\n`);
    if (complaint === undefined) counts.passed++;
    else {
      counts.failed++;
      process.stdout.write(`${complaint}\n`);
    }
  }
}

async function runFiles(
  patterns: readonly string[],
  { root, isFull, pattern }: TestOptions,
  isConcurrent: boolean,
  counts: Counts,
): Promise<void> {
  const files: string[] = [];
  for await (const file of glob([...patterns], { cwd: root })) files.push(join(root, file));
  if (files.length === 0) return;
  if (isFull) Object.assign(process.env, { VTZ_FULL: "1" });
  const stream = runTests({
    files: files.sort(),
    concurrency: isConcurrent ? 2 : 1,
    ...(pattern === undefined ? {} : { testNamePatterns: [new RegExp(pattern, "i")] }),
  });
  // Suites are folders of tests, not tests, and so are files; a skip carries a reason and counts as neither.
  stream.on("test:pass", ({ name, details, skip, todo }) => {
    if (details.type === "suite" || files.includes(name)) return;
    if (skip === undefined && todo === undefined) counts.passed++;
  });
  stream.on("test:fail", ({ details, todo }) => {
    if (details.type !== "suite" && todo === undefined) counts.failed++;
  });
  await new Promise<void>((resolve, reject) => {
    const report = stream.compose(spec);
    report.pipe(process.stdout, { end: false });
    report.on("end", resolve);
    report.on("error", reject);
  });
}
