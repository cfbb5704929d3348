// What documents claim about the tree: files that exist, commands and options that exist, lines that fit a screen.

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../cli/commands.ts";
import { projectFolder } from "../paths.ts";
import { measure, REASONS, trustedFiles } from "./tcb.ts";
import { listedFiles, tcbText, writtenText } from "./tcb-text.ts";

const GENERATED = "docs/registers.md";
const documents = globSync(["*.md", "{abi,arm,bench,docs,el1,el2,el3,host,sel0,spec,tests}/**/*.md"], {
  cwd: projectFolder,
}).filter((path) => path !== GENERATED);
const textOf = (path: string) => readFileSync(join(projectFolder, path), "utf8");

test("el3/README.md lists the files of the trusted code, no more and no fewer", async () => {
  const files = await trustedFiles(projectFolder);

  const listed = listedFiles(textOf("el3/README.md")).sort();
  assert.deepEqual(listed, files.map(({ path }) => path).sort(), "run `./vtz tcb --write`");
});

test("README.md shows the same sizes of the trusted code as el3/README.md, for every folder", async () => {
  const sizes = writtenText(textOf("README.md"));
  const folders = new Set((await trustedFiles(projectFolder)).map(({ folder }) => folder));

  assert.ok(writtenText(textOf("el3/README.md")).startsWith(sizes), "run `./vtz tcb --write`");
  for (const folder of folders) assert.ok(sizes.includes(`| \`${folder}/\` |`), folder);
  assert.match(sizes, /^The binary: \d+ bytes of code/m);
});

test("the lines of code that both documents tell are those of the files", async () => {
  const files = await trustedFiles(projectFolder);
  const sizes = /The binary: (\d+) bytes of code and (\d+) of constants[^,]*,\n(\d+) bytes/.exec(
    textOf("README.md"),
  )!;
  const [text, rodata, sram] = sizes.slice(1).map(Number);

  // The binary's sizes are the build's: here only what the files say.
  const now = tcbText(files, { text: text!, rodata: rodata!, sram: sram! });
  assert.equal(writtenText(textOf("el3/README.md")).trim(), now.trim(), "run `./vtz tcb --write`");
});

test("every folder of the trusted code says why it is trusted, every file what it is", async () => {
  const files = await trustedFiles(projectFolder);

  const folders = [...new Set(files.map(({ folder }) => folder))].sort();
  assert.deepEqual(folders, REASONS.map(([folder]) => folder).sort());
  assert.deepEqual(
    files.filter(({ summary }) => summary === "").map(({ path }) => path),
    [],
  );
});

test("lines of code are counted without comments and blank lines", () => {
  const text = "/*\n * What it is. More.\n */\n\nint a; /* here\n */ int b;\n// not this\nint c;\n";

  const { lines, codeLines, summary } = measure("el3/link/x.c", text);

  assert.deepEqual([lines, codeLines, summary], [8, 3, "What it is."]);
});

for (const path of documents) {
  const text = textOf(path);

  test(`${path}: lines are at most 120 columns wide`, () => {
    const wide = text.split("\n").flatMap((line, index) => (line.length > 120 ? [index + 1] : []));
    assert.deepEqual(wide, []);
  });

  test(`${path}: what it links to is there`, () => {
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1]!);
    const missing = targets.filter(
      (target) => !/^[a-z]+:/.test(target) && !existsSync(join(projectFolder, dirname(path), target)),
    );
    assert.deepEqual(missing, []);
  });

  test(`${path}: the commands and options that it names exist`, async () => {
    const wrong: string[] = [];
    for (const [whole, name, rest] of text.matchAll(/(?:\.\/vtz|`vtz) ([a-z]+)([^`\n|#)]*)/g)) {
      const load = Object.hasOwn(COMMANDS, name!) ? COMMANDS[name!] : undefined;
      const known = load === undefined ? undefined : Object.keys((await load()).default.argumentNames);
      const options = [...rest!.split(" -- ")[0]!.matchAll(/ --([a-z-]+)/g)].map((match) => match[1]!);
      if (known === undefined || options.some((option) => option !== "help" && !known.includes(option)))
        wrong.push(whole);
    }
    assert.deepEqual(wrong, []);
  });
}
