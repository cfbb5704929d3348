// What every command of `vtz` has: words for citty, examples for --help, and refusal of options it does not know.

import { type ArgsDef, type CommandContext, type CommandDef, defineCommand } from "citty";
import { UserError } from "../errors.ts";

export interface CommandText<T extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  readonly args: T;
  readonly examples: readonly string[];
  /** More than the named positional arguments may follow. */
  readonly takesWords?: boolean;
  readonly run: (context: CommandContext<T>) => Promise<void> | void;
}

export interface Command extends CommandDef {
  readonly examples: readonly string[];
  readonly argumentNames: ArgsDef;
}

export function command<const T extends ArgsDef>(text: CommandText<T>): Command {
  const definition = defineCommand<T>({
    meta: { name: text.name, description: text.description },
    args: text.args,
    run: async (context) => {
      refuseUnknown(text, context.rawArgs);
      await text.run(context);
    },
  });
  const examples = text.examples;
  return { ...(definition as unknown as CommandDef), examples, argumentNames: text.args };
}

export const machineOption = {
  machine: {
    type: "string",
    alias: "m",
    description: "which machine",
    default: "default",
    valueHint: "NAME",
  },
} as const satisfies ArgsDef;

export const jsonOption = {
  json: { type: "boolean", description: "print JSON" },
} as const satisfies ArgsDef;

/** The words behind `--`, which are none of ours. */
export function wordsAfterDashes(rawArgs: readonly string[]): string[] {
  const at = rawArgs.indexOf("--");
  return at < 0 ? [] : rawArgs.slice(at + 1);
}

export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UserError("bad-option", `--${name} ${text}: not a whole number from ${min} to ${max}`);
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function sayJson(value: unknown): void {
  say(JSON.stringify(value, null, 2));
}

function refuseUnknown<T extends ArgsDef>(
  { name, args, takesWords }: CommandText<T>,
  rawArgs: readonly string[],
): void {
  const hint = `see \`vtz ${name} --help\``;
  const known = new Set<string>();
  let positionals = 0;
  for (const [option, definition] of Object.entries(args)) {
    if (definition.type === "positional") positionals++;
    else for (const word of [option, ...aliases(definition)]) known.add(word);
  }
  const end = rawArgs.indexOf("--");
  const words = end < 0 ? rawArgs : rawArgs.slice(0, end);
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (!word.startsWith("-") || word === "-") {
      if (positionals-- <= 0 && takesWords !== true)
        throw new UserError("bad-option", `${word}: one word too many`, hint);
      continue;
    }
    const option = word.replace(/^--?/, "").replace(/=.*/s, "");
    const plain = option.replace(/^no-/, "");
    if (!known.has(option) && !known.has(plain))
      throw new UserError("bad-option", `${word}: no such option`, hint);
    const takesValue = Object.entries(args).some(
      ([key, definition]) =>
        (key === option || aliases(definition).includes(option)) &&
        (definition.type === "string" || definition.type === "enum"),
    );
    if (!takesValue || word.includes("=")) continue;
    if (words[index + 1] === undefined) throw new UserError("bad-option", `${word} wants a value`, hint);
    index++;
  }
}

function aliases(definition: ArgsDef[string]): string[] {
  const alias = "alias" in definition ? definition.alias : undefined;
  return alias === undefined ? [] : typeof alias === "string" ? [alias] : alias;
}
