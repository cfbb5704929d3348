// The compartments, from AssemblyScript to the table of images that lies behind the monitor in secure flash:
// asc → gate → wasm2c → clang and lld → flat binary, each by itself.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  COMPARTMENT_BSS_VA,
  COMPARTMENT_LINEAR_VA,
  COMPARTMENT_SVC_DONE,
  COMPARTMENT_SVC_TRAP,
  COMPARTMENT_TEXT_VA,
} from "../../abi/compartment-images.ts";
import { COMPARTMENT_MEMORY_SIZE, COMPARTMENT_STATICS_PTR } from "../../abi/compartments.ts";
import type { CompartmentRow } from "../../sel0/manifest.ts";
import { UserError } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { type CompartmentImage, encodeCompartmentImages } from "./compartment-images.ts";
import { fingerprint } from "./fingerprint.ts";
import { buildFlatModule } from "./flat-module.ts";
import type { FirmwareSources } from "./layout.ts";
import { WASM_PAGE_SIZE } from "./layout.ts";
import type { ModuleFacts } from "./module-facts.ts";

const LINK = "sel0/link";

const ADDRESSES = {
  TEXT_VA: COMPARTMENT_TEXT_VA,
  BSS_VA: COMPARTMENT_BSS_VA,
  LINEAR_VA: COMPARTMENT_LINEAR_VA,
};
const DEFINES = {
  SVC_DONE: COMPARTMENT_SVC_DONE,
  SVC_TRAP: COMPARTMENT_SVC_TRAP,
};
const INPUTS = [
  "abi",
  "sel0",
  "el3/link",
  "el3/runtime",
  "host/toolchain",
  "node_modules/assemblyscript/dist",
];

export interface BuiltCompartments {
  /** The table and the images, as bytes of flash. */
  readonly file: string;
  /** The modules, in the order of their numbers. */
  readonly wasms: readonly string[];
}

/** Builds what is in `rows`; nothing is done if nothing has changed. */
export async function buildCompartments(
  sources: FirmwareSources,
  outDir: string,
  rows: readonly CompartmentRow[],
): Promise<BuiltCompartments> {
  const file = join(outDir, "compartments.bin");
  const wasms = rows.map(({ name }) => join(outDir, name, `${name}.wasm`));
  const inputs = await fingerprint(sources.root, INPUTS, JSON.stringify(rows) + process.version);
  const stamp = join(outDir, "compartments.stamp");
  if ((await readFile(stamp, "utf8").catch(() => "")) === inputs) return { file, wasms };

  const images = await Promise.all(rows.map((row) => buildOne(sources, join(outDir, row.name), row)));
  await makeFolder(outDir);
  await writeFile(`${file}.new`, encodeCompartmentImages(images));
  await rename(`${file}.new`, file);
  await writeFile(stamp, inputs);
  return { file, wasms };
}

async function buildOne(
  sources: FirmwareSources,
  outDir: string,
  row: CompartmentRow,
): Promise<CompartmentImage> {
  const { bin, symbols } = await buildFlatModule(sources, outDir, {
    what: "a compartment",
    fileName: row.name,
    moduleName: "compartment",
    entry: row.entry,
    memory: { pages: COMPARTMENT_MEMORY_SIZE / WASM_PAGE_SIZE, base: COMPARTMENT_STATICS_PTR },
    natives: [`${LINK}/start.S`],
    linkerScript: `${LINK}/compartment.ld`,
    addresses: ADDRESSES,
    defines: DEFINES,
    sections: [".text", ".rodata"],
    check: (facts) => refuseAuthority(row, facts),
  });
  const textSize = Number(symbols.get("text_end")! - symbols.get("text_start")!);
  return { row, bytes: await readFile(bin), textSize };
}

/** What a compartment can do is to answer: it imports nothing, and there is one way in. */
function refuseAuthority(row: CompartmentRow, facts: ModuleFacts): void {
  const imported = facts.imports.length > 0;
  const entered = facts.functions.length === 1 && facts.functions[0] === "call";
  if (!imported && entered) return;
  const what = imported ? `imports ${facts.imports.join(", ")}` : `exports ${facts.functions.join(", ")}`;
  throw new UserError(
    "compartment-refused",
    `the compartment ${row.name} ${what}`,
    "a compartment imports nothing and exports one function, call (sel0/README.md)",
  );
}
