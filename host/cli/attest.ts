// vtz attest: evidence of a running guest, for `vtz verify`.

import { ATTEST_CALL_NONCE_SIZE } from "../../abi/attest-call.ts";
import { UserError } from "../errors.ts";
import { askEvidence } from "../machine/ask-evidence.ts";
import { Machine } from "../machine/machine.ts";
import { command, jsonOption, machineOption, say, sayJson } from "./command.ts";
import { checkOutput, writeOutput } from "./output-file.ts";

const NONCE_HEX = new RegExp(`^[0-9a-f]{${2 * ATTEST_CALL_NONCE_SIZE}}$`, "i");

export default command({
  name: "attest",
  description: "Evidence of a guest: what it runs on, signed by the device; `vtz verify` takes it",
  args: {
    guest: { type: "positional", required: true, description: "the guest's name" },
    nonce: {
      type: "string",
      required: true,
      description: `${ATTEST_CALL_NONCE_SIZE} bytes of the one who will verify`,
      valueHint: "HEX",
    },
    output: { type: "string", alias: "o", description: "where to (GUEST.cbor)", valueHint: "FILE" },
    ...machineOption,
    ...jsonOption,
  },
  examples: [
    "vtz attest guest1 --nonce $(openssl rand -hex 32)",
    "vtz attest guest1 --nonce $NONCE -o evidence.cbor",
    "vtz attest guest1 --nonce $NONCE --json",
  ],
  async run({ args }) {
    const { guest, nonce, output, json } = args;
    const question = nonceOf(nonce);
    const path = output ?? (json === true ? undefined : `${guest}.cbor`);
    if (path !== undefined) await checkOutput(path);
    const evidence = await ask(args.machine, guest, question);
    if (path !== undefined) await writeOutput(path, evidence);
    if (json === true) sayJson({ guest, nonce, evidence: Buffer.from(evidence).toString("hex") });
    else say(`${path}: ${evidence.length} bytes`);
  },
});

function nonceOf(text: string): Uint8Array {
  if (NONCE_HEX.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  throw new UserError("bad-option", `--nonce ${text}: not ${ATTEST_CALL_NONCE_SIZE} bytes in hexadecimal`);
}

async function ask(name: string, guest: string, nonce: Uint8Array): Promise<Uint8Array> {
  const machine = await Machine.open(name);
  try {
    return await askEvidence(machine, guest, nonce);
  } finally {
    await machine.close();
  }
}
