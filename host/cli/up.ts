// vtz up: starts a machine that outlives this command, with guests, from options or a JSON file.

import { TEE_NAMES } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";
import { diskSize } from "../machine/disk.ts";
import { Machine, type MachineOptions } from "../machine/machine.ts";
import { endProcess } from "../qemu/process.ts";
import { ensureHost } from "../setup/install.ts";
import { command, say } from "./command.ts";
import { Progress } from "./progress.ts";
import { onSignal } from "./signals.ts";
import { readConfig, resolveUp, type UpRequest } from "./up-config.ts";

export default command({
  name: "up",
  description: "Start a machine, or add guests to the one that runs; it survives the shell",
  args: {
    config: {
      type: "positional",
      required: false,
      description:
        "JSON file with machine, tee, teeImage, profile, cores, ram, pool, files, guests [{name, vcpus, memory, disk, network}]",
    },
    machine: { type: "string", alias: "m", description: "its name (default)", valueHint: "NAME" },
    guests: { type: "string", description: "how many guests (2)", valueHint: "N" },
    vcpus: { type: "string", description: "vCPUs of each guest (2)", valueHint: "N" },
    memory: { type: "string", description: "memory of each guest in MiB (320)", valueHint: "MIB" },
    disk: {
      type: "string",
      description: "a disk of so many MiB for each guest, /dev/xvda, or a copy of a disk image",
      valueHint: "MIB|FILE",
    },
    network: { type: "boolean", description: "a network card for each guest, on a bridge with dom0's" },
    tee: {
      type: "string",
      description: `the guests' TEE: ${TEE_NAMES.join(", ")} (${TEE_NAMES[0]}), or with --profile a file`,
      valueHint: "NAME|FILE",
    },
    "tee-image": {
      type: "string",
      description: "a TEE image of your own, for --tee's profile",
      valueHint: "FILE",
    },
    profile: {
      type: "string",
      description: "what your TEE kernel needs, as JSON (docs/guest-tee-abi.md)",
      valueHint: "FILE.json",
    },
    files: { type: "string", description: "a folder laid over the root of every guest", valueHint: "DIR" },
    cores: { type: "string", description: "cores of the machine (2)", valueHint: "N" },
    ram: { type: "string", description: "RAM of the machine in MiB (2048)", valueHint: "MIB" },
    pool: { type: "string", description: "how many guests with a TEE fit at once (4)", valueHint: "N" },
    image: { type: "string", description: "a boot image that `vtz image` has made", valueHint: "FOLDER" },
    key: { type: "string", description: "which key signs what boots (development)", valueHint: "NAME" },
    "plain-xen": { type: "boolean", description: "no monitor, no TEEs: for work on the host side" },
  },
  examples: [
    "vtz up",
    "vtz up --guests 1 --vcpus 1 --tee optee-4.10 --files ./my-tas",
    "vtz up --tee sel4.bin --profile el1/tees/sel4.json",
    "vtz up lab.json --machine lab",
    "vtz up --image release-2 --key release --machine lab",
    "vtz up --disk 512 --network",
    `echo '{ "guests": [{ "name": "web", "vcpus": 2, "memory": 320, "disk": 512, "network": true }] }' > lab.json`,
  ],
  async run({ args }) {
    const config = args.config === undefined ? {} : await readConfig(args.config);
    const request = resolveUp(args, config);
    refuseOptionsOfImage(args);
    for (const { disk } of request.guests) if (disk !== undefined) await diskSize(disk);
    const progress = new Progress();
    await ensureHost(progress.line);
    const { name } = request.machine;
    const running = await Machine.openIfRunning(name);
    if (running !== undefined) refuseMachineOptions(args, name);
    const machine =
      running ??
      (await start({
        ...request.machine,
        lifetime: "detached",
        hasMonitor: args["plain-xen"] !== true,
        ...(args.image === undefined ? {} : { image: args.image }),
        ...(args.key === undefined ? {} : { key: args.key }),
        onProgress: progress.line,
      }));
    try {
      await addGuests(machine, request.guests, progress);
    } finally {
      await machine.close();
    }
    const option = name === "default" ? "" : ` -m ${name}`;
    const guest = request.guests[0]?.name ?? "dom0";
    say(
      `machine “${name}” runs: \`vtz ps\`, \`vtz exec${option} ${guest} -- CMD\`; end it with \`vtz down${option}\``,
    );
  },
});

const OPTIONS_OF_IMAGE = ["tee", "tee-image", "profile", "files", "ram", "cores", "pool"];

function refuseOptionsOfImage({ image, ...args }: Record<string, unknown> & { image?: unknown }): void {
  if (image === undefined) return;
  const option = [...OPTIONS_OF_IMAGE, "plain-xen"].find(
    (name) => args[name] !== undefined && args[name] !== false,
  );
  if (option === undefined) return;
  throw new UserError(
    "usage",
    `--${option}: an image that is made cannot be changed`,
    "make another: `vtz image`",
  );
}

/** What a machine is made of is settled when it starts. */
function refuseMachineOptions(args: Record<string, unknown>, name: string): void {
  for (const option of [...OPTIONS_OF_IMAGE, "image", "key", "plain-xen"]) {
    if (args[option] === undefined || args[option] === false) continue;
    throw new UserError(
      "machine-runs",
      `machine ${name} runs already: --${option} cannot change it`,
      `vtz down${name === "default" ? "" : ` -m ${name}`}, then vtz up again; or another machine: vtz up -m NAME`,
    );
  }
}

async function addGuests(machine: Machine, specs: UpRequest["guests"], progress: Progress): Promise<void> {
  const known = new Set(machine.guests.map(({ name }) => name));
  const wanted = specs.filter(({ name }) => !known.has(name));
  for (const spec of wanted) {
    progress.line(`creating ${spec.name}`);
    await machine.createGuest(spec);
  }
  await Promise.all(
    wanted.map(async ({ name }) => {
      await machine.waitForGuest(name);
      progress.line(`${name} is up`);
    }),
  );
  const faults = await Promise.all(
    wanted.map(async ({ name }) => [name, await machine.explainTee(name)] as const),
  );
  const stopped = faults.filter(([, fault]) => fault !== undefined);
  if (stopped.length === 0) return;
  const lines = stopped.map(([name, fault]) => `${name}: ${fault}`).join("\n");
  throw new UserError("tee-stopped", lines, "the machine runs on; end it with `vtz down`");
}

/** A signal while the machine starts ends it: what is half started is of no use. */
async function start(options: MachineOptions): Promise<Machine> {
  let forget: () => void = () => undefined;
  try {
    return await Machine.start({
      ...options,
      onLaunch: (qemu) => {
        forget = onSignal(() => endProcess(qemu));
      },
    });
  } finally {
    forget();
  }
}
