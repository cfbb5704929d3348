// vtz tee: one guest's TEE, as the monitor sees it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { UserError } from "../errors.ts";
import { Machine } from "../machine/machine.ts";
import { formatEvent } from "../machine/status.ts";
import { reportRows, type TeeReport, teeReport } from "../machine/tee-report.ts";
import { SECURE_UART_LOG } from "../qemu/command-line.ts";
import { command, jsonOption, machineOption, say, sayJson } from "./command.ts";
import { table } from "./table.ts";

export default command({
  name: "tee",
  description: "Show a guest's TEE: state, memory, interrupts, switches, events, last lines of its console",
  args: {
    guest: { type: "positional", required: true, description: "the guest's name" },
    ...machineOption,
    ...jsonOption,
  },
  examples: ["vtz tee guest1", "vtz tee guest1 --json | jq .status.switches"],
  async run({ args }) {
    const report = await readReport(args.machine, args.guest);
    if (args.json === true) return sayJson(report);
    say(table(reportRows(report, TEE_RAM_SIZE)));
    say("\nevents");
    for (const event of report.events) say(formatEvent(event));
    say("\nconsole");
    for (const line of report.consoleLines) say(line);
  },
});

async function readReport(machineName: string, guestName: string): Promise<TeeReport> {
  const machine = await Machine.open(machineName);
  try {
    const { guests, tee } = await machine.describe();
    const guest = guests.find(({ name }) => name === guestName);
    if (guest === undefined) {
      const known = guests.map(({ name }) => name).join(" ");
      throw new UserError(
        "no-such-guest",
        `no guest “${guestName}”`,
        known === "" ? "vtz ps" : `one of: ${known}`,
      );
    }
    const [status, log] = await Promise.all([
      machine.status(),
      readFile(join(machine.folder, SECURE_UART_LOG), "utf8").catch(() => ""),
    ]);
    const report = teeReport(guest, tee, status?.events ?? [], log);
    if (report === undefined)
      throw new UserError(
        "no-tee",
        `guest “${guestName}” has no TEE`,
        "the pool was full, or there is no monitor",
      );
    return report;
  } finally {
    await machine.close();
  }
}
