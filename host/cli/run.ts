// Finds the command, shows help, and turns what went wrong into a line, a hint and an exit code: 2 for what the
// user can mend, 1 for a bug of ours, 130 and 143 for signals.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderUsage, runCommand } from "citty";
import { UserError } from "../errors.ts";
import { projectFolder } from "../paths.ts";
import { ToolError } from "../run-tool.ts";
import type { Command } from "./command.ts";
import { catchSignals, isEndedBySignal } from "./signals.ts";

export type CommandTable = Record<string, () => Promise<{ readonly default: Command }>>;

export async function runCli(table: CommandTable, words = process.argv.slice(2)): Promise<void> {
  // A reader that has seen enough, as in `vtz logs | head`, is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const command = dispatch(table, words);
  catchSignals(command.catch(() => undefined));
  try {
    await command;
  } catch (error) {
    if (!isEndedBySignal()) process.exitCode = report(error);
  }
}

/** Prints the error as a user should see it and returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`vtz: ${error.message}\n${error.hint === undefined ? "" : `  ${error.hint}\n`}`);
    return 2;
  }
  if (error instanceof ToolError) {
    process.stderr.write(`vtz: ${error.message}\n`);
    return 1;
  }
  process.stderr.write(
    `vtz: this is a bug of vtz\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 1;
}

async function dispatch(table: CommandTable, words: readonly string[]): Promise<void> {
  const [first, ...rest] = words;
  if (first === undefined) return overview(table);
  if (first === "--help" || first === "-h" || first === "help") {
    return rest[0] === undefined ? overview(table) : showHelp(await load(table, rest[0]));
  }
  if (first === "--version" || first === "-v") {
    process.stdout.write(`vtz ${version()}
`);
    return;
  }
  const found = await load(table, first);
  const ours = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (ours.includes("--help") || ours.includes("-h")) return showHelp(found);
  try {
    await runCommand(found, { rawArgs: rest });
  } catch (error) {
    // citty's own complaints about arguments are the user's to mend.
    if (error instanceof Error && error.name === "CLIError") {
      throw new UserError("bad-option", stripColours(error.message), `see \`vtz ${first} --help\``);
    }
    throw error;
  }
}

async function load(table: CommandTable, name: string): Promise<Command> {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (entry === undefined) {
    throw new UserError("no-command", `no command “${name}”`, `one of: ${Object.keys(table).join(" ")}`);
  }
  return (await entry()).default;
}

async function overview(table: CommandTable): Promise<void> {
  const rows = await Promise.all(
    Object.keys(table).map(async (name) => {
      const { meta } = await load(table, name);
      const { description = "" } = (meta ?? {}) as { description?: string };
      return `  ${name.padEnd(12)}${description}`;
    }),
  );
  process.stdout.write(
    [
      "vtz: every virtual machine gets a TrustZone of its own",
      "",
      "usage: vtz COMMAND [OPTIONS]      vtz COMMAND --help",
      "",
      ...rows,
      "",
    ].join("\n"),
  );
}

async function showHelp(found: Command): Promise<void> {
  const usage = await renderUsage(found, { meta: { name: "vtz" } });
  const examples = found.examples.map((example) => `  ${example}`).join("\n");
  const text = `${usage}\nEXAMPLES\n\n${examples}\n`;
  process.stdout.write(process.stdout.isTTY ? text : stripColours(text));
}

function version(): string {
  return (JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8")) as { version: string })
    .version;
}

function stripColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  return text.replace(/\u001b\[\d+m/g, "");
}
