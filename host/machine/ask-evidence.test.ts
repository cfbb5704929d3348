// vtz attest's part that needs no machine: a guest that answers as its kernel's log would, or does not.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { otherModule } from "../../tests/drivers/kernel-modules.ts";
import { RelocatableFile } from "../kernel-module/relocatable.ts";
import { type AskedMachine, askEvidence } from "./ask-evidence.ts";
import type { MachineState } from "./state.ts";
import type { MonitorStatus } from "./status.ts";

const NONCE = Uint8Array.from({ length: 32 }, (_, index) => index);
const PIECE = "1111111111111111 2222222222222222 3333333333333333".concat(" 0000000000000000".repeat(4));

interface Answer {
  /** Behind the tag, line by line. */
  readonly lines?: readonly string[];
  readonly complaint?: string;
  readonly state?: Partial<MachineState>;
  readonly hardenedSites?: number;
  readonly teeId?: number;
}

class AGuest {
  module: Uint8Array | undefined;
  readonly commands: string[] = [];
  readonly machine: AskedMachine;
  pushed = "";

  constructor({ lines = [], complaint = "", state = {}, hardenedSites = 26, teeId = 1 }: Answer) {
    const guest = { name: "web", slot: 0, vcpuCount: 1, memoryMib: 256, logStart: 0, teeId };
    const status = { protection: { hardenedSites }, guests: [{ id: 1 }] } as unknown as MonitorStatus;
    this.machine = {
      name: "lab",
      state: { hasMonitor: true, ...state } as MachineState,
      guests: [guest],
      status: async () => status,
      pull: async (_, _remote, local) => writeFileSync(local, reference),
      push: async (_, local, remote) => {
        this.module = readFileSync(local);
        this.pushed = remote;
      },
      exec: async (_, command, options) => {
        this.commands.push(command);
        const tag = /(vtz-evidence-[0-9a-f]+)\.ko$/.exec(this.pushed)![1];
        const log = ["[    1.0] something else", ...lines.map((line) => `[    2.0] ${tag} ${line}`)];
        options?.onOutput?.(Buffer.from(`${log.join("\n")}\n`), "stdout");
        options?.onOutput?.(Buffer.from(complaint), "stderr");
        return { code: 0 };
      },
    };
  }
}

let reference: Uint8Array;
const folder = mkdtempSync(join(tmpdir(), "vtz-ask-"));
before(async () => {
  Object.assign(process.env, { TMPDIR: folder });
  reference = await otherModule();
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a module for the guest's kernel is loaded once and taken away; its answer is the evidence", async () => {
  const guest = new AGuest({
    lines: ["size 0000000000000012", `0000 ${PIECE.replace("3".repeat(12), "0".repeat(12))}`],
  });

  const evidence = await askEvidence(guest.machine, "web", NONCE);

  assert.equal(Buffer.from(evidence).toString("hex"), "11".repeat(8) + "22".repeat(8) + "33".repeat(2));
  assert.match(guest.commands.join(), /^insmod (\/tmp\/\S+\.ko); rm -f \1; dmesg$/);
  assert.deepEqual(new RelocatableFile(guest.module!).undefinedSymbols(), ["_printk"]);
  assert.deepEqual(readdirSync(folder), [], "nothing is left here");
});

const REFUSALS: [what: string, answer: Answer, complaint: RegExp][] = [
  ["a machine without the monitor", { state: { hasMonitor: false } }, /runs without the monitor/],
  ["a device without a secret", { lines: ["size ffffffffffffffff"] }, /signs nothing: it has no secret/],
  ["a guest of which not all is known", { lines: ["size fffffffffffffffd"] }, /denies evidence of web/],
  ["a time before lockdown", { lines: ["size fffffffffffffffd"], hardenedSites: 0 }, /before lockdown/],
  ["a guest without a TEE", { lines: ["size ffffffffffffffff"], teeId: 9 }, /web runs without a TEE/],
  ["a code that is none", { lines: ["size fffffffffffffff0"] }, /answers -16, which is no code/],
  ["an answer that is cut off", { lines: ["size 0000000000000012"] }, /does not have the whole answer/],
  [
    "a kernel that refuses the module",
    { complaint: "invalid format" },
    /has not loaded .*: invalid format\n.*else$/,
  ],
];

for (const [what, answer, complaint] of REFUSALS)
  test(`${what} has the reason told`, async () => {
    const { machine } = new AGuest(answer);

    await assert.rejects(askEvidence(machine, "web", NONCE), { code: "no-evidence", message: complaint });
  });

test("dom0 is not asked", async () => {
  const guest = new AGuest({});

  await assert.rejects(askEvidence(guest.machine, "dom0", NONCE), /dom0 is not a guest/);
  assert.equal(guest.module, undefined);
});
