// el3/link/hw.c and epitaph.c on QEMU: two cores at EL3 contend for a lock, memory operations are checked, and the
// program ends by an access out of bounds.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { secureConsole } from "../qemu/bare-machine.ts";
import { buildFirmware, type Firmware } from "./build-firmware.ts";
import { firmwareSources } from "./layout.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-hw-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const LAST_LINE = /SPSR_EL3 0x[0-9a-f]+/;
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
function runFixture(): Promise<string> {
  return secureConsole({ bin: firmware.bin, folder, end: LAST_LINE, coreCount: 2, memoryMib: 64 });
}

test("locks, swaps, memory, registers and the counter do what they say on two cores", async () => {
  const text = await runFixture();

  // L locked count, S swapped count, D data segments, Z zero, C copy, W widths, T time, R registers.
  assert.match(text, /^LSDZCWTR/, text);
});

test("an access out of bounds stops the machine and says where", async () => {
  const text = await runFixture();

  assert.match(text, /monitor stopped: code 0x0{15}1 a 0x0{16} b 0x0{16}/, text);
  const at = BigInt(/at (0x[0-9a-f]{16})/.exec(text)![1]!);
  const start = firmware.symbols.get("storeAt")!;
  assert.ok(at >= start && at < start + 0x80n, `at ${at.toString(16)}, storeAt is at ${start.toString(16)}`);
});
