// A machine: QEMU with the monitor, Xen and dom0, and the guests that were created in it. What the commands of
// `vtz` do, as an API for scripts and tests.

import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentClient, ExecOptions } from "../agent/agent-client.ts";
import { createGuest, destroyGuest } from "../agent/guests.ts";
import { UserError } from "../errors.ts";
import { GUEST_SLOT_COUNT, type GuestSpec as GuestConfigSpec, guestAddress } from "../images/guest-config.ts";
import { DOM0_AGENT_PORT, guestPorts } from "../images/ports.ts";
import { fileName, NORMAL_UART_SOCKET, QMP_SOCKET, socketName } from "../qemu/command-line.ts";
import { watchDeath } from "../qemu/launch.ts";
import { endProcess, identifyProcess, isRunning } from "../qemu/process.ts";
import { QmpClient } from "../qemu/qmp.ts";
import { AgentConnections } from "./agent-connections.ts";
import { describeMachine, type MachineDescription, refuseFullPool } from "./description.ts";
import { type DiskSpec, emptyWindow, fillWindow } from "./disk.ts";
import { watchEpitaph } from "./epitaph.ts";
import { explainFault } from "./faults.ts";
import { lockPath, withMachineLock } from "./machine-lock.ts";
import { SocketFolder } from "./sockets.ts";
import { bootMachine, type MachineOptions } from "./start.ts";
import {
  forgetState,
  type GuestState,
  type MachineState,
  machineFolder,
  machineNames,
  readState,
  writeState,
} from "./state.ts";
import { decodeStatus, type MonitorStatus, STATUS_SIZE } from "./status.ts";

export interface GuestSpec extends Omit<GuestConfigSpec, "slot" | "disk"> {
  disk?: DiskSpec;
}
export type { MachineDescription } from "./description.ts";
export type { MachineOptions } from "./start.ts";
export const DOM0 = "dom0";
const MIB = 2 ** 20;

export class Machine {
  readonly name: string;
  readonly folder: string;
  #state: MachineState;
  readonly #sockets: SocketFolder;
  readonly #agents = new AgentConnections();
  readonly #closing = new AbortController();
  readonly #death: Promise<never>;

  private constructor(state: MachineState) {
    this.name = state.name;
    this.folder = machineFolder(state.name);
    this.#state = state;
    this.#sockets = new SocketFolder(this.folder);
    const { signal } = this.#closing;
    this.#death = Promise.race([
      watchDeath(state.process, this.folder, signal),
      watchEpitaph(this.folder, signal),
    ]);
    this.#death.catch(() => undefined);
  }

  static async start(options: MachineOptions): Promise<Machine> {
    return withMachineLock(options.name, async () => {
      if ((await Machine.openIfRunning(options.name)) !== undefined) {
        throw new UserError(
          "machine-runs",
          `machine “${options.name}” runs already`,
          `end it with \`vtz down --machine ${options.name}\`, or give the new one a name: --machine NAME`,
        );
      }
      const state = await bootMachine(options);
      await writeState(state);
      return new Machine(state);
    });
  }

  static async openIfRunning(name: string): Promise<Machine | undefined> {
    const state = await readState(name);
    return state !== undefined && isRunning(state.process) ? new Machine(state) : undefined;
  }

  static async open(name: string): Promise<Machine> {
    const machine = await Machine.openIfRunning(name);
    if (machine !== undefined) return machine;
    const isDead = (await readState(name)) !== undefined;
    const what = isDead ? "has died" : "does not run";
    const hint = isDead
      ? `see \`vtz logs qemu --machine ${name}\`, then start it again with \`vtz up\``
      : "start one with `vtz up`";
    throw new UserError("machine-down", `machine “${name}” ${what}`, hint);
  }

  /** Ends the machine and all in it. False when it was not running. */
  static async stop(name: string): Promise<boolean> {
    return withMachineLock(name, async () => {
      const state = await readState(name).catch(() => undefined);
      const wasRunning = state !== undefined && isRunning(state.process);
      if (state !== undefined) await endProcess(state.process);
      await forgetState(name);
      return wasRunning;
    });
  }

  /** Ends the machine and deletes what is left of it. */
  static async remove(name: string): Promise<void> {
    await Machine.stop(name);
    await rm(machineFolder(name), { recursive: true, force: true });
  }

  /** Deletes what a machine has left, whoever holds it: for an end by a signal. */
  static async discard(name: string): Promise<void> {
    await rm(machineFolder(name), { recursive: true, force: true });
    await rm(lockPath(name), { force: true });
  }

  /** Machines of demos and tests that were killed: named by a process that is gone. */
  static async sweep(): Promise<void> {
    for (const name of await machineNames()) {
      const pid = /^(?:demo|test-[a-z-]+)-(\d+)$/.exec(name)?.[1];
      if (pid !== undefined && identifyProcess(Number(pid)) === undefined) await Machine.discard(name);
    }
  }

  get guests(): readonly GuestState[] {
    return this.#state.guests;
  }

  get state(): MachineState {
    return this.#state;
  }

  async createGuest({ disk, ...spec }: GuestSpec): Promise<GuestState> {
    return this.#change(async () => {
      const slot = this.#freeSlot(spec.name);
      const before = await this.status();
      refuseFullPool(before);
      const earlier = new Set(before?.guests.map(({ id }) => id));
      const logFile = join(this.folder, fileName(guestPorts(slot).log));
      const logStart = (await stat(logFile).catch(() => undefined))?.size ?? 0;

      const window = disk === undefined ? undefined : await fillWindow(this.folder, slot, disk);
      const withDisk = window === undefined ? {} : { disk: window };
      await this.#alive(createGuest(await this.#agent(DOM0), { ...spec, ...withDisk, slot }));
      const teeId = await this.#newTee(earlier);
      const { name, vcpuCount, memoryMib } = spec;
      const guest = {
        ...{ name, slot, vcpuCount, memoryMib, logStart },
        ...(spec.hasNetwork === true ? { address: guestAddress(slot) } : {}),
        ...(window === undefined ? {} : { diskMib: window.size / MIB }),
        ...(teeId === undefined ? {} : { teeId }),
      };
      await this.#remember([...this.guests, guest]);
      return guest;
    });
  }

  /** Waits until the guest's own agent answers. */
  async waitForGuest(name: string, timeoutMs = 120_000): Promise<void> {
    await this.#alive(this.#agent(name, timeoutMs));
  }

  /** Why the guest's TEE has stopped, if it has. */
  async explainTee(name: string): Promise<string | undefined> {
    return explainFault(await this.status(), this.#guest(name).teeId);
  }

  async destroyGuest(name: string): Promise<void> {
    await this.#change(async () => {
      const guest = this.#guest(name);
      await this.#agents.drop(name);
      await this.#alive(destroyGuest(await this.#agent(DOM0), guest.name));
      if (guest.diskMib !== undefined) await emptyWindow(this.folder, guest.slot);
      await this.#remember(this.guests.filter((other) => other.name !== name));
    });
  }

  /** A shell command in a guest or in dom0. */
  async exec(where: string, command: string, options: ExecOptions = {}): Promise<{ code: number }> {
    const agent = await this.#agent(where);
    return this.#alive(agent.exec(command, options));
  }

  /** The command's output; throws when it fails. */
  async run(where: string, command: string, timeoutMs = 60_000): Promise<string> {
    const chunks: Uint8Array[] = [];
    const { code } = await this.exec(where, command, { onOutput: (bytes) => chunks.push(bytes), timeoutMs });
    const output = Buffer.concat(chunks).toString();
    if (code !== 0) throw new Error(`${where}: ${command}: exit code ${code}\n${output}`);
    return output;
  }

  async push(where: string, localPath: string, remotePath: string, mode = 0o644): Promise<void> {
    const agent = await this.#agent(where);
    await this.#alive(agent.push(localPath, remotePath, mode));
  }

  async pull(where: string, remotePath: string, localPath: string): Promise<void> {
    const agent = await this.#agent(where);
    await this.#alive(agent.pull(remotePath, localPath));
  }

  /** Undefined without a monitor, and until it has written its page. */
  async status(): Promise<MonitorStatus | undefined> {
    if (!this.#state.hasMonitor) return undefined;
    return decodeStatus(await this.readPhysical(this.#state.ram.poolPa, STATUS_SIZE));
  }

  /** Normal memory of the running machine, past all its translations. */
  async readPhysical(pa: number, size: number): Promise<Uint8Array> {
    const name = `memory-${process.pid}-${Math.random().toString(36).slice(2)}.bin`;
    const path = join(this.folder, name);
    const qmp = await QmpClient.connect(this.#sockets.path(QMP_SOCKET));
    try {
      await this.#alive(qmp.execute("pmemsave", { val: pa, size, filename: name }));
      return await readFile(path);
    } finally {
      qmp.close();
      await rm(path, { force: true });
    }
  }

  /** Of a guest, or of Xen and dom0. */
  consoleSocket(where: string): string {
    const name =
      where === DOM0 ? NORMAL_UART_SOCKET : socketName(guestPorts(this.#guest(where).slot).console);
    return this.#sockets.path(name);
  }

  async describe(): Promise<MachineDescription> {
    return describeMachine(this.#state, await this.status().catch(() => undefined));
  }

  async stop(): Promise<void> {
    await this.close();
    await Machine.stop(this.name);
  }

  /** Lets go of the machine, which runs on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#agents.dropAll();
    this.#sockets.close();
  }

  /** The monitor makes a TEE when the guest's first instruction is due, a moment after the toolstack is done. */
  async #newTee(earlier: ReadonlySet<number>, waitMs = 10_000): Promise<number | undefined> {
    if (!this.#state.hasMonitor) return undefined;
    const deadline = Date.now() + waitMs;
    for (;;) {
      const found = (await this.status())?.guests.find(({ id }) => !earlier.has(id));
      if (found !== undefined || Date.now() > deadline) return found?.id;
      await sleep(100);
    }
  }

  #guest(name: string): GuestState {
    const guest = this.guests.find((candidate) => candidate.name === name);
    if (guest !== undefined) return guest;
    const known = this.guests.map((candidate) => candidate.name).join(" ");
    throw new UserError(
      "no-guest",
      `no guest “${name}”`,
      known === "" ? "create one with `vtz up`" : `one of: ${known}`,
    );
  }

  #freeSlot(name: string): number {
    if (name === DOM0 || this.guests.some((guest) => guest.name === name)) {
      throw new UserError("guest-exists", `a guest is called “${name}” already`, "choose another name");
    }
    const used = new Set(this.guests.map(({ slot }) => slot));
    const slot = Array.from({ length: GUEST_SLOT_COUNT }, (_, index) => index).find(
      (index) => !used.has(index),
    );
    if (slot !== undefined) return slot;
    throw new UserError(
      "too-many-guests",
      `${GUEST_SLOT_COUNT} guests run already`,
      "end one with `vtz down GUEST`",
    );
  }

  #agent(where: string, timeoutMs?: number): Promise<AgentClient> {
    const port = where === DOM0 ? DOM0_AGENT_PORT : guestPorts(this.#guest(where).slot).agent;
    return this.#agents.get(where, this.#sockets.path(socketName(port)), timeoutMs);
  }

  #alive<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#death]);
  }

  /** One command at a time changes the machine; each sees what the one before has done. */
  #change<T>(action: () => Promise<T>): Promise<T> {
    return withMachineLock(this.name, async () => {
      this.#state = (await readState(this.name)) ?? this.#state;
      return action();
    });
  }

  async #remember(guests: readonly GuestState[]): Promise<void> {
    this.#state = { ...this.#state, guests };
    await writeState(this.#state);
  }
}
