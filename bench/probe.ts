// The probe guest in a running machine: created by dom0's toolstack, told by letters on its console what to measure.

import { readFile, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../host/errors.ts";
import { guestPorts } from "../host/images/ports.ts";
import { DOM0, type Machine } from "../host/machine/machine.ts";
import { SocketFolder } from "../host/machine/sockets.ts";
import { fileName, socketName } from "../host/qemu/command-line.ts";
import type { ProbeImage } from "./programs.ts";
import { parseSamples, type Sample } from "./samples.ts";

/** Of the probe's loop (el1/probe/image.S), the SMC among them. */
export const PROBE_TURN_INSTRUCTIONS = 4;

const START_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 300_000;

export interface ProbeSpec {
  readonly name: string;
  /** Which of the host's ports its console has; no other guest may have them. */
  readonly slot: number;
  readonly memoryMib: number;
  readonly vcpuCount: number;
}

/** For calls of its TEE, alone in a machine. */
export const CALLER: ProbeSpec = { name: "probe", slot: 0, memoryMib: 32, vcpuCount: 1 };

export class Probe {
  readonly #machine: Machine;
  readonly #name: string;
  readonly #sockets: SocketFolder;
  readonly #console: Socket;
  readonly #logFile: string;
  /** How much of the log has been read: a slot's log goes on with its next guest. */
  #readSize: number;

  private constructor(machine: Machine, { name, slot }: ProbeSpec, readSize: number) {
    this.#machine = machine;
    this.#name = name;
    this.#logFile = logOf(machine, slot);
    this.#readSize = readSize;
    this.#sockets = new SocketFolder(machine.folder);
    this.#console = connect(this.#sockets.path(socketName(guestPorts(slot).console)));
    this.#console.on("error", () => undefined); // the log tells more
    this.#console.resume();
  }

  static async start(machine: Machine, { image }: ProbeImage, spec: ProbeSpec): Promise<Probe> {
    const { name, slot } = spec;
    const logStart = (await stat(logOf(machine, slot)).catch(() => undefined))?.size ?? 0;
    const remote = `/run/vtz/${name}`;
    await pushProbe(machine, image, spec);
    await machine.run(DOM0, `/usr/lib/vtz/guest create ${slot} ${remote}.cfg 2>&1`, START_TIMEOUT_MS);
    const probe = new Probe(machine, spec, logStart);
    await probe.#waitFor("ready");
    return probe;
  }

  /** Times every function of its table. */
  async measure(): Promise<Sample[]> {
    return parseSamples(await this.ask("m", "measured"));
  }

  /** Makes a few calls of CALLS_UID and nothing else. */
  async profile(): Promise<void> {
    await this.ask("p", "profiled");
  }

  /** What it says after these letters until the line that begins with `word`, with that line. */
  async ask(letters: string, word: string): Promise<string> {
    this.#console.write(letters);
    return this.#waitFor(word);
  }

  /** Powers the guest off and waits until it is gone. */
  async end(): Promise<void> {
    this.#console.write("q");
    await this.#machine.run(
      DOM0,
      `for _ in $(seq 100); do xl domid ${this.#name} || exit 0; usleep 50000; done; exit 1`,
    );
  }

  close(): void {
    this.#console.destroy();
    this.#sockets.close();
  }

  async #waitFor(word: string): Promise<string> {
    const deadline = Date.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const text = (await readFile(this.#logFile, "latin1").catch(() => "")).slice(this.#readSize);
      const line = new RegExp(`^probe: ${word}\\b[^\n]*\n`, "m").exec(text);
      if (line !== null) {
        const end = line.index + line[0].length;
        this.#readSize += end;
        return text.slice(0, end);
      }
      if (/^probe: (exception|.* failed with)/m.test(text) || Date.now() > deadline)
        throw this.#silent(word, text);
      await sleep(100);
    }
  }

  #silent(word: string, text: string): UserError {
    const last = text.trimEnd().split("\n").at(-1)?.slice(0, 200);
    const saying = last === undefined || last === "" ? "(none)" : last;
    return new UserError(
      "probe-failed",
      `guest ${this.#name} did not say “${word}”; its last line: ${saying}`,
      `its log is ${this.#logFile}`,
    );
  }
}

/** Image and configuration in dom0, at /run/vtz/NAME.img and .cfg. */
export async function pushProbe(machine: Machine, image: string, spec: ProbeSpec): Promise<void> {
  const remote = `/run/vtz/${spec.name}`;
  const config = join(machine.folder, `${spec.name}.cfg`);
  await writeFile(config, configText(spec, `${remote}.img`));
  await machine.push(DOM0, image, `${remote}.img`);
  await machine.push(DOM0, config, `${remote}.cfg`);
}

function logOf(machine: Machine, slot: number): string {
  return join(machine.folder, fileName(guestPorts(slot).log));
}

function configText({ name, vcpuCount, memoryMib }: ProbeSpec, image: string): string {
  return [
    `name = "${name}"`,
    `kernel = "${image}"`,
    `vcpus = ${vcpuCount}`,
    `memory = ${memoryMib}`,
    'vuart = "sbsa_uart"',
    "",
  ].join("\n");
}
