// Runs the probe's cases in a machine of their own: a guest for all those after which its TEE is there, and one for each
// that ends it.

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { PROBE_ORDER_OFFSET } from "../../abi/probe.ts";
import { GUEST_SLOT_COUNT } from "../../host/images/guest-config.ts";
import { guestPorts } from "../../host/images/ports.ts";
import { logPlace } from "../../host/machine/logs.ts";
import { DOM0, Machine } from "../../host/machine/machine.ts";
import type { MonitorStatus } from "../../host/machine/status.ts";
import { fileName } from "../../host/qemu/command-line.ts";
import { buildKernel } from "../../host/toolchain/build-kernel.ts";
import { casesOf, FIRST_GROUP, GUEST_MEMORY_MIB } from "./cases.ts";
import { encodeCases, encodeOrder } from "./encode.ts";
import { PROBE_PROFILES } from "./profiles.ts";
import type { StopCase, TeeKind } from "./table.ts";

export interface ProbeResult {
  /** By a case's name, the line that its guest printed. */
  readonly lines: ReadonlyMap<string, string>;
  /** By a case's name, why the monitor has stopped its guest's TEE: FAULT_* and detail. */
  readonly faults: ReadonlyMap<string, readonly [reason: number, detail: bigint]>;
  /** What the TEEs have printed. */
  readonly teeLog: string;
}

const VCPU_COUNT = 2;
const REMOTE = "/run/vtz/probe";
const POLL_MS = 100;

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
  await writeFile(teeProfile, JSON.stringify(PROBE_PROFILES[kind]));
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

  constructor(machine: Machine, limitMs: number) {
    this.#machine = machine;
    this.#limitMs = limitMs;
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

  /** What the guest prints until its cases are done. It powers itself off while the next one, of another slot, is made. */
  async #runGuest(group: number, boot?: StopCase["boot"]): Promise<string> {
    const slot = group % GUEST_SLOT_COUNT;
    const logFile = join(this.#machine.folder, fileName(guestPorts(slot).log));
    const start = (await stat(logFile).catch(() => undefined))?.size ?? 0;
    await this.#waitFor(async () => (await this.#machine.status())!.poolFree >= TEE_RAM_SIZE);
    await this.#machine.run(DOM0, createCommand(slot, group, boot), this.#limitMs);
    let text = "";
    await this.#waitFor(async () => {
      text = (await readFile(logFile, "latin1").catch(() => "")).slice(start);
      return /^probe: (done|exception.*)\r?\n/m.test(text);
    });
    // What a guest that hangs has said tells how far it came.
    if (!/^probe: done/m.test(text))
      await this.#machine.run(DOM0, `xl destroy ${nameOf(group)}`, this.#limitMs);
    return text;
  }

  /** False if it has not become so in time. */
  async #waitFor(condition: () => Promise<boolean>): Promise<boolean> {
    const deadline = Date.now() + this.#limitMs;
    while (!(await condition())) {
      if (Date.now() > deadline) return false;
      await sleep(POLL_MS);
    }
    return true;
  }
}

const nameOf = (group: number) => `probe${group}`;

/** Writes the order into the image, and a configuration; the image has been read when the command is done. */
function createCommand(slot: number, group: number, boot: StopCase["boot"]): string {
  const order = [...encodeOrder(group, boot)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  const config = [
    `name = "${nameOf(group)}"`,
    `kernel = "${REMOTE}.img"`,
    `vcpus = ${VCPU_COUNT}`,
    `memory = ${GUEST_MEMORY_MIB}`,
    'vuart = "sbsa_uart"',
  ];
  return [
    `printf '${order.join("")}' | dd of=${REMOTE}.img bs=1 seek=${PROBE_ORDER_OFFSET} conv=notrunc 2>/dev/null`,
    `printf '${config.join("\\n")}\\n' > ${REMOTE}.cfg`,
    `/usr/lib/vtz/guest create ${slot} ${REMOTE}.cfg 2>&1`,
  ].join(" && ");
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
