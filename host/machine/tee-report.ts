// What there is to say of one guest's TEE, for `vtz tee`: from the monitor's status page, its events and the secure UART.

import type { GuestDescription } from "./description.ts";
import type { GuestStatus, MonitorEvent } from "./status.ts";

export interface TeeReport {
  readonly guest: string;
  /** The kernel that the machine gives its guests. */
  readonly tee: string;
  readonly status: GuestStatus;
  /** Of the monitor's ring, as far back as that goes. */
  readonly events: readonly MonitorEvent[];
  /** The last ones that it has printed. */
  readonly consoleLines: readonly string[];
}

const CONSOLE_LINES = 10;
const TICKS_PER_MS = 62_500;
const MIB = 2 ** 20;
const PREFIX = (id: number) => `[tee ${id}] `;

export function consoleLinesOf(log: string, id: number, count = CONSOLE_LINES): string[] {
  const prefix = PREFIX(id);
  return log
    .split(/\r?\n/)
    .filter((line) => line.startsWith(prefix))
    .slice(-count)
    .map((line) => line.slice(prefix.length));
}

/** Undefined if the guest has no TEE, or the monitor no status page. */
export function teeReport(
  guest: GuestDescription,
  tee: string,
  events: readonly MonitorEvent[],
  secureLog: string,
): TeeReport | undefined {
  const status = guest.tee;
  if (status === undefined) return undefined;
  return {
    guest: guest.name,
    tee,
    status,
    events: events.filter((event) => event.guest === status.id),
    consoleLines: consoleLinesOf(secureLog, status.id),
  };
}

/** Rows of two words for a table. */
export function reportRows({ tee, status }: TeeReport, ramSize: number): string[][] {
  return [
    ["TEE", `${tee}, ${status.state}`],
    ["guest", `number ${status.id} of this machine, slot ${status.slot}, VMID ${status.vmid}`],
    ["measurement", status.measurement],
    ["memory", `${ramSize / MIB} MiB of secure RAM, ${status.secureMib} MiB taken from the normal world`],
    ["cores", `${status.teeCores} up`],
    [
      "boot",
      `${(status.bootTicks / TICKS_PER_MS).toFixed(0)} ms, ${status.adaptedSites} instructions adapted`,
    ],
    ["hardware key", status.keyReads > 0 ? "its own, taken" : "none taken"],
    ["switches", `${status.switches} calls, ${status.preemptions} preemptions, ${status.exits} other exits`],
    ["interrupts", `${status.foreignInterrupts} of the normal world, ${status.timerInterrupts} of its timer`],
  ];
}
