// The probe guest in a running machine: created by dom0's toolstack, told by letters on its console what to measure.

import { readFile, writeFile } from "node:fs/promises";
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

const NAME = "probe";
const SLOT = 0;
const MEMORY_MIB = 32;
const START_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 180_000;

export class Probe {
  readonly #machine: Machine;
  readonly #sockets: SocketFolder;
  readonly #console: Socket;
  readonly #logFile: string;

  private constructor(machine: Machine, logFile: string) {
    this.#machine = machine;
    this.#logFile = logFile;
    this.#sockets = new SocketFolder(machine.folder);
    this.#console = connect(this.#sockets.path(socketName(guestPorts(SLOT).console)));
    this.#console.on("error", () => undefined); // the log tells more
    this.#console.resume();
  }

  /** The machine must have no guest yet: the probe takes the first slot. */
  static async start(machine: Machine, { image }: ProbeImage): Promise<Probe> {
    const config = join(machine.folder, "probe.cfg");
    await writeFile(config, configText());
    await machine.push(DOM0, image, "/run/vtz/probe.img");
    await machine.push(DOM0, config, "/run/vtz/probe.cfg");
    await machine.run(DOM0, `/usr/lib/vtz/guest create ${SLOT} /run/vtz/probe.cfg 2>&1`, START_TIMEOUT_MS);
    const probe = new Probe(machine, join(machine.folder, fileName(guestPorts(SLOT).log)));
    await probe.#waitFor("ready");
    return probe;
  }

  /** Times every function of its table. */
  async measure(): Promise<Sample[]> {
    this.#console.write("m");
    return parseSamples(await this.#waitFor("measured"));
  }

  /** Makes a few calls of CALLS_UID and nothing else. */
  async profile(): Promise<void> {
    this.#console.write("p");
    await this.#waitFor("profiled");
  }

  /** Powers the guest off and waits until it is gone. */
  async end(): Promise<void> {
    this.#console.write("q");
    await this.#machine.run(
      DOM0,
      `for _ in $(seq 100); do xl domid ${NAME} || exit 0; usleep 50000; done; exit 1`,
    );
  }

  close(): void {
    this.#console.destroy();
    this.#sockets.close();
  }

  async #waitFor(word: string): Promise<string> {
    const deadline = Date.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const text = await readFile(this.#logFile, "latin1").catch(() => "");
      if (new RegExp(`^probe: ${word}\\b[^\n]*\n`, "m").test(text)) return text;
      if (text.includes("probe: exception") || Date.now() > deadline) {
        const last = text.trimEnd().split("\n").at(-1)?.slice(0, 200);
        throw new UserError(
          "probe-failed",
          `the probe guest did not say “${word}”; its last line: ${last === undefined || last === "" ? "(none)" : last}`,
          `its log is ${this.#logFile}`,
        );
      }
      await sleep(100);
    }
  }
}

function configText(): string {
  return [
    `name = "${NAME}"`,
    'kernel = "/run/vtz/probe.img"',
    "vcpus = 1",
    `memory = ${MEMORY_MIB}`,
    'vuart = "sbsa_uart"',
    "",
  ].join("\n");
}
