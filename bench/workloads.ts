// Whole workloads in a guest with Linux.

import { join } from "node:path";
import type { Machine } from "../host/machine/machine.ts";
import { projectFolder } from "../host/paths.ts";
import { buildProgram } from "./programs.ts";
import { parseSamples, type Sample } from "./samples.ts";

const GUEST = "guest1";
const GUEST_MEMORY_MIB = 320;
const BOOT_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 600_000;
const RUN_COUNT = 7;

export async function measureWorkloads(machine: Machine): Promise<Sample[]> {
  const counter = await buildProgram("counter");
  await machine.createGuest({ name: GUEST, vcpuCount: 1, memoryMib: GUEST_MEMORY_MIB });
  await machine.waitForGuest(GUEST, BOOT_TIMEOUT_MS);
  await machine.push(GUEST, counter, "/tmp/counter", 0o755);
  await machine.push(GUEST, join(projectFolder, "el1/probe/compile-like.sh"), "/tmp/compile-like", 0o755);
  return parseSamples(
    await machine.run(GUEST, `/tmp/compile-like /tmp/counter ${RUN_COUNT} 2>&1`, RUN_TIMEOUT_MS),
  );
}
