// vtz verify: whether evidence is what a device says of a guest, and good enough. Needs no machine: it is for whoever
// has asked.

import {
  type Claims,
  type Expected,
  PolicyError,
  parseDeviceKey,
  parsePolicy,
  type Verdict,
  verifyEvidence,
} from "../attest/index.ts";
import { UserError } from "../errors.ts";
import { command, jsonOption, say, sayJson } from "./command.ts";
import { readInput } from "./output-file.ts";
import { table } from "./table.ts";

const NONCE_HEX = /^([0-9a-f]{2}){8,64}$/i;
const IDENTITY_HEX = /^[0-9a-f]{64}$/i;

export default command({
  name: "verify",
  description: "Verify the evidence of a guest; exit code 1 if it is refused",
  args: {
    evidence: { type: "positional", required: true, description: "file with the evidence" },
    nonce: { type: "string", required: true, description: "what was asked with", valueHint: "HEX" },
    "device-key": {
      type: "string",
      required: true,
      description: "the device's public key: PEM, or 64 hexadecimal digits",
      valueHint: "FILE",
    },
    policy: { type: "string", description: "what is accepted (docs/attestation.md)", valueHint: "FILE" },
    guest: { type: "string", description: "identity of the guest that is meant", valueHint: "HEX" },
    ...jsonOption,
  },
  examples: [
    "vtz verify evidence.cbor --nonce 00112233445566778899aabbccddeeff --device-key device.pem",
    "vtz verify evidence.cbor --nonce $NONCE --device-key device.hex --policy policy.json --json",
  ],
  async run({ args }) {
    const expected = {
      deviceKey: await readDeviceKey(args["device-key"]),
      nonce: fromHex("nonce", args.nonce, NONCE_HEX, "8 to 64 bytes in hexadecimal"),
      ...(args.guest === undefined
        ? {}
        : { guest: fromHex("guest", args.guest, IDENTITY_HEX, "32 bytes in hexadecimal") }),
      ...(args.policy === undefined ? {} : { policy: await readPolicy(args.policy) }),
    } satisfies Expected;
    const verdict = verifyEvidence(await readInput(args.evidence), expected);
    if (args.json === true) sayJson(plain(verdict));
    else
      say(verdict.isAccepted ? acceptedText(verdict.claims) : `refused: ${verdict.code}: ${verdict.reason}`);
    if (!verdict.isAccepted) process.exitCode = 1;
  },
});

async function readDeviceKey(path: string): Promise<Uint8Array> {
  const key = parseDeviceKey(new TextDecoder().decode(await readInput(path)));
  if (key !== undefined) return key;
  throw new UserError(
    "bad-key",
    `${path} is no Ed25519 public key`,
    "it must be a PEM file (BEGIN PUBLIC KEY) or 64 hexadecimal digits",
  );
}

async function readPolicy(path: string): Promise<ReturnType<typeof parsePolicy>> {
  try {
    return parsePolicy(new TextDecoder().decode(await readInput(path)));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new UserError("bad-policy", `${path}: ${error.message}`, "docs/attestation.md has the rules");
  }
}

function fromHex(name: string, text: string, form: RegExp, wants: string): Uint8Array {
  if (form.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  throw new UserError("bad-option", `--${name} ${text}: not ${wants}`);
}

function acceptedText(claims: Claims): string {
  const { components } = claims;
  const component = ({ name, version, measurement }: (typeof components)["tee"]) =>
    `${measurement}  ${name}${version === undefined ? "" : ` ${version}`}`;
  const rows = [
    ["device", claims.device],
    ["guest", claims.guest],
    ["TEE", component(components.tee)],
    ["monitor", component(components.monitor)],
    ["hypervisor", component(components.hypervisor)],
    ["violations", String(claims.violations)],
    ["package version", String(claims.packageVersion)],
    ["verified boot", claims.verifiedBoot ? "yes" : "no"],
    ["debug", claims.debug],
  ];
  return `accepted\n${table(rows)}`;
}

/** JSON has no integers beyond 2^53: counts are numbers as long as they are exact, else decimal digits in a text. */
function plain(verdict: Verdict): unknown {
  const exact = (_key: string, item: unknown) => {
    if (typeof item !== "bigint") return item;
    return item <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(item) : String(item);
  };
  return JSON.parse(JSON.stringify(verdict, exact));
}
