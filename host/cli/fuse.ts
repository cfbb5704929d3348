// vtz fuse: what a machine has in its fuses, and the one thing of it that can be changed.

import { type Device, knownDevice, raiseMinimumVersion } from "../machine/device.ts";
import { withMachineLock } from "../machine/machine-lock.ts";
import { command, jsonOption, machineOption, say, sayJson } from "./command.ts";
import { packageVersion } from "./package-version.ts";

export default command({
  name: "fuse",
  description:
    "A machine's root key and minimum version of what boots; --minimum raises the version for ever",
  args: {
    ...machineOption,
    minimum: {
      type: "string",
      description: "no boot package below it is taken any more",
      valueHint: "VERSION",
    },
    ...jsonOption,
  },
  examples: ["vtz fuse", "vtz fuse --machine lab --minimum 3", "vtz fuse --json"],
  async run({ args }) {
    const { machine, minimum } = args;
    const device =
      minimum === undefined
        ? await knownDevice(machine)
        : await withMachineLock(machine, () =>
            raiseMinimumVersion(machine, packageVersion("minimum", minimum)),
          );
    if (args.json === true) return sayJson(facts(device));
    for (const [name, value] of Object.entries(facts(device))) say(`${name.padEnd(16)}${value}`);
  },
});

/** Of the secret nothing is told. */
function facts({ rootKey, identity, minimumVersion }: Device): Record<string, string> {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  return { rootKey: hex(rootKey), identity: hex(identity), minimumVersion: String(minimumVersion) };
}
