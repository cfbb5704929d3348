// vtz demo: two virtual machines, each with a TrustZone of its own, and xtest in both at once.

import { TEE_NAMES, type TeeName } from "../../el1/tees/profiles.ts";
import { type DemoResult, type DemoRow, runDemo } from "../machine/demo-run.ts";
import { evidenceFolder } from "../paths.ts";
import { ensureHost } from "../setup/install.ts";
import { command, say, wholeNumber } from "./command.ts";
import { checkOutput, writeOutput } from "./output-file.ts";
import { Progress } from "./progress.ts";
import { onSignal } from "./signals.ts";
import { table } from "./table.ts";

const QUICK_TIMEOUT_MS = 15 * 60_000;
const FULL_TIMEOUT_MS = 90 * 60_000;

export default command({
  name: "demo",
  description: "Two VMs, each with a TrustZone of its own; OP-TEE's xtest in both at once",
  args: {
    full: { type: "boolean", description: "xtest's whole regression and pkcs11 suites" },
    tee: { type: "enum", options: [...TEE_NAMES], description: "the guests' TEE", default: TEE_NAMES[0]! },
    guests: { type: "string", description: "how many; the first has 2 vCPUs", default: "2", valueHint: "N" },
    memory: { type: "string", description: "memory of each guest in MiB", default: "320", valueHint: "MIB" },
    cases: {
      type: "string",
      description: "xtest cases instead of the selection, comma separated",
      valueHint: "LIST",
    },
    json: { type: "string", description: "write the result to this file", valueHint: "FILE" },
    evidence: { type: "string", description: "where logs, versions and results go", valueHint: "DIR" },
  },
  examples: [
    "vtz demo",
    "vtz demo --full --json result.json",
    "vtz demo --tee optee-4.10 --guests 3",
    "vtz demo --cases regression_1001,pkcs11_1000",
  ],
  async run({ args }) {
    const progress = new Progress();
    const guestCount = wholeNumber("guests", args.guests, 1, 5);
    const memoryMib = wholeNumber("memory", args.memory, 128, 4096);
    if (args.json !== undefined) await checkOutput(args.json);
    await ensureHost(progress.line);
    const result = await runDemo({
      tee: args.tee as TeeName,
      guestCount,
      memoryMib,
      isFull: args.full === true,
      ...(args.cases === undefined ? {} : { cases: args.cases.split(",") }),
      timeoutMs: args.full === true ? FULL_TIMEOUT_MS : QUICK_TIMEOUT_MS,
      evidenceFolder: args.evidence ?? evidenceFolder("demo"),
      onProgress: progress.line,
      onSignal,
    });
    if (args.json !== undefined) await writeOutput(args.json, `${JSON.stringify(result, null, 2)}\n`);
    print(result);
    process.exitCode = result.passed ? 0 : 1;
  },
});

function print({ rows, problem: machineProblem, seconds, qemuPeakMib, evidence, passed }: DemoResult): void {
  const cell = (value: string | number | undefined) => String(value ?? "-");
  const heading = [
    "GUEST",
    "VCPUS",
    "TEE",
    "VERSION",
    "CASES",
    "SUBTESTS",
    "FAILED",
    "WORLD SWITCHES",
    "TIME",
  ];
  const cells = (row: DemoRow) => [
    row.guest,
    cell(row.vcpuCount),
    row.tee,
    cell(row.teeVersion),
    cell(row.cases),
    cell(row.subtests),
    cell(row.failed),
    cell(row.switches),
    row.seconds === undefined ? "-" : `${row.seconds} s`,
  ];
  say(`\n${table([heading, ...rows.map(cells)])}\n`);
  for (const { guest, problem } of rows) if (problem !== undefined) say(`${guest}: ${problem}`);
  if (machineProblem !== undefined) say(machineProblem);
  say(
    `${passed ? "passed" : "FAILED"} in ${Math.round(seconds)} s; QEMU's peak ${qemuPeakMib} MiB; evidence: ${evidence}`,
  );
}
