// vtz bench: what a world switch costs, beside native TrustZone, and what hardened Xen costs, beside stock Xen; in instructions.

import { availableParallelism, loadavg } from "node:os";
import { type BenchOptions, type BenchResult, runBench } from "../../bench/bench.ts";
import { measureCompartmentCall } from "../../bench/compartments.ts";
import { type HypervisorResult, runHypervisorBench } from "../../bench/hypervisor.ts";
import { compare, hypervisorReport } from "../../bench/hypervisor-report.ts";
import { readNative, report } from "../../bench/report.ts";
import { TEE_NAMES, type TeeName } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import { type DemoResult, runDemo } from "../machine/demo-run.ts";
import { Machine } from "../machine/machine.ts";
import { evidenceFolder } from "../paths.ts";
import { endProcess } from "../qemu/process.ts";
import { ensureHost } from "../setup/install.ts";
import { command, say } from "./command.ts";
import { checkOutput, writeOutput } from "./output-file.ts";
import { Progress } from "./progress.ts";
import { onSignal } from "./signals.ts";

const DEMO_TIMEOUT_MS = 15 * 60_000;
const GUEST_MEMORY_MIB = 320;

const WHAT = ["all", "tee", "xen", "compartments"] as const;
type Handlers = Pick<BenchOptions, "onProgress" | "onLaunch" | "onStart">;

export default command({
  name: "bench",
  description:
    "Count instructions: of calls of a TEE beside native TrustZone, of hardened Xen beside stock Xen",
  args: {
    what: {
      type: "positional",
      required: false,
      default: "all",
      description: "tee: world switch and TA invoke; xen: hardened beside stock; compartments; all of them",
    },
    tee: { type: "enum", options: [...TEE_NAMES], description: "the guests' TEE", default: TEE_NAMES[0]! },
    quick: {
      type: "boolean",
      description: "no guest with Linux: fast SMCs, and Xen's work for probes, only",
    },
    demo: { type: "boolean", description: "time the demo, too, and its peak memory" },
    json: { type: "string", description: "write the figures to this file", valueHint: "FILE" },
  },
  examples: [
    "vtz bench",
    "vtz bench tee --quick",
    "vtz bench compartments",
    "vtz bench xen --json figures.json",
    "vtz bench tee --tee optee-4.10 --demo",
  ],
  async run({ args }) {
    const what = WHAT.find((word) => word === args.what);
    if (what === undefined)
      throw new UserError(
        "bad-option",
        `${args.what}: nothing of that name is measured`,
        `one of: ${WHAT.join(" ")}`,
      );
    if (args.json !== undefined) await checkOutput(args.json);
    const progress = new Progress();
    await ensureHost(progress.line);
    const tee = args.tee as TeeName;
    const isQuick = args.quick === true;

    const isWanted = (word: (typeof WHAT)[number]) => what === word || what === "all";
    const calls = isWanted("tee") ? await benchTee(tee, isQuick, progress) : undefined;
    const xen = isWanted("xen") ? await benchXen(isQuick, progress) : undefined;
    const compartmentCall = isWanted("compartments") ? await benchCompartments(progress) : undefined;
    const load = loadavg()[0]!.toFixed(1);
    const demo = args.demo === true ? await timeDemo(tee, progress) : undefined;
    if (demo !== undefined)
      say(
        `\nvtz demo: ${demo.passed ? "passed" : "FAILED"}, ${demo.seconds.toFixed(0)} s, QEMU's peak ${demo.qemuPeakMib} MiB (${availableParallelism()} cores, load ${load} before)`,
      );
    if (args.json !== undefined) {
      const figures = {
        ...calls,
        ...(xen === undefined ? {} : { xen: { comparison: compare(xen), ...xen } }),
        compartmentCall,
        demo,
      };
      await writeOutput(args.json, `${JSON.stringify(figures, null, 2)}\n`);
    }
    process.exitCode = demo?.passed === false ? 1 : 0;
  },
});

async function benchTee(tee: TeeName, isQuick: boolean, progress: Progress): Promise<BenchResult> {
  const result = await guarded(progress, (handlers) => runBench({ tee, hasInvokes: !isQuick, ...handlers }));
  say(`\n${report(result, await readNative())}\n`);
  return result;
}

async function benchXen(isQuick: boolean, progress: Progress): Promise<HypervisorResult> {
  const result = await guarded(progress, (handlers) =>
    runHypervisorBench({ hasWorkloads: !isQuick, ...handlers }),
  );
  say(`\n${hypervisorReport(result)}`);
  return result;
}

async function benchCompartments(progress: Progress): Promise<number> {
  progress.line("timing calls of a compartment");
  const instructions = await measureCompartmentCall();
  say(`\nA compartment opened, entered, left and closed: ${instructions.toFixed(0)} instructions`);
  return instructions;
}

/** A signal ends the machines that the action starts. */
async function guarded<T>(progress: Progress, action: (handlers: Handlers) => Promise<T>): Promise<T> {
  const forget: (() => void)[] = [];
  const result = await action({
    onProgress: progress.line,
    onLaunch: (qemu) => forget.push(onSignal(() => endProcess(qemu))),
    onStart: (name) => forget.push(onSignal(() => Machine.remove(name))),
  });
  for (const undo of forget) undo();
  return result;
}

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
