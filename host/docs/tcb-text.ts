// What `vtz tcb --write` writes into documents: a table by folder into README.md, the same and every file into el3/README.md.

import { byFolder, REASONS, type TrustedFile } from "./tcb.ts";

export interface BinarySizes {
  readonly text: number;
  readonly rodata: number;
  /** Secure SRAM that it uses: stacks, linear memory and its guard zone. */
  readonly sram: number;
}

const BEGIN = "<!-- made by `vtz tcb --write`: begin -->";
const END = "<!-- end -->";
const WIDTH = 120;

export function sizesFrom(symbols: ReadonlyMap<string, bigint>): BinarySizes {
  const between = (first: string, last: string) => {
    const [from, to] = [symbols.get(first), symbols.get(last)];
    if (from === undefined || to === undefined)
      throw new Error(`the monitor has no symbol ${first} or ${last}`);
    return Number(to - from);
  };
  return {
    text: between("text_start", "text_end"),
    rodata: between("rodata_start", "rodata_end"),
    sram: between("sram_start", "sram_end"),
  };
}

export function tcbText(files: readonly TrustedFile[], sizes: BinarySizes): string {
  return [tcbSizes(files, sizes), ...byFolder(files).flatMap(({ folder }) => section(folder, files))].join(
    "\n",
  );
}

export function tcbSizes(files: readonly TrustedFile[], sizes: BinarySizes): string {
  const folders = byFolder(files);
  const total = (key: "fileCount" | "codeLines" | "generatedLines") =>
    folders.reduce((sum, folder) => sum + folder[key], 0);
  const rows = folders.map(
    ({ folder, fileCount, codeLines, generatedLines }) =>
      `| \`${folder}/\` | ${fileCount} | ${codeLines} | ${generatedLines} |`,
  );
  return [
    "| folder | files | lines of code | generated |",
    "|---|--:|--:|--:|",
    ...rows,
    `| all | ${total("fileCount")} | ${total("codeLines")} | ${total("generatedLines")} |`,
    "",
    `The binary: ${sizes.text} bytes of code and ${sizes.rodata} of constants in secure flash (page aligned),`,
    `${sizes.sram} bytes of secure SRAM.`,
  ].join("\n");
}

function section(folder: string, files: readonly TrustedFile[]): string[] {
  const reason = REASONS.find(([known]) => known === folder)?.[1];
  const heading = ["", `### \`${folder}/\``, ""];
  const why = reason === undefined ? [] : [...wrap(`Why it is trusted: ${reason}.`), ""];
  const own = files.filter((file) => file.folder === folder);
  return [...heading, ...why, ...own.flatMap(item)];
}

function item({ path, folder, codeLines, summary }: TrustedFile): string[] {
  const name = path.slice(folder.length + 1);
  return wrap(`- \`${name}\` (${codeLines})${summary === "" ? "" : `: ${summary}`}`, "  ");
}

function wrap(text: string, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `readme` with the part between the marks replaced. */
export function withTcbText(readme: string, text: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error("the document has lost its marks for `vtz tcb`");
  return `${readme.slice(0, begin)}${BEGIN}\n\n${text}\n\n${readme.slice(end)}`;
}

/** What stands between the marks. */
export function writtenText(document: string): string {
  return document.slice(document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)).trim();
}

/** The files that a README made by `tcbText` lists. */
export function listedFiles(readme: string): string[] {
  const found: string[] = [];
  let folder = "";
  for (const line of readme.slice(readme.indexOf(BEGIN)).split("\n")) {
    folder = /^### `(.+)\/`$/.exec(line)?.[1] ?? folder;
    const name = /^- `([^`]+)` \(\d+\)/.exec(line)?.[1];
    if (name !== undefined) found.push(`${folder}/${name}`);
  }
  return found;
}
