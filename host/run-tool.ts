// Runs a tool of the host and, when it fails, says it so that a reader can go on: the command as it can be
// pasted, its last lines, and where all of its output lies.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "./errors.ts";
import { makeFolder } from "./make-folder.ts";
import { stateFolder } from "./paths.ts";

const TAIL_LINE_COUNT = 20;

export interface ToolOptions {
  cwd?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
  /** The Debian package to install when the tool is not there. */
  package?: string;
}

export interface ToolOutput {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export class ToolError extends Error {
  readonly command: string;
  readonly output: string;
  readonly logPath: string;

  constructor(command: string, ending: string, output: string, logPath: string) {
    const tail = output.trimEnd().split("\n").slice(-TAIL_LINE_COUNT).join("\n");
    super(`${ending}: ${command}\n${tail}\nall of its output: ${logPath}`);
    this.name = "ToolError";
    this.command = command;
    this.output = output;
    this.logPath = logPath;
  }
}

/** Runs to the end; a nonzero exit is a ToolError. */
export async function runTool(file: string, args: string[], options: ToolOptions = {}): Promise<ToolOutput> {
  const output = await tryTool(file, args, options);
  if (output.exitCode !== 0) throw await toolError(file, args, `exit code ${output.exitCode}`, output);
  return output;
}

/** Runs to the end and leaves the judgement of the exit code to the caller. */
export async function tryTool(file: string, args: string[], options: ToolOptions = {}): Promise<ToolOutput> {
  const result = await execa(file, args, {
    reject: false,
    stdin: "ignore",
    stripFinalNewline: false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { LC_ALL: "C", ...options.env },
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  if (result.code === "ENOENT") throw missingTool(file, options.package);
  const output = { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  if (result.timedOut) throw await toolError(file, args, `not done within ${options.timeoutMs} ms`, output);
  if (result.exitCode === undefined)
    throw await toolError(file, args, `ended by ${result.signal ?? result.shortMessage}`, output);
  return output;
}

export function missingTool(file: string, packageName = file): UserError {
  return new UserError("tool-missing", `${file} is not installed`, `sudo apt-get install ${packageName}`);
}

/** A command line as a shell would read it. */
export function quoteCommand(file: string, args: string[]): string {
  return [file, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

async function toolError(
  file: string,
  args: string[],
  ending: string,
  output: ToolOutput,
): Promise<ToolError> {
  const command = quoteCommand(file, args);
  const folder = join(stateFolder(), "tool-logs");
  const logPath = join(folder, `${new Date().toISOString().replace(/[-:.]/g, "")}-${process.pid}.log`);
  const all = output.stdout + output.stderr;
  try {
    await makeFolder(folder);
    await writeFile(logPath, `${command}\n\n${all}`);
  } catch (error) {
    return new ToolError(command, ending, all, `(not written: ${(error as Error).message})`);
  }
  return new ToolError(command, ending, all, logPath);
}
