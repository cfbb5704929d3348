// What `vtz check` looks at, and what `vtz test` counts before the tests proper: a row each.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { layeringViolations } from "./layering.ts";

export interface Check {
  readonly name: string;
  /** What is wrong, or undefined. */
  readonly run: (root: string) => Promise<string | undefined>;
}

const bin = (root: string, name: string) => join(root, "node_modules", ".bin", name);

export const CHECKS: readonly Check[] = [
  {
    name: "types of the host side",
    run: (root) => complaintOf(root, bin(root, "tsc"), ["--noEmit"]),
  },
  {
    name: "types of the monitor",
    run: (root) => complaintOf(root, bin(root, "tsc"), ["--noEmit", "-p", "el3/tsconfig.json"]),
  },
  {
    name: "types of the compartments",
    run: (root) => complaintOf(root, bin(root, "tsc"), ["--noEmit", "-p", "sel0/tsconfig.json"]),
  },
  {
    name: "types of the test kernels",
    run: (root) => complaintOf(root, bin(root, "tsc"), ["--noEmit", "-p", "el1/tsconfig.json"]),
  },
  {
    name: "lint and format",
    run: (root) => complaintOf(root, bin(root, "biome"), ["check", "--diagnostic-level=error", "."]),
  },
  {
    name: "generated files are up to date",
    run: (root) =>
      complaintOf(root, process.execPath, ["--test", "--test-reporter=dot", "arm/generate.test.ts"]),
  },
  {
    name: "who imports whom",
    run: async (root) => {
      const violations = await layeringViolations(root);
      return violations.length === 0 ? undefined : violations.join("\n");
    },
  },
  { name: "the shell can read ./vtz", run: (root) => complaintOf(root, "sh", ["-n", "vtz"]) },
];

async function complaintOf(
  root: string,
  program: string,
  words: readonly string[],
): Promise<string | undefined> {
  const { failed, all } = await execa(program, words, {
    cwd: root,
    all: true,
    reject: false,
    stdin: "ignore",
    // A test that starts node's test runner must not be taken for a part of our own run.
    env: { NODE_TEST_CONTEXT: undefined, TMPDIR: tmpdir(), FORCE_COLOR: "0" },
  });
  return failed ? (all ?? "").trimEnd() : undefined;
}
