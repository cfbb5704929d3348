// Evidence of a running guest (docs/attestation.md). Only a kernel can ask for it, so the guest's own is given a module
// that asks once and is not kept; the answer comes by its log. Whoever carries evidence is not trusted with it: here
// nothing is verified.

import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { ATTEST_MODULE, makeAttestModule } from "./attest-module.ts";
import { readEvidenceLog } from "./evidence-log.ts";
import { DOM0, type Machine } from "./machine.ts";
import { shellQuote } from "./shell.ts";

/** Where a guest keeps its kernel's modules (host/images/initrds.ts). */
const REFERENCE_MODULE = "/usr/lib/vtz/modules/optee.ko";
const LOG_TAIL_LINE_COUNT = 5;
/** A signature takes a part of a second on an idle host. */
const LOAD_TIMEOUT_MS = 120_000;

const NOT_SUPPORTED = -1n;
const DENIED = -3n;

/** What is needed of a machine. */
export type AskedMachine = Pick<Machine, "name" | "state" | "guests" | "pull" | "push" | "exec" | "status">;

/** `nonce` has ATTEST_CALL_NONCE_SIZE bytes. Throws a UserError that says why there is no evidence. */
export async function askEvidence(
  machine: AskedMachine,
  guest: string,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  refuseWithoutMonitor(machine, guest);
  const tag = `vtz-evidence-${randomBytes(8).toString("hex")}`;
  const { log, complaint } = await loadOnce(machine, guest, { nonce, tag });
  const answer = readEvidenceLog(log, tag);
  if (answer === undefined) throw notTold(guest, log, tag, complaint);
  if ("evidence" in answer) return answer.evidence;
  throw await refusal(machine, guest, answer.code);
}

function refuseWithoutMonitor({ state, name }: AskedMachine, guest: string): void {
  if (!state.hasMonitor)
    throw noEvidence(`machine “${name}” runs without the monitor`, "start it without --plain-xen");
  if (guest === DOM0) throw noEvidence("dom0 is not a guest: there is evidence of guests only");
}

interface Loaded {
  readonly log: string;
  readonly complaint: string;
}

/** The module gives up its place as soon as it has asked: insmod always fails. */
async function loadOnce(
  machine: AskedMachine,
  guest: string,
  question: { nonce: Uint8Array; tag: string },
): Promise<Loaded> {
  const folder = await mkdtemp(join(tmpdir(), "vtz-attest-"));
  const remote = `/tmp/${question.tag}.ko`;
  try {
    const reference = join(folder, "reference.ko");
    await machine.pull(guest, REFERENCE_MODULE, reference);
    const module = await makeAttestModule(question, await readFile(reference), folder);
    const local = join(folder, `${ATTEST_MODULE}.ko`);
    await writeFile(local, module);
    await machine.push(guest, local, remote);
    return await insmod(machine, guest, remote);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function insmod(machine: AskedMachine, guest: string, path: string): Promise<Loaded> {
  const output = { stdout: "", stderr: "" };
  const file = shellQuote(path);
  await machine.exec(guest, `insmod ${file}; rm -f ${file}; dmesg`, {
    onOutput: (bytes, stream) => {
      output[stream] += bytes.toString("latin1");
    },
    timeoutMs: LOAD_TIMEOUT_MS,
  });
  return { log: output.stdout, complaint: output.stderr.trim() };
}

async function refusal(machine: AskedMachine, guest: string, code: bigint): Promise<UserError> {
  const status = await machine.status();
  if (status === undefined || status.protection.hardenedSites === 0)
    return noEvidence("there is no evidence before lockdown, when the first guest starts");
  const { teeId } = machine.guests.find(({ name }) => name === guest) ?? {};
  if (teeId === undefined || !status.guests.some(({ id }) => id === teeId))
    return noEvidence(`${guest} runs without a TEE: the monitor does not know it`);
  if (code === NOT_SUPPORTED)
    return noEvidence(
      "the device signs nothing: it has no secret, or its attestation compartment has failed",
      "`vtz logs events` tells of a compartment that has failed",
    );
  if (code === DENIED)
    return noEvidence(
      `the monitor denies evidence of ${guest}: the guest has no identity, or its TEE, the monitor or the hypervisor was not measured`,
    );
  return noEvidence(`the monitor answers ${code}, which is no code of abi/attest-call.ts`);
}

function notTold(guest: string, log: string, tag: string, complaint: string): UserError {
  if (log.includes(tag))
    return noEvidence(`${guest}'s kernel log does not have the whole answer`, "ask again");
  const tail = log.trimEnd().split("\n").slice(-LOG_TAIL_LINE_COUNT);
  return noEvidence([`${guest}'s kernel has not loaded the module: ${complaint}`, ...tail].join("\n"));
}

function noEvidence(message: string, hint?: string): UserError {
  return new UserError("no-evidence", message, hint);
}
