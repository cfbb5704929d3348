// vtz keys: the keys that sign boot packages, and the public one that verifies a machine's evidence.

import { parseDeviceKey } from "../attest/index.ts";
import { UserError } from "../errors.ts";
import { attestationKeyPem } from "../machine/attestation-key.ts";
import { knownDevice } from "../machine/device.ts";
import { keyNames, keyPath, makeKey, readKey, type SigningKey } from "../machine/keys.ts";
import { command, jsonOption, machineOption, say, sayJson } from "./command.ts";
import { table } from "./table.ts";

export default command({
  name: "keys",
  description: "Keys that sign what boots: list, make, show the public half; a device's key for `vtz verify`",
  args: {
    action: { type: "positional", required: false, description: "list, make, show or device (list)" },
    key: { type: "positional", required: false, description: "its name" },
    ...machineOption,
    ...jsonOption,
  },
  examples: [
    "vtz keys",
    "vtz keys make release",
    "vtz keys show release",
    "vtz keys device --machine lab > device.pem",
  ],
  async run({ args }) {
    const { action = "list", key } = args;
    if (action === "list") return list(args.json === true);
    if (action === "device") return showDevice(args.machine, args.json === true);
    if (action !== "make" && action !== "show")
      throw new UserError("usage", `no action “${action}”`, "one of: list make show device");
    if (key === undefined) throw new UserError("usage", `which key to ${action}?`, `vtz keys ${action} NAME`);
    const found = action === "make" ? await makeKey(key) : await readKey(key);
    if (args.json === true) sayJson(describe(found));
    else say(publicHex(found));
  },
});

async function list(isJson: boolean): Promise<void> {
  const keys = await Promise.all((await keyNames()).map((name) => readKey(name)));
  if (isJson) return sayJson(keys.map(describe));
  if (keys.length === 0) return say("no keys; the development key is made when it is first used");
  say(table([["KEY", "PUBLIC"], ...keys.map((key) => [key.name, publicHex(key)])]));
}

async function showDevice(machine: string, isJson: boolean): Promise<void> {
  const device = await knownDevice(machine);
  const pem = attestationKeyPem(device);
  if (!isJson) return say(pem.trimEnd());
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  sayJson({ machine, identity: hex(device.identity), publicKey: hex(parseDeviceKey(pem)!) });
}

function describe(key: SigningKey): object {
  return { name: key.name, publicKey: publicHex(key), path: keyPath(key.name) };
}

function publicHex({ publicKey }: SigningKey): string {
  return Buffer.from(publicKey).toString("hex");
}
