// One mutant: a copy of the monitor or of a compartment with one place changed, built, and the test that must fail on
// it.

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { projectFolder } from "../../host/paths.ts";
import { compileWasm } from "../../host/toolchain/compile-wasm.ts";
import { firmwareSources } from "../../host/toolchain/layout.ts";

export interface Mutant {
  /** What the monitor or the compartment no longer does. */
  readonly name: string;
  /** Of the project; el3/monitor if none is named. What lies below sel0 is compiled from `entry` on, or by its test. */
  readonly folder?: string;
  /** Below the folder. */
  readonly file: string;
  /** Must stand there exactly once. */
  readonly text: string;
  readonly replacement: string;
  /** Below tests, and the name of the test, or its beginning. */
  readonly testFile: string;
  readonly test: string;
  /** Where the build starts, if not at the monitor's own main.ts. */
  readonly entry?: string;
}

export type Outcome = "killed" | "survived" | "no such test";

const COPIED = ["el3/monitor", "el3/runtime", "el3/fixture", "el3/link", "el3/vectors", "sel0", "abi"];

/** From the project's folder, or from the copy's. */
export function mutatedFile({ folder = "el3/monitor", file }: Mutant): string {
  return join(folder, file);
}

/** Builds the mutant and runs its test on it. Throws if the mutation does not apply or does not compile. */
export async function runMutant(mutant: Mutant): Promise<Outcome> {
  const root = await mkdtemp(join(tmpdir(), "vtz-mutant-"));
  try {
    await mkdir(join(root, "el3"));
    for (const folder of COPIED)
      await cp(join(projectFolder, folder), join(root, folder), { recursive: true });
    await symlink(join(projectFolder, "node_modules"), join(root, "node_modules"));
    await mutate(join(root, mutatedFile(mutant)), mutant);
    if (mutant.folder?.startsWith("sel0") === true && mutant.entry === undefined)
      return await judge(mutant, root);
    const wasm = join(root, "monitor.wasm");
    const { entry = firmwareSources.entry } = mutant;
    await compileWasm({ ...firmwareSources, root, entry }, wasm, join(root, "asc.log"));
    return await judge(mutant, root, wasm);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function mutate(path: string, { name, file, text, replacement }: Mutant): Promise<void> {
  const source = await readFile(path, "utf8");
  const count = source.split(text).length - 1;
  if (count !== 1) throw new Error(`mutant “${name}”: its text stands ${count} times in ${file}, not once`);
  await writeFile(
    path,
    source.replace(text, () => replacement),
  );
}

/** Tests take the mutant by its wasm, or compile a part of its tree (tests/drivers/measure.ts, compartment.ts). */
async function judge({ testFile, test }: Mutant, root: string, wasm?: string): Promise<Outcome> {
  const pattern = test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const { failed, stdout } = await execa(
    process.execPath,
    [
      ...["--test", "--test-reporter=tap", `--test-name-pattern=${pattern}`],
      join(projectFolder, "tests", testFile),
    ],
    {
      reject: false,
      stdin: "ignore",
      timeout: 300_000, // some build a firmware and wait for QEMU
      env: {
        VTZ_MONITOR_WASM: wasm,
        VTZ_FIRMWARE_ROOT: root,
        NODE_TEST_CONTEXT: undefined,
        VTZ_FULL: undefined,
      },
    },
  );
  if (!/^# (pass|fail) [1-9]/m.test(stdout)) return "no such test";
  return failed ? "killed" : "survived";
}
