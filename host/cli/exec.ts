// vtz exec: a command in a guest, or in dom0; its output and exit code come back.

import { UserError } from "../errors.ts";
import { Machine } from "../machine/machine.ts";
import { shellQuote } from "../machine/shell.ts";
import { command, machineOption, wholeNumber, wordsAfterDashes } from "./command.ts";

export default command({
  name: "exec",
  description: "Run a command in a guest (or in dom0); its output and exit code come back",
  args: {
    guest: { type: "positional", required: true, description: "the guest's name, or dom0; then -- CMD" },
    ...machineOption,
    stdin: { type: "boolean", alias: "i", description: "pass this command's input on; else it finds none" },
    timeout: { type: "string", description: "give up after so many seconds", valueHint: "SECONDS" },
  },
  examples: [
    "vtz exec guest1 -- xtest 1001",
    "vtz exec guest1 -- sh -c 'dmesg | grep optee'",
    "vtz exec dom0 --timeout 10 -- xl list",
    "vtz exec -i guest1 -- sh < script.sh",
  ],
  async run({ args, rawArgs }) {
    const words = wordsAfterDashes(rawArgs);
    if (words.length === 0)
      throw new UserError("bad-option", "no command", "put it behind two dashes: vtz exec GUEST -- CMD");
    const timeoutMs =
      args.timeout === undefined ? undefined : wholeNumber("timeout", args.timeout, 1, 1e6) * 1000;
    const machine = await Machine.open(args.machine);
    try {
      const { code } = await machine.exec(args.guest, words.map(shellQuote).join(" "), {
        onOutput: (bytes, stream) => process[stream].write(bytes),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(args.stdin === true ? { input: standardInput() } : {}),
      });
      process.exitCode = code;
    } finally {
      process.stdin.destroy(); // whoever writes to it need not be waited for
      await machine.close();
    }
  },
});

/** Ends where ours ends, or when it is closed because the command has ended first. */
async function* standardInput(): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of process.stdin) yield bytes as Uint8Array;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
