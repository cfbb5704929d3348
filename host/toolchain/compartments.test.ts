// Compartments on QEMU (el3/fixture/compartments): what the test compartment may do, and every boundary that it meets.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MISBEHAVING } from "../../sel0/manifest.ts";
import { secureConsole } from "../qemu/bare-machine.ts";
import { buildFirmware } from "./build-firmware.ts";
import { firmwareSources } from "./layout.ts";

const folder = mkdtempSync(join(tmpdir(), "vtz-compartments-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** In the order in which the fixture checks them. */
const CHECKS = [
  // What the module tries, through WebAssembly.
  "a lawful call answers in registers and in its message",
  "its memory lives on between calls, if its row says so",
  "unreachable code traps, and the next call finds new memory",
  "a division by zero traps",
  "an address past the linear memory traps",
  "page 0 of the linear memory is not there to be read",
  "memory behind what its row gives is not there to be read",
  "… nor to be written",
  "its window is not there if nothing is lent",
  "a call that does not end is stopped",
  // What is lent.
  "pages that are lent can be read",
  "a block and a page that are lent can be read",
  "the byte behind a lent page cannot",
  "the byte behind a lent block cannot",
  "what is lent to be written can be written",
  "what is lent to be read cannot be written",
  "what one call was lent the next one does not have",
  "secure RAM, devices, and more than fits are not lent",
  // Instructions in the place of its own.
  "code in its place runs, and can leave",
  "its code can be read",
  "its code cannot be written",
  "the page of S-EL1 cannot be read",
  "the page of S-EL1 cannot be executed",
  "its stack cannot be executed",
  "its variables cannot be executed",
  "its linear memory cannot be executed",
  "below its stack lies nothing",
  "the monitor's memory has no address",
  "the secure UART has no address",
  "normal memory has no address",
  "the high half of the address space is empty",
  "SMC and HVC are undefined",
  "WFI traps",
  "ERET is undefined",
  "interrupts cannot be unmasked",
  "the counters cannot be read",
  "system registers cannot be read or written",
  "TLB and caches cannot be maintained",
  "FP registers cannot be used",
  "an SVC that is none of the two is refused",
  "a branch to itself is stopped",
  "the thread pointer is zero",
];

let letters = "";
let ticks = 0n;
let text = "";

/** Another tree to build (tests/mutants). */
const { VTZ_FIRMWARE_ROOT } = process.env;

before(async () => {
  const firmware = await buildFirmware({
    outDir: join(folder, "build"),
    sources: {
      ...firmwareSources,
      root: VTZ_FIRMWARE_ROOT ?? firmwareSources.root,
      entry: "el3/fixture/compartments/main.ts",
      interface: "el3/fixture/compartments.gen.txt",
    },
    compartments: [MISBEHAVING],
  });
  text = await secureConsole({
    bin: firmware.bin,
    folder,
    end: / [0-9a-f]{16}\n|SPSR_EL3 0x[0-9a-f]+/,
    coreCount: 1,
    memoryMib: 128,
  });
  const [said, hex] = text.split(" ");
  letters = said!.replaceAll(/\s/g, "");
  ticks = BigInt(`0x${hex?.trim() ?? "0"}`);
});

for (const [index, name] of CHECKS.entries()) {
  test(name, () => {
    const letter = String.fromCharCode(0x41 + (index % 26));
    assert.equal(letters[index], letter, `the fixture said: ${text}`);
  });
}

test("every check of the fixture has a name here", () => {
  assert.equal(letters.length, CHECKS.length, text);
  assert.ok(ticks > 0n, text);
});
