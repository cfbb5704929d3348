// vtz console: an interactive terminal on a guest's UART, or on Xen's and dom0's. Ctrl-] leaves.

import { once } from "node:events";
import { createConnection } from "node:net";
import { UserError } from "../errors.ts";
import { DOM0, Machine } from "../machine/machine.ts";
import { command, machineOption } from "./command.ts";

const CTRL_RIGHT_BRACKET = 0x1d;

export default command({
  name: "console",
  description: "An interactive terminal in a guest (or dom0); Ctrl-] leaves",
  args: {
    guest: { type: "positional", required: false, default: DOM0, description: "the guest's name, or dom0" },
    ...machineOption,
  },
  examples: ["vtz console guest1", "vtz console dom0", "echo 'uname -a' | vtz console guest1"],
  async run({ args }) {
    const machine = await Machine.open(args.machine);
    const socket = createConnection(machine.consoleSocket(args.guest));
    try {
      await once(socket, "connect").catch((error: Error) => {
        throw new UserError("no-console", `the console of ${args.guest} cannot be reached: ${error.message}`);
      });
      if (process.stdin.isTTY) process.stderr.write(`console of ${args.guest}; Ctrl-] leaves\r\n`);
      await converse(socket);
    } finally {
      socket.destroy();
      await machine.close();
    }
  },
});

async function converse(socket: ReturnType<typeof createConnection>): Promise<void> {
  const { stdin, stdout } = process;
  if (stdin.isTTY) stdin.setRawMode(true);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("data", (bytes) => stdout.write(bytes));
      socket.on("close", () =>
        reject(new UserError("console-lost", "the console was closed", "see `vtz ps`")),
      );
      socket.on("error", () => undefined);
      stdin.on("data", (bytes: Buffer) => {
        const end = bytes.indexOf(CTRL_RIGHT_BRACKET);
        socket.write(end < 0 ? bytes : bytes.subarray(0, end));
        if (end >= 0) resolve();
      });
      // Input that is no terminal ends; what it caused may still be on its way.
      stdin.on("end", () => setTimeout(resolve, 2000));
      // A shell that waits shows its prompt again.
      if (stdin.isTTY) socket.write("\r");
    });
  } finally {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.destroy();
    if (stdin.isTTY) stdout.write("\r\n");
  }
}
