// el3/link/hw.c and epitaph.c on QEMU: two cores at EL3 contend for a lock, memory operations are checked, and the
// program ends by an access out of bounds.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildFirmware, type Firmware } from "./build-firmware.ts";
import { firmwareSources } from "./layout.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-hw-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const LAST_LINE = /SPSR_EL3 0x[0-9a-f]+/;
const TIMEOUT_MS = 30_000;
let firmware: Firmware;

before(async () => {
  firmware = await buildFirmware({
    outDir: join(folder, "build"),
    sources: {
      ...firmwareSources,
      entry: "el3/fixture/machine/main.ts",
      interface: "el3/fixture/machine.gen.txt",
      vectors: "el3/fixture/machine-vectors",
    },
  });
});

/** What the secure UART says until the monitor has stopped. */
async function secureConsole(elf: string): Promise<string> {
  const flash = join(folder, "flash.bin");
  const log = join(folder, "secure.log");
  execFileSync("llvm-objcopy-19", [
    "-O",
    "binary",
    "--only-section=.text",
    "--only-section=.rodata",
    elf,
    flash,
  ]);
  truncateSync(flash, 64 << 20);
  const qemu = spawn("qemu-system-aarch64", [
    ...[
      "-M",
      "virt,secure=on,virtualization=on,gic-version=3",
      "-cpu",
      "cortex-a57",
      "-smp",
      "2",
      "-m",
      "64",
    ],
    ...["-accel", "tcg,thread=multi,tb-size=32", "-nographic", "-nodefaults", "-net", "none", "-bios", flash],
    ...["-serial", "null", "-serial", `file:${log}`],
  ]);
  try {
    for (let waited = 0; waited < TIMEOUT_MS && qemu.exitCode === null; waited += 50) {
      await sleep(50);
      const text = readText(log);
      if (LAST_LINE.test(text)) return text;
    }
    return readText(log);
  } finally {
    qemu.kill("SIGKILL");
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

test("locks, swaps, memory, registers and the counter do what they say on two cores", async () => {
  const text = await secureConsole(firmware.elf);

  // L locked count, S swapped count, D data segments, Z zero, C copy, W widths, T time, R registers.
  assert.match(text, /^LSDZCWTR/, text);
});

test("an access out of bounds stops the machine and says where", async () => {
  const text = await secureConsole(firmware.elf);

  assert.match(text, /monitor stopped: code 0x0{15}1 a 0x0{16} b 0x0{16}/, text);
  const at = BigInt(/at (0x[0-9a-f]{16})/.exec(text)![1]!);
  const start = firmware.symbols.get("storeAt")!;
  assert.ok(at >= start && at < start + 0x80n, `at ${at.toString(16)}, storeAt is at ${start.toString(16)}`);
});
