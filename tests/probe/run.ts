// Runs the probe's cases in a machine of their own: a guest for all those after which its TEE is there, and one for each
// that ends it.

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PROBE_ORDER_OFFSET } from "../../abi/probe.ts";
import { guestPorts } from "../../host/images/ports.ts";
import { logPlace } from "../../host/machine/logs.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import type { MonitorStatus } from "../../host/machine/status.ts";
import { fileName } from "../../host/qemu/command-line.ts";
import { buildKernel, PROBE_TEE_LOAD_IPA } from "../../host/toolchain/build-kernel.ts";
import { casesOf, FIRST_GROUP, GUEST_MEMORY_MIB } from "./cases.ts";
import { encodeCases, encodeOrder } from "./encode.ts";
import type { StopCase, TeeKind } from "./table.ts";

export interface ProbeResult {
  /** By a case's name, the line that its guest printed. */
  readonly lines: ReadonlyMap<string, string>;
  /** By a case's name, why the monitor has stopped its guest's TEE: FAULT_* and detail. */
  readonly faults: ReadonlyMap<string, readonly [reason: number, detail: bigint]>;
  /** What the TEEs have printed. */
  readonly teeLog: string;
}

/** Of guest slots: one guest at a time. */
const SLOT = 0;
const VCPU_COUNT = 2;
const REMOTE = "/run/vtz/probe";
const POLL_MS = 100;

const COMMON = { load: PROBE_TEE_LOAD_IPA, deviceTree: true };
const PROFILES: Readonly<Record<TeeKind, object>> = {
  vector: {
    ...{ ...COMMON, name: "probe-vector", kind: "vector", cores: 2, timer: "cntps" },
    ...{ foreignInterrupts: "fiq", wfi: "faults", adaptedSites: 3 * 2 }, // each register read and written once
  },
  resume: {
    ...{ ...COMMON, name: "probe-resume", kind: "resume", cores: 1, timer: "cntv" },
    ...{ foreignInterrupts: 40, wfi: "leaves" },
  },
};

/** `limitMs`: of each guest. */
export async function runProbe(kind: TeeKind, name: string, limitMs: number): Promise<ProbeResult> {
  const folder = await mkdtemp(join(tmpdir(), "vtz-probe-"));
  try {
    const machine = await startMachine(kind, name, folder, limitMs);
    try {
      return await new ProbeRun(machine, limitMs).runAll(kind, folder);
    } finally {
      await machine.close();
    }
  } finally {
    await Machine.remove(name);
    await rm(folder, { recursive: true, force: true });
  }
}

async function startMachine(kind: TeeKind, name: string, folder: string, limitMs: number): Promise<Machine> {
  const teeProfile = join(folder, "profile.json");
  await writeFile(teeProfile, JSON.stringify(PROFILES[kind]));
  const teeImage = await buildKernel(`probe-tee-${kind}`);
  return Machine.start({
    name,
    tee: "optee-4.5",
    lifetime: "attached",
    teeImage,
    teeProfile,
    bootTimeoutMs: limitMs,
  });
}

class ProbeRun {
  readonly #machine: Machine;
  readonly #limitMs: number;
  readonly #logFile: string;

  constructor(machine: Machine, limitMs: number) {
    this.#machine = machine;
    this.#limitMs = limitMs;
    this.#logFile = join(machine.folder, fileName(guestPorts(SLOT).log));
  }

  async runAll(kind: TeeKind, folder: string): Promise<ProbeResult> {
    const { all, stops } = casesOf(kind);
    const image = join(folder, "probe.img");
    await writeFile(
      image,
      Buffer.concat([await readFile(await buildKernel("probe-guest")), encodeCases(all)]),
    );
    await this.#machine.push(DOM0, image, `${REMOTE}.img`);
    const lines = new Map<string, string>();
    const faults = new Map<string, readonly [number, bigint]>();
    collect(lines, await this.#runGuest(FIRST_GROUP));
    for (const [index, stop] of stops.entries()) {
      collect(lines, await this.#runGuest(FIRST_GROUP + 1 + index, stop.boot));
      const fault = latestFault((await this.#machine.status())!);
      if (fault !== undefined) faults.set(stop.name, fault);
    }
    const { path } = await logPlace(this.#machine.name, "tee");
    return { lines, faults, teeLog: await readFile(path, "utf8") };
  }

  /** What the guest prints until it has powered itself off. */
  async #runGuest(group: number, boot?: StopCase["boot"]): Promise<string> {
    const start = (await stat(this.#logFile).catch(() => undefined))?.size ?? 0;
    const name = `probe${group}`;
    const order = [...encodeOrder(group, boot)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
    const config = [
      `name = "${name}"`,
      `kernel = "${REMOTE}.img"`,
      `vcpus = ${VCPU_COUNT}`,
      `memory = ${GUEST_MEMORY_MIB}`,
      'vuart = "sbsa_uart"',
    ];
    const commands = [
      `printf '${order.join("")}' | dd of=${REMOTE}.img bs=1 seek=${PROBE_ORDER_OFFSET} conv=notrunc 2>/dev/null`,
      `printf '${config.join("\\n")}\\n' > ${REMOTE}.cfg`,
      `/usr/lib/vtz/guest create ${SLOT} ${REMOTE}.cfg 2>&1`,
      `while xl domid ${name} >/dev/null 2>&1; do usleep ${POLL_MS * 1000}; done`,
    ];
    const running = this.#machine.run(DOM0, commands.join(" && "), this.#limitMs);
    try {
      await running;
    } catch (error) {
      // A guest that hangs has said how far it came.
      await this.#machine.run(DOM0, `xl destroy ${name}; true`, this.#limitMs);
      process.stderr.write(`${name}: ${(error as Error).message}\n`);
    }
    return this.#waitForLog(start);
  }

  /** The relay may be a moment behind. */
  async #waitForLog(start: number, waitMs = 3000): Promise<string> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const text = (await readFile(this.#logFile, "latin1").catch(() => "")).slice(start);
      if (/^probe: done/m.test(text) || Date.now() > deadline) return text;
      await sleep(POLL_MS);
    }
  }
}

function collect(lines: Map<string, string>, text: string): void {
  for (const line of text.split(/\r?\n/)) {
    const name = /^(?:not )?ok (.*?)(?:: step .*)?$/.exec(line)?.[1];
    if (name !== undefined) lines.set(name, line);
    else if (/^probe: exception/.test(line)) lines.set("", line);
  }
}

/** Of the latest guest that there was. */
function latestFault({ events, guestsCreated }: MonitorStatus): readonly [number, bigint] | undefined {
  const event = events.findLast(({ kind, guest }) => kind === "tee-faulted" && guest === guestsCreated);
  return event && [Number(event.arguments[0]), BigInt(event.arguments[1])];
}
