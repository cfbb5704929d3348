// What a call of a compartment costs: opened, entered, left and closed again, by the firmware of el3/fixture/compartments
// under QEMU's instruction counter.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { secureConsole } from "../host/qemu/bare-machine.ts";
import { buildFirmware } from "../host/toolchain/build-firmware.ts";
import { firmwareSources } from "../host/toolchain/layout.ts";
import { MISBEHAVING } from "../sel0/manifest.ts";

/** Of the fixture. */
const TIMED_CALLS = 1024;
/** One instruction is one nanosecond; the system counter has 62.5 MHz. */
const INSTRUCTIONS_PER_TICK = 16;
const FIGURE = / ([0-9a-f]{16})\n/;

/** Instructions of one call that does next to nothing. */
export async function measureCompartmentCall(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "vtz-bench-compartments-"));
  try {
    const { bin } = await buildFirmware({
      outDir: join(folder, "build"),
      sources: {
        ...firmwareSources,
        entry: "el3/fixture/compartments/main.ts",
        interface: "el3/fixture/compartments.gen.txt",
      },
      compartments: [MISBEHAVING],
    });
    const options = { bin, folder, end: FIGURE, coreCount: 1, memoryMib: 128 };
    const text = await secureConsole({ ...options, isCounting: true });
    const ticks = FIGURE.exec(text)?.[1];
    if (ticks === undefined) throw new Error(`the firmware of the benchmark has said no figure: ${text}`);
    return (Number.parseInt(ticks, 16) * INSTRUCTIONS_PER_TICK) / TIMED_CALLS;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
