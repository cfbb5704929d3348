// Guests of a running machine, made and ended through dom0's agent.

import { UserError } from "../errors.ts";
import {
  type GuestSpec,
  guestConfig,
  guestFilePaths,
  guestPartialDeviceTree,
} from "../images/guest-config.ts";
import type { AgentClient } from "./agent-client.ts";

const TOOL = "/usr/lib/vtz/guest";
const WINDOW_TOOL = "perl /usr/lib/vtz/window.pl";
const CREATE_TIMEOUT_MS = 180_000;

export interface RunningGuest {
  name: string;
  domainId: number;
  memoryMib: number;
  vcpuCount: number;
  /** As xl shows it: r, b, p, s, c, d. */
  state: string;
  cpuSeconds: number;
}

/** Returns the domain's id. The guest boots from then on; its agent answers when it is up. */
export async function createGuest(dom0: AgentClient, spec: GuestSpec): Promise<number> {
  const files = guestFilePaths(spec.name);
  await dom0.write(guestConfig(spec), files.config);
  await dom0.write(guestPartialDeviceTree(spec.name), files.deviceTree);
  if (spec.disk !== undefined) await showDisk(dom0, spec.slot, spec.disk);
  const result = await dom0.exec(`${TOOL} create ${spec.slot} ${files.config}`, {
    timeoutMs: CREATE_TIMEOUT_MS,
  });
  if (result.code === 0) return Number(result.stdout.trim());
  throw explainXl(spec, result.stderr);
}

async function showDisk(
  dom0: AgentClient,
  slot: number,
  { start, size }: { start: number; size: number },
): Promise<void> {
  const result = await dom0.exec(`${WINDOW_TOOL} ${slot} ${start} ${size}`, { timeoutMs: 60_000 });
  if (result.code !== 0) throw new Error(`the disk of slot ${slot}: ${lastLine(result.stderr)}`);
}

export async function destroyGuest(dom0: AgentClient, name: string): Promise<void> {
  const result = await dom0.exec(`${TOOL} destroy ${name}`, { timeoutMs: 60_000 });
  if (result.code !== 0)
    throw new UserError("no-such-guest", `xl cannot end guest ${name}: ${lastLine(result.stderr)}`, "vtz ps");
}

export async function listGuests(dom0: AgentClient): Promise<RunningGuest[]> {
  const result = await dom0.exec(`${TOOL} list`, { timeoutMs: 60_000 });
  if (result.code !== 0) throw new Error(`xl list: exit code ${result.code}: ${result.stderr}`);
  return parseGuestList(result.stdout);
}

/** `Name ID Mem VCPUs State Time(s)`, dom0 left out. */
export function parseGuestList(text: string): RunningGuest[] {
  const guests: RunningGuest[] = [];
  for (const line of text.split("\n")) {
    const match = /^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+([\d.]+)\s*$/.exec(line);
    if (match === null || match[2] === "0") continue;
    const [, name, id, memory, vcpus, state, seconds] = match;
    guests.push({
      name: name!,
      domainId: Number(id),
      memoryMib: Number(memory),
      vcpuCount: Number(vcpus),
      state: state!.replaceAll("-", ""),
      cpuSeconds: Number(seconds),
    });
  }
  return guests;
}

function explainXl(spec: GuestSpec, stderr: string): UserError {
  const cause = new Error(stderr);
  if (/already exists|duplicate/i.test(stderr)) {
    return new UserError(
      "guest-exists",
      `there is a guest ${spec.name} already`,
      "choose another name, or end it first",
      cause,
    );
  }
  if (/memory|ENOMEM|Cannot allocate/i.test(stderr)) {
    return new UserError(
      "no-memory",
      `not enough memory for guest ${spec.name} (${spec.memoryMib} MiB)`,
      "give it less, or the machine more",
      cause,
    );
  }
  return new UserError(
    "guest-failed",
    `xl could not create guest ${spec.name}: ${lastLine(stderr)}`,
    undefined,
    cause,
  );
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
