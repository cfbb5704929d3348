// vtz ps: the machines that run, their guests, and what the monitor says of each guest's TEE.

import { Machine } from "../machine/machine.ts";
import { machineNames } from "../machine/state.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";
import { table } from "./table.ts";

export default command({
  name: "ps",
  description:
    "List machines, their guests and the guests' TEEs (KEY own: it has taken its guest's hardware unique key)",
  args: {
    ...jsonOption,
    names: { type: "enum", options: ["machines", "guests"], description: "print bare names, one a line" },
  },
  examples: ["vtz ps", "vtz ps --json | jq '.[].guests[].tee'", "vtz ps --names guests"],
  async run({ args }) {
    const machines = await runningMachines();
    try {
      await print(machines, args);
    } finally {
      for (const machine of machines) await machine.close();
    }
  },
});

async function print(
  machines: readonly Machine[],
  args: { names?: string | undefined; json?: boolean | undefined },
): Promise<void> {
  if (args.names === "machines") for (const { name } of machines) say(name);
  else if (args.names === "guests")
    for (const machine of machines) for (const guest of machine.guests) say(guest.name);
  else if (args.json === true) sayJson(await Promise.all(machines.map((machine) => machine.describe())));
  else await printTable(machines);
}

async function runningMachines(): Promise<Machine[]> {
  const found = await Promise.all((await machineNames()).map((name) => Machine.openIfRunning(name)));
  return found.filter((machine) => machine !== undefined);
}

async function printTable(machines: readonly Machine[]): Promise<void> {
  if (machines.length === 0) return say("no machine runs; start one with `vtz up`");
  const rows = [
    ["MACHINE", "GUEST", "VCPUS", "MEMORY", "TEE", "STATE", "KEY", "SWITCHES", "ADDRESS", "CONSOLE"],
  ];
  for (const machine of machines) {
    const { name, tee, guests } = await machine.describe();
    if (guests.length === 0) rows.push([name, "-", "", "", tee, "", "", "", "", ""]);
    for (const guest of guests) {
      const { state = "?", switches = "?", keyReads } = guest.tee ?? {};
      rows.push([
        name,
        guest.name,
        String(guest.vcpuCount),
        `${guest.memoryMib} MiB`,
        tee,
        state,
        keyReads === undefined ? "?" : keyReads > 0 ? "own" : "-",
        String(switches),
        guest.address ?? "-",
        `vtz console${name === "default" ? "" : ` -m ${name}`} ${guest.name}`,
      ]);
    }
  }
  say(table(rows));
}
