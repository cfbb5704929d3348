// Constants and descriptions as text: AssemblyScript, assembly header, Markdown.

import { type Constant, unique } from "./constants.ts";
import { encodingName, type Field, type Register } from "./describe.ts";
import type { ForbiddenPattern } from "./forbidden.ts";

const MADE_BY = "Made by `node arm/generate.ts` from arm/; do not edit.";

export function firmwareConstants(title: string, constants: readonly Constant[]): string {
  const lines = unique(constants).map(({ name, type, value, comment }) => {
    const text = `export const ${name}: ${type} = ${numberText(name, value)};`;
    return comment === "" ? text : `${text} // ${comment}`;
  });
  return [`// ${title}. ${MADE_BY}`, "", ...lines, ""].join("\n");
}

export function assemblyHeader(constants: readonly Constant[]): string {
  const lines = unique(constants).map(({ name, value }) => `#define ${name} ${numberText(name, value)}`);
  return [`/* Registers, descriptors and encodings for assembly. ${MADE_BY} */`, ...lines, ""].join("\n");
}

function numberText(name: string, value: bigint): string {
  return /_(SHIFT|WIDTH)$/.test(name) || value < 10n ? value.toString() : `0x${value.toString(16)}`;
}

export function registerDocument(
  system: readonly Register[],
  devices: readonly Register[],
  tables: readonly Register[],
): string {
  const parts = [
    "# Registers",
    `What vTZ knows of the machine's registers. ${MADE_BY} \`vtz decode REGISTER VALUE\` reads a value by these.`,
    "## System registers",
    ...system.map((register) => section(register, where(register))),
    "## Devices",
    ...devices.map((register) => section(register, `offset 0x${register.offset!.toString(16)}`)),
    "## Structures in memory",
    ...tables.map((register) => section(register, "")),
  ];
  return `${parts.join("\n\n")}\n`;
}

function where({ encoding }: Register): string {
  return encoding === undefined ? "" : `\`${encodingName(encoding)}\``;
}

function section(register: Register, place: string): string {
  const heading = `### ${register.name}`;
  const summary = place === "" ? register.title : `${register.title}, ${place}`;
  const rows = Object.entries(register.fields)
    .filter(([, field]) => !field.isPart)
    .sort(([, a], [, b]) => b.high - a.high);
  if (rows.length === 0) return `${heading}\n\n${summary}`;
  const table = rows.map(
    ([name, field]) => `| ${range(field)} | ${name} | ${field.meaning}${values(field)} |`,
  );
  return `${heading}\n\n${summary}\n\n| bits | field | meaning |\n|---|---|---|\n${table.join("\n")}`;
}

function range({ high, low }: Field): string {
  return high === low ? `${low}` : `${high}:${low}`;
}

function values(field: Field): string {
  const named = Object.entries(field.values ?? {}).map(([name, value]) => `0x${value.toString(16)} ${name}`);
  return named.length === 0 ? "" : `: ${named.join(", ")}`;
}

/** The scanner's question, a line for each pattern: nothing is left to a table that code might forget to look through. */
export function forbiddenFunction(patterns: readonly ForbiddenPattern[]): string {
  const common = commonBits(patterns);
  const lines = patterns.map(
    ({ assembly, mask, match }) =>
      `  if ((instruction & 0x${mask.toString(16)}) === 0x${match.toString(16)}) return true; // ${assembly}`,
  );
  return [
    `// Instructions that no code at EL2 may contain. ${MADE_BY}`,
    "",
    "export function isForbiddenSystemInstruction(instruction: u32): bool {",
    `  if ((instruction & 0x${common.mask.toString(16)}) !== 0x${common.match.toString(16)}) return false; // common to all`,
    ...lines,
    "  return false;",
    "}",
    "",
  ].join("\n");
}

/** What all patterns agree on: almost every word of a program is decided by it. */
function commonBits(patterns: readonly ForbiddenPattern[]): { mask: number; match: number } {
  const first = patterns[0]!;
  const mask = patterns.reduce(
    (bits, pattern) => bits & pattern.mask & ~(pattern.match ^ first.match),
    0xffffffff,
  );
  return { mask: mask >>> 0, match: (first.match & mask) >>> 0 };
}
