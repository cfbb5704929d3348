// vtz bench: what a world switch costs, in instructions, beside native TrustZone.

import { availableParallelism, loadavg } from "node:os";
import { runBench } from "../../bench/bench.ts";
import { readNative, report } from "../../bench/report.ts";
import { TEE_NAMES, type TeeName } from "../../el1/tees/profiles.ts";
import { type DemoResult, runDemo } from "../machine/demo-run.ts";
import { Machine } from "../machine/machine.ts";
import { writeAtomically } from "../machine/state.ts";
import { evidenceFolder } from "../paths.ts";
import { endProcess } from "../qemu/process.ts";
import { ensureHost } from "../setup/install.ts";
import { command, say } from "./command.ts";
import { Progress } from "./progress.ts";
import { onSignal } from "./signals.ts";

const DEMO_TIMEOUT_MS = 15 * 60_000;
const GUEST_MEMORY_MIB = 320;

export default command({
  name: "bench",
  description: "Count the instructions of a world switch and of a TA invoke, beside native TrustZone",
  args: {
    tee: { type: "enum", options: [...TEE_NAMES], description: "the guests' TEE", default: TEE_NAMES[0]! },
    quick: { type: "boolean", description: "fast SMCs only" },
    demo: { type: "boolean", description: "time the demo, too, and its peak memory" },
    json: { type: "string", description: "write the figures to this file", valueHint: "FILE" },
  },
  examples: ["vtz bench", "vtz bench --quick", "vtz bench --tee optee-4.10 --demo --json figures.json"],
  async run({ args }) {
    const progress = new Progress();
    await ensureHost(progress.line);
    const tee = args.tee as TeeName;
    const forget: (() => void)[] = [];
    const result = await runBench({
      tee,
      hasInvokes: args.quick !== true,
      onProgress: progress.line,
      onLaunch: (qemu) => forget.push(onSignal(() => endProcess(qemu))),
      onStart: (name) => forget.push(onSignal(() => Machine.remove(name))),
    });
    for (const undo of forget) undo();
    say(`\n${report(result, await readNative())}`);

    const load = loadavg()[0]!.toFixed(1);
    const demo = args.demo === true ? await timeDemo(tee, progress) : undefined;
    if (demo !== undefined)
      say(
        `\nvtz demo: ${demo.passed ? "passed" : "FAILED"}, ${demo.seconds.toFixed(0)} s, QEMU's peak ${demo.qemuPeakMib} MiB (${availableParallelism()} cores, load ${load} before)`,
      );
    if (args.json !== undefined)
      await writeAtomically(
        args.json,
        `${JSON.stringify({ ...result, ...(demo === undefined ? {} : { demo }) }, null, 2)}\n`,
      );
    process.exitCode = demo?.passed === false ? 1 : 0;
  },
});

function timeDemo(tee: TeeName, progress: Progress): Promise<DemoResult> {
  return runDemo({
    tee,
    guestCount: 2,
    isFull: false,
    memoryMib: GUEST_MEMORY_MIB,
    timeoutMs: DEMO_TIMEOUT_MS,
    evidenceFolder: evidenceFolder("bench"),
    onProgress: progress.line,
    onSignal,
  });
}
