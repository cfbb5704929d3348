// vtz logs: what came out of the machine's UARTs, its guests' consoles, QEMU, or the monitor's event ring.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { LOG_NAMES, logPlace } from "../machine/logs.ts";
import { Machine } from "../machine/machine.ts";
import { formatEvent } from "../machine/status.ts";
import { command, machineOption, say } from "./command.ts";

export default command({
  name: "logs",
  description:
    "Show a log: xen (Xen and dom0), tee (secure UART), qemu, events (monitor), or a guest's console",
  args: {
    what: { type: "positional", description: `${LOG_NAMES.join(", ")}, events, or a guest`, default: "xen" },
    ...machineOption,
    follow: { type: "boolean", alias: "f", description: "go on as it grows" },
  },
  examples: ["vtz logs", "vtz logs tee -f", "vtz logs events", "vtz logs guest1 | grep vtz-init"],
  async run({ args }) {
    if (args.what === "events") return printEvents(args.machine);
    const { path, start } = await logPlace(args.machine, args.what);
    let position = await printFrom(path, start);
    while (args.follow === true && (await Machine.openIfRunning(args.machine)) !== undefined) {
      await sleep(300);
      position = await printFrom(path, position);
    }
  },
});

async function printFrom(path: string, start: number): Promise<number> {
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined)
    throw new UserError(
      "no-log",
      `there is no ${path}`,
      "machines that run or ran: `vtz ps`, `vtz logs -m NAME`",
    );
  if (size <= start) return start;
  for await (const chunk of createReadStream(path, { start, end: size - 1 }))
    process.stdout.write(chunk as Buffer);
  return size;
}

async function printEvents(name: string): Promise<void> {
  const machine = await Machine.open(name);
  try {
    const status = await machine.status();
    if (status === undefined) throw new UserError("no-monitor", "this machine's monitor has no status page");
    for (const event of status.events) say(formatEvent(event));
  } finally {
    await machine.close();
  }
}
