import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runDemo } from "../../host/machine/demo-run.ts";
import { evidenceFolder } from "../../host/paths.ts";
import { BOOT_ROWS, timeScale } from "./rows.ts";

const MINUTE = 60_000 * timeScale;
const { VTZ_FULL } = process.env;

for (const { name, tee, guestCount, isFull, cases, limitMinutes } of BOOT_ROWS) {
  const skip = isFull && VTZ_FULL !== "1" ? "takes long: vtz test --full" : false;
  test(name, { skip, timeout: limitMinutes * MINUTE }, async (t) => {
    const limitMs = limitMinutes * MINUTE;
    const result = await runDemo({
      tee,
      guestCount,
      isFull,
      ...(cases === undefined ? {} : { cases }),
      memoryMib: 320,
      timeoutMs: limitMs - MINUTE,
      evidenceFolder: evidenceFolder(`test-${tee}`),
      onProgress: (line) => t.diagnostic(line),
      onSignal: () => () => undefined,
    });

    assert.deepEqual(
      result.rows.map(({ guest, problem }) => ({ guest, problem })),
      Array.from({ length: guestCount }, (_, index) => ({ guest: `guest${index + 1}`, problem: undefined })),
    );
    assert.ok(result.rows.every(({ switches }) => switches !== undefined && switches > 0));
    const kept = await readdir(result.evidence);
    for (const file of [
      "qemu-command.txt",
      "inputs.json",
      "status.json",
      "uart-secure.log",
      "console-guest1.log",
    ]) {
      assert.ok(kept.includes(file), `${file} is missing from ${result.evidence}`);
    }
    const command = await readFile(join(result.evidence, "qemu-command.txt"), "utf8");
    assert.deepEqual(
      command.match(/file=[^, ]*xen[^, ]*/g),
      ["file=xen-hardened.bin"],
      "only a hardened Xen",
    );
  });
}
