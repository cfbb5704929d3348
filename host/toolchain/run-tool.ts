// Runs a compiler or linker to its end. When it fails the user sees the command, its last lines, and where the
// whole log is.

import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";

export interface ToolRun {
  /** In the error's headline: "compiling the monitor". */
  doing: string;
  command: string;
  args: readonly string[];
  cwd: string;
  logFile: string;
  /** Debian package that has the command. */
  debianPackage?: string;
}

const LAST_LINES = 20;
const TOOL_TIMEOUT_MS = 120_000;

export async function runTool(run: ToolRun): Promise<string> {
  const result = await execa(run.command, [...run.args], {
    cwd: run.cwd,
    all: true,
    reject: false,
    stdin: "ignore",
    timeout: TOOL_TIMEOUT_MS,
    maxBuffer: 64 << 20,
  });
  if (result.code === "ENOENT") {
    const name = run.debianPackage ?? run.command;
    throw new UserError("tool-missing", `${run.command} is not installed`, `sudo apt-get install -y ${name}`);
  }
  const output = result.all ?? "";
  await makeFolder(dirname(run.logFile));
  await writeFile(run.logFile, `$ ${pasteable(run)}\n${output}\n`);
  if (!result.failed) return output;

  const why = result.timedOut
    ? `took longer than ${TOOL_TIMEOUT_MS / 1000} s`
    : `exit code ${result.exitCode}`;
  const lines = output.trimEnd().split("\n").slice(-LAST_LINES);
  const text = [`${run.doing} failed (${why})`, `  ${pasteable(run)}`, ...lines.map((line) => `  | ${line}`)];
  throw new UserError("tool-failed", text.join("\n"), `the whole log is ${run.logFile}`);
}

export function pasteable(run: Pick<ToolRun, "command" | "args" | "cwd">): string {
  const words = [run.command, ...run.args].map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : quote(word),
  );
  return `cd ${quote(run.cwd)} && ${words.join(" ")}`;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
