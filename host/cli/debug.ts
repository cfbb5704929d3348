// vtz debug: a machine halted at reset, and gdb on it with the monitor's symbols.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { TEE_NAMES, type TeeName } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import { Machine } from "../machine/machine.ts";
import { shellQuote } from "../machine/shell.ts";
import { GDB_SOCKET } from "../qemu/command-line.ts";
import { ensureHost, installCommand } from "../setup/install.ts";
import { examine, REQUIREMENTS } from "../setup/requirements.ts";
import { buildFirmware } from "../toolchain/build-firmware.ts";
import { command, say } from "./command.ts";
import { Progress } from "./progress.ts";
import { onSignal } from "./signals.ts";

export default command({
  name: "debug",
  description: "Start a machine halted at reset and gdb on it, with the monitor's symbols",
  args: {
    machine: {
      type: "string",
      alias: "m",
      description: "name of the new machine",
      default: "debug",
      valueHint: "NAME",
    },
    tee: { type: "enum", options: [...TEE_NAMES], description: "the guests' TEE", default: TEE_NAMES[0]! },
    "print-only": { type: "boolean", description: "print gdb's command instead of running it" },
  },
  examples: ["vtz debug", "vtz debug --print-only", "(gdb) hbreak exceptionSynchronous"],
  async run({ args }) {
    const isOwn = args["print-only"] !== true;
    const progress = new Progress();
    await ensureHost(progress.line);
    if (isOwn) await requireGdb();
    const { elf } = await buildFirmware();
    const machine = await Machine.start({
      name: args.machine,
      tee: args.tee as TeeName,
      lifetime: isOwn ? "attached" : "detached",
      isHalted: true,
      onProgress: progress.line,
    });
    const forget = onSignal(() => machine.stop());
    const words = [
      "-q",
      ...["-ex", "set pagination off"],
      ...["-ex", "set architecture aarch64"],
      ...["-ex", `file ${elf}`],
      ...["-ex", `target remote ${join(machine.folder, GDB_SOCKET)}`],
    ];
    if (!isOwn) {
      await machine.close();
      say(["gdb-multiarch", ...words].map(shellQuote).join(" "));
      return say(`end it with \`vtz down --machine ${args.machine}\``);
    }
    try {
      // Ctrl-C is gdb's.
      const ignore = () => undefined;
      const others = process.listeners("SIGINT");
      process.removeAllListeners("SIGINT").on("SIGINT", ignore);
      await once(spawn("gdb-multiarch", words, { stdio: "inherit" }), "exit");
      process.removeListener("SIGINT", ignore);
      for (const listener of others) process.on("SIGINT", listener as () => void);
    } finally {
      forget();
      await machine.stop();
    }
  },
});

async function requireGdb(): Promise<void> {
  const missing = (await examine(REQUIREMENTS.filter(({ probe }) => probe === "gdb-multiarch"))).filter(
    ({ state }) => state !== "present",
  );
  if (missing.length > 0)
    throw new UserError("tool-missing", "gdb-multiarch is not installed", installCommand(missing));
}
