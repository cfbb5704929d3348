// What the model must know of the monitor's sources: its constants and the layouts of its @unmanaged classes, read from the text, so
// that a change there needs none here. Nothing of this is known to the tests' expectations but the names.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../host/paths.ts";

export interface FieldPlace {
  readonly offset: number;
  readonly size: number;
}
export type Structure = ReadonlyMap<string, FieldPlace>;

const MONITOR = join(projectFolder, "el3/monitor");
const SIZES: Record<string, number> = { u8: 1, u16: 2, u32: 4, u64: 8, i64: 8, usize: 4 };
const REFERENCE_SIZE = 4;

const texts = new Map(
  globSync("**/*.ts", { cwd: MONITOR }).map((name) => [name, readFileSync(join(MONITOR, name), "utf8")]),
);

/** Every `const NAME: type = number` of the monitor, the generated ones included. */
export const WORDS: ReadonlyMap<string, bigint> = new Map(
  [...texts.values()].flatMap((text) =>
    [...text.matchAll(/^(?:export )?const (\w+): \w+ = (0x[0-9a-f_]+|\d+);/gm)].map(
      ([, name, value]) => [name!, BigInt(value!.replaceAll("_", ""))] as const,
    ),
  ),
);

export function word(name: string): bigint {
  const value = WORDS.get(name);
  if (value === undefined) throw new Error(`the monitor has no constant ${name}`);
  return value;
}

export const size = (name: string): number => Number(word(name));

/** Fields of a class in memory: natural alignment, references are offsets in linear memory. */
export function structure(className: string): Structure {
  for (const text of texts.values()) {
    const body = text.match(new RegExp(`^export class ${className} \\{([^}]*)^\\}`, "m"))?.[1];
    if (body !== undefined) return layOut(body);
  }
  throw new Error(`the monitor has no class ${className}`);
}

function layOut(body: string): Structure {
  const fields = new Map<string, FieldPlace>();
  let offset = 0;
  for (const [, name, type] of body.matchAll(/^ {2}(\w+): ([\w |]+);/gm)) {
    const length = SIZES[type!] ?? REFERENCE_SIZE;
    offset = Math.ceil(offset / length) * length;
    fields.set(name!, { offset, size: length });
    offset += length;
  }
  return fields;
}

/** Sizes of the static buffers in storage.ts, in their order. */
export function buffers(): Map<string, number> {
  const text = texts.get("storage.ts")!;
  return new Map(
    [...text.matchAll(/^const (\w+): usize = memory\.data\((\d+), 64\)/gm)].map(([, name, length]) => [
      name!,
      Number(length),
    ]),
  );
}

export function declaredImports(): string[] {
  return [...texts.get("hw.ts")!.matchAll(/^export declare function (\w+)/gm)].map(([, name]) => name!);
}
