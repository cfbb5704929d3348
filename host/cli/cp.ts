// vtz cp: files and folders into a guest and out of it.

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { UserError } from "../errors.ts";
import { isRemoteFolder, pullFolder, pushFolder } from "../machine/folders.ts";
import { Machine } from "../machine/machine.ts";
import { command, machineOption } from "./command.ts";

export default command({
  name: "cp",
  description: "Copy a file or a folder into a guest (or dom0) or out of it",
  args: {
    from: { type: "positional", required: true, description: "FILE or FOLDER, or GUEST:FILE" },
    to: { type: "positional", required: true, description: "FILE, or GUEST:FILE" },
    ...machineOption,
  },
  examples: [
    "vtz cp my-ta.ta guest1:/lib/optee_armtz/",
    "vtz cp guest1:/var/log/messages .",
    "vtz cp ./my-tas guest1:/tmp/",
  ],
  async run({ args }) {
    const from = parsePlace(args.from);
    const to = parsePlace(args.to);
    if ((from.guest === undefined) === (to.guest === undefined)) {
      throw new UserError(
        "bad-option",
        "one side must be GUEST:FILE, the other a file here",
        "see `vtz cp --help`",
      );
    }
    const machine = await Machine.open(args.machine);
    try {
      if (to.guest !== undefined) await push(machine, from.path, to.guest, to.path);
      else await pull(machine, from.guest!, from.path, await localTarget(from.path, to.path));
    } finally {
      await machine.close();
    }
  },
});

async function push(machine: Machine, path: string, guest: string, target: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UserError("no-file", `${path} does not exist`);
  const remote = target === "" || target.endsWith("/") ? `${target}${basename(path)}` : target;
  if (found.isDirectory()) await pushFolder(machine, guest, path, remote);
  else await machine.push(guest, path, remote, found.mode & 0o777);
}

async function pull(machine: Machine, guest: string, path: string, target: string): Promise<void> {
  if (!(await isRemoteFolder(machine, guest, path))) return machine.pull(guest, path, target);
  const others = await pullFolder(machine, guest, path, target);
  if (others > 0) process.stderr.write(`left out ${others} that are neither files nor folders\n`);
}

async function localTarget(remote: string, local: string): Promise<string> {
  const found = await stat(local).catch(() => undefined);
  return found?.isDirectory() === true || local.endsWith("/") ? join(local, basename(remote)) : local;
}

// A path that begins with a dot or a slash is never a guest's.
function parsePlace(text: string): { guest?: string; path: string } {
  const match = /^([A-Za-z0-9][\w.-]*):(.*)$/s.exec(text);
  return match === null ? { path: text } : { guest: match[1]!, path: match[2]! };
}
