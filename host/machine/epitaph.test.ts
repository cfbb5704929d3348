// The monitor's last words, as C prints them, read and explained.

import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EPITAPH_FATAL, FATAL_FORBIDDEN_INSTRUCTION, FATAL_STAGE1 } from "../../abi/epitaph.ts";
import { XEN_PA } from "../../abi/memory-map.ts";
import type { UserError } from "../errors.ts";
import { projectFolder } from "../paths.ts";
import { explainEpitaph, explainedCodes, parseEpitaph, watchEpitaph } from "./epitaph.ts";

const wordOf = (value: number) => value.toString(16).padStart(16, "0");
const lastWords = (code: number, a: number, b: number) =>
  `\r\n[vtz] monitor stopped: code 0x${wordOf(code)} a 0x${wordOf(a)} b 0x${wordOf(b)}\r\n[vtz]   at 0x${wordOf(0)}`;
const MSR_HCR_X7 = 0xd51c1107;

test("every code of the monitor has words, and so has one that nobody knows", async () => {
  const text = await readFile(join(projectFolder, "abi/epitaph.ts"), "utf8");
  const codes = [...text.matchAll(/const FATAL_\w+: u32 = (\d+)/g)].map(([, code]) => Number(code));

  assert.deepEqual(
    explainedCodes(),
    codes.sort((a, b) => a - b),
  );
  for (const code of [...codes, 77]) {
    const error = explainEpitaph({ code: EPITAPH_FATAL + code, a: 1n, b: 2n }, "/machine");
    assert.equal(error.code, "monitor-stopped");
    assert.equal(error.message.includes("\n"), false);
    assert.match(error.hint ?? "", /\/machine\/uart-secure\.log/);
  }
});

test("an instruction that the hypervisor may not have is named, with its place in the image", () => {
  const code = EPITAPH_FATAL + FATAL_FORBIDDEN_INSTRUCTION;
  const epitaph = parseEpitaph(`[tee 1] hello\r\n${lastWords(code, XEN_PA + 0x5a9b4, MSR_HCR_X7)}\r\n`);

  const { message, hint } = explainEpitaph(epitaph!, "/machine");

  assert.match(
    message,
    /`msr HCR_EL2, x7` \(0xd51c1107\) at physical 0x4805a9b4, offset 0x5a9b4 of its image/,
  );
  assert.match(hint ?? "", /vtz harden/);
});

test("a log without last words, or with a part of them, has none", () => {
  assert.equal(parseEpitaph("[tee 1] monitor stopped: code 0x1"), undefined);
  assert.equal(parseEpitaph(lastWords(1, 2, 3).slice(0, 60)), undefined);
});

test("whoever waits learns of them when they come, also in two pieces", { timeout: 20_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "vtz-epitaph-"));
  const log = join(folder, "uart-secure.log");
  const words = lastWords(EPITAPH_FATAL + FATAL_STAGE1, 0x1000, 0x2000);
  try {
    await writeFile(log, "x".repeat(10_000));
    const death = watchEpitaph(folder, new AbortController().signal);
    const isTold = assert.rejects(death, (error: UserError) =>
      /cannot be locked down: 0x2000 at 0x1000/.test(error.message),
    );

    await appendFile(log, words.slice(0, 50));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await appendFile(log, words.slice(50));

    await isTold;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
