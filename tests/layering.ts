// Who may import whom (docs: ARCHITECTURE, the map of folders). What runs at EL3 sees words and constants only, so
// that a reviewer of the trusted code reads one folder.

import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";

export interface Rule {
  readonly folder: string;
  /** Folders of the project that files in `folder` may import from; a single file by its path. */
  readonly mayImport: readonly string[];
  /** Packages and `node:` modules: all, none, or these. */
  readonly packages: boolean | readonly string[];
}

export const RULES: readonly Rule[] = [
  { folder: "abi", mayImport: ["abi"], packages: false },
  { folder: "arm", mayImport: ["arm", "abi"], packages: true },
  { folder: "el3/monitor", mayImport: ["el3/monitor", "abi"], packages: false },
  { folder: "el3/runtime", mayImport: ["el3/runtime"], packages: false },
  { folder: "sel0", mayImport: ["sel0", "abi"], packages: false },
  { folder: "el2", mayImport: ["el2", "abi", "arm"], packages: false },
  { folder: "el1", mayImport: ["el1", "abi"], packages: false },
  { folder: "spec", mayImport: ["spec", "abi"], packages: false },
  {
    folder: "host",
    mayImport: ["host", "abi", "arm", "el1", "el2", "sel0", "spec", "tests", "bench"],
    packages: true,
  },
  // A library by itself.
  { folder: "host/attest", mayImport: ["host/attest", "abi/attestation.ts"], packages: ["node:crypto"] },
];

/** One line for each import that breaks a rule. */
export async function layeringViolations(root: string, rules: readonly Rule[] = RULES): Promise<string[]> {
  const found: string[] = [];
  for (const rule of rules) {
    for (const path of await sources(join(root, rule.folder))) {
      for (const target of importsOf(await readFile(path, "utf8"))) {
        const complaint = judge(root, path, target, rule);
        if (complaint !== undefined) found.push(`${relative(root, path)}: ${complaint}`);
      }
    }
  }
  return found;
}

function judge(root: string, path: string, target: string, rule: Rule): string | undefined {
  if (!target.startsWith(".")) {
    const { packages } = rule;
    if (packages === true || (packages !== false && packages.includes(target))) return undefined;
    const allowed = packages === false ? "none" : `only ${packages.join(", ")}`;
    return `imports the package ${target}; files in ${rule.folder}/ import ${allowed}`;
  }
  const place = relative(root, resolve(dirname(path), target));
  if (rule.mayImport.some((allowed) => place === allowed || place.startsWith(`${allowed}/`)))
    return undefined;
  return `imports ${place}; files in ${rule.folder}/ may import from ${rule.mayImport.join(", ")}`;
}

function importsOf(text: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^"';]*?from\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3]!);
}

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return (
    entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      // Tests bring their own tools, and fixtures are other people's code.
      .filter((path) => !path.endsWith(".test.ts") && !path.includes("/fixture/"))
  );
}
