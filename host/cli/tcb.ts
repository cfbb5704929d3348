// vtz tcb: how large the trusted code is, by folder and as a binary.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { byFolder, trustedFiles } from "../docs/tcb.ts";
import { sizesFrom, tcbSizes, tcbText, withTcbText } from "../docs/tcb-text.ts";
import { writeAtomically } from "../machine/state.ts";
import { projectFolder } from "../paths.ts";
import { ensureHost } from "../setup/install.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";
import { Progress } from "./progress.ts";
import { table } from "./table.ts";

export default command({
  name: "tcb",
  description: "Lines and bytes of the trusted code at EL3, by folder",
  args: {
    ...jsonOption,
    files: { type: "boolean", description: "every file" },
    write: { type: "boolean", description: "write the tables of README.md and el3/README.md" },
  },
  examples: ["vtz tcb", "vtz tcb --files", "vtz tcb --json | jq .sizes", "vtz tcb --write"],
  async run({ args }) {
    await ensureHost(new Progress().line);
    const files = await trustedFiles(projectFolder);
    const { symbols } = await buildFirmware();
    const sizes = sizesFrom(symbols);
    if (args.write === true) {
      await rewrite("README.md", tcbSizes(files, sizes));
      return rewrite("el3/README.md", tcbText(files, sizes));
    }
    if (args.json === true) return sayJson({ sizes, folders: byFolder(files), files });
    const rows = args.files === true ? fileRows(files) : folderRows(files);
    say(table(rows));
    say(`\n${sizes.text} bytes of code, ${sizes.rodata} of constants, ${sizes.sram} of secure SRAM`);
  },
});

async function rewrite(document: string, text: string): Promise<void> {
  const path = join(projectFolder, document);
  await writeAtomically(path, withTcbText(await readFile(path, "utf8"), text));
  say(`${path}: written`);
}

function folderRows(files: Parameters<typeof byFolder>[0]): string[][] {
  const folders = byFolder(files);
  const sum = (key: "fileCount" | "codeLines" | "generatedLines") =>
    String(folders.reduce((total, folder) => total + folder[key], 0));
  return [
    ["FOLDER", "FILES", "CODE", "GENERATED"],
    ...folders.map(({ folder, fileCount, codeLines, generatedLines }) => [
      folder,
      String(fileCount),
      String(codeLines),
      String(generatedLines),
    ]),
    ["all", sum("fileCount"), sum("codeLines"), sum("generatedLines")],
  ];
}

function fileRows(files: Parameters<typeof byFolder>[0]): string[][] {
  return [
    ["FILE", "LINES", "CODE"],
    ...files.map(({ path, lines, codeLines }) => [path, String(lines), String(codeLines)]),
  ];
}
