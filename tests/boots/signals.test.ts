// Ctrl-C at any time: nothing is left behind, and what is known is kept.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";
import { projectFolder } from "../../host/paths.ts";

const MOMENTS: [string, RegExp][] = [
  ["while Xen boots", /starting QEMU/],
  ["while a guest is created", /creating guest1/],
];

for (const [when, line] of MOMENTS) {
  test(`a demo that is interrupted ${when} ends at once and leaves no process`, {
    timeout: 120_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "vtz-signal-"));
    const evidence = join(folder, "evidence");
    const demo = execa(join(projectFolder, "vtz"), ["demo", "--guests", "1", "--evidence", evidence], {
      reject: false,
      stdin: "ignore",
      env: { VTZ_STATE: join(folder, "state") },
    });
    try {
      await lineOf(demo.stderr!, line);
      demo.kill("SIGINT");
      const start = performance.now();
      const { exitCode, stderr } = await demo;

      assert.equal(exitCode, 130);
      assert.ok(performance.now() - start < 10_000);
      assert.doesNotMatch(stderr, /bug of vtz/);
      assert.deepEqual(await processesIn(folder), []);
      assert.deepEqual(await readdir(join(folder, "state", "machines")), []);
      // Before QEMU has opened them there are no logs to keep.
      if (when !== "while Xen boots") assert.ok((await readdir(evidence)).includes("uart-normal.log"));
    } finally {
      demo.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  });
}

async function lineOf(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<void> {
  let text = "";
  while (!pattern.test(text)) text += String((await once(stream, "data"))[0]);
}

/** Processes whose current folder lies below. */
async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return folders.filter((path) => path.startsWith(folder));
}
