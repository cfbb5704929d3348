// The hypervisor's own work, on the same QEMU in two machines: Xen as Debian ships it, without any firmware, and hardened Xen on the
// monitor. Virtual time by executed instructions.

import { Machine } from "../host/machine/machine.ts";
import type { ProcessIdentity } from "../host/qemu/process.ts";
import { measureProbes } from "./hypervisor-probes.ts";
import { buildHypervisorProbe } from "./programs.ts";
import type { Sample } from "./samples.ts";
import { measureWorkloads } from "./workloads.ts";

export const SIDES = ["stock", "hardened"] as const;
export type Side = (typeof SIDES)[number];

export interface HypervisorOptions {
  /** False: no guest with Linux. */
  readonly hasWorkloads: boolean;
  readonly onProgress: (line: string) => void;
  readonly onLaunch?: (process: ProcessIdentity) => void;
  /** Gets the machine's name, to end it on a signal. */
  readonly onStart?: (name: string) => void;
}

export type HypervisorResult = Readonly<Record<Side, readonly Sample[]>>;

/** QEMU 7.2 counts instructions in turns, and one core that spins until another has done something can leave that one no turn. */
const CORE_COUNT = 1;
/** Debian's default (silo) lets VMs share with dom0 only: the probes share with each other. */
const XEN_ARGUMENTS = "xsm=dummy";
const BOOT_TIMEOUT_MS = 300_000;
/** Those of the two probes; a third VM then has none. */
const GUEST_TEE_COUNT = 2;

export async function runHypervisorBench(options: HypervisorOptions): Promise<HypervisorResult> {
  return { stock: await measureSide("stock", options), hardened: await measureSide("hardened", options) };
}

async function measureSide(side: Side, options: HypervisorOptions): Promise<Sample[]> {
  const onProgress = (line: string) => options.onProgress(`${side} Xen: ${line}`);
  const name = `bench-${side}-${process.pid}`;
  const image = await buildHypervisorProbe();
  const machine = await Machine.start({
    name,
    tee: "optee-4.5",
    lifetime: "attached",
    coreCount: CORE_COUNT,
    guestTeeCount: GUEST_TEE_COUNT,
    isCounting: true,
    xenArguments: XEN_ARGUMENTS,
    // Without it QEMU starts Xen itself and answers PSCI: nothing of ours runs below Xen, and nothing checks it.
    hasMonitor: side === "hardened",
    bootTimeoutMs: BOOT_TIMEOUT_MS,
    onProgress,
    ...(options.onLaunch === undefined ? {} : { onLaunch: options.onLaunch }),
  });
  options.onStart?.(name);
  try {
    const samples = await measureProbes(machine, image, onProgress);
    if (!options.hasWorkloads) return samples;
    onProgress("running workloads in a guest with Linux");
    return [...samples, ...(await measureWorkloads(machine))];
  } finally {
    await machine.close();
    await Machine.remove(name);
  }
}
