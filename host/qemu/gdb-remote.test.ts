// The client of the gdb stub against a stub of our own that answers from a table. The real stub: tests/attacks.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { GDB_CPSR, GdbRemote } from "./gdb-remote.ts";

const FEATURE = '<feature><reg name="ESR_EL2" bitsize="64" regnum="140" group="cp_regs"/></feature>';

const INTERRUPT = "\x03";
const PACKET = new RegExp(`${INTERRUPT}|\\$([^#]*)#([0-9a-f]{2})`);

class FakeStub {
  readonly asked: string[] = [];
  readonly answers: Record<string, string> = {
    qC: "QC01",
    Hg1: "OK",
    Hg2: "OK",
    D: "OK",
    "Qqemu.PhyMemMode:0": "OK",
    "Qqemu.PhyMemMode:1": "OK",
  };
  #server: Server | undefined;
  readonly #clients: Socket[] = [];
  #rest = "";

  async listen(path: string): Promise<void> {
    this.#server = createServer((socket) => {
      this.#clients.push(socket.setEncoding("latin1"));
      socket.on("data", (text) => this.#take(String(text)));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => this.#server!.listen(path, resolve));
  }

  /** As they go over the line, checksum and acknowledgement included. */
  send(...bodies: readonly string[]): void {
    this.#clients.at(-1)!.write(bodies.map((body) => `+$${body}#${sumOf(body)}`).join(""), "latin1");
  }

  sendRaw(text: string): void {
    this.#clients.at(-1)!.write(text, "latin1");
  }

  close(): void {
    for (const client of this.#clients) client.destroy();
    this.#server?.close();
  }

  #take(text: string): void {
    this.#rest += text;
    for (;;) {
      const match = PACKET.exec(this.#rest);
      if (match === null) return;
      this.#rest = this.#rest.slice(match.index + match[0].length);
      const body = match[1] ?? INTERRUPT;
      if (match[1] !== undefined) assert.equal(match[2], sumOf(body));
      this.asked.push(body);
      const answer = this.answers[body];
      if (answer !== undefined) this.send(...answer.split("|"));
    }
  }
}

function sumOf(body: string): string {
  let sum = 0;
  for (const byte of Buffer.from(body, "latin1")) sum = (sum + byte) % 256;
  return sum.toString(16).padStart(2, "0");
}

let folder: string;
let stub: FakeStub;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vtz-gdb-"));
  stub = new FakeStub();
  await stub.listen(join(folder, "gdb.sock"));
});

afterEach(async () => {
  stub.close();
  await rm(folder, { recursive: true, force: true });
});

const connect = () => GdbRemote.connect(join(folder, "gdb.sock"));

test("the stop that a used stub reports before its first answer is passed over", async () => {
  stub.answers["qC"] = "T02thread:01;|QC01";
  stub.answers["qfThreadInfo"] = "m01,02";
  stub.answers["qsThreadInfo"] = "l";

  assert.deepEqual(await (await connect()).threads(), [1, 2]);
});

test("registers of a core are read and written in the target's byte order", async () => {
  const hex = (value: number) => Buffer.from(new BigUint64Array([BigInt(value)]).buffer).toString("hex");
  stub.answers["g"] =
    `${Array.from({ length: 33 }, (_, number) => hex(0x1234500 + number)).join("")}c9030060`;
  stub.answers["P1=efcdab8967452301"] = "OK";
  stub.answers["P21=c9020000"] = "OK";
  const gdb = await connect();

  const { x, sp, pc, cpsr } = await gdb.readRegisters(2);
  await gdb.writeRegister(2, 1, 0x0123456789abcdefn);
  await gdb.writeRegister(2, GDB_CPSR, 0x2c9n);

  assert.deepEqual([x.length, x[30], sp, pc, cpsr], [31, 0x123451en, 0x123451fn, 0x1234520n, 0x600003c9n]);
  assert(stub.asked.includes("Hg2"));
});

test("a system register is found by its name, and one that is not shown is named", async () => {
  stub.answers["qXfer:features:read:system-registers.xml:0,7f0"] = `m${FEATURE.slice(0, 40)}`;
  stub.answers["qXfer:features:read:system-registers.xml:28,7f0"] = `l${FEATURE.slice(40)}`;
  stub.answers["p8c"] = "4f00809600000000";
  const gdb = await connect();

  assert.equal(await gdb.readSystemRegister(1, "ESR_EL2"), 0x9680004fn);
  await assert.rejects(gdb.readSystemRegister(1, "ESR_EL9"), /does not show ESR_EL9/);
});

test("memory comes in pieces; what cannot be read is named", async () => {
  stub.answers["ma0000200000,800"] = "ab".repeat(0x800);
  stub.answers["ma0000200800,4"] = "01020304";
  stub.answers["m0,8"] = "E14";
  const gdb = await connect();

  const bytes = await gdb.readMemory(1, 0xa0000200000n, 0x804);

  assert.equal(bytes.length, 0x804);
  assert.deepEqual([...bytes.slice(-5)], [0xab, 1, 2, 3, 4]);
  await assert.rejects(gdb.readMemory(1, 0n, 8), /0x0 cannot be read/);
});

test("physical memory is asked for as such, and the next access is by address again", async () => {
  stub.answers["m40000000,2"] = "beef";
  stub.answers["m40001000,2"] = "cafe";
  stub.answers["ma0000200000,2"] = "f00d";
  const gdb = await connect();

  assert.deepEqual([...(await gdb.readPhysical(0x40000000, 2))], [0xbe, 0xef]);
  await gdb.readPhysical(0x40001000, 2);
  await gdb.readMemory(1, 0xa0000200000n, 2);

  assert.deepEqual(
    stub.asked.filter((packet) => !packet.startsWith("Hg")),
    ["qC", "Qqemu.PhyMemMode:1", "m40000000,2", "m40001000,2", "Qqemu.PhyMemMode:0", "ma0000200000,2"],
  );
});

test("one core goes on, or all; who stops is told", async () => {
  stub.answers["vCont;c:2"] = "T05thread:02;";
  stub.answers["vCont;s:1"] = "T05thread:p01.01;";
  stub.answers[INTERRUPT] = "T02thread:01;";
  const gdb = await connect();

  gdb.resume(2);
  assert.deepEqual(await gdb.waitForStop(), { signal: 5, thread: 2 });
  assert.deepEqual(await gdb.step(1), { signal: 5, thread: 1 });
  gdb.resume();
  assert.equal(await gdb.waitForStop(20), undefined);
  assert.deepEqual(await gdb.interrupt(), { signal: 2, thread: 1 });
});

test("what the stub refuses, a damaged packet and a lost connection are errors", async () => {
  stub.answers["Z1,1000,4"] = "E22";
  const gdb = await connect();
  await assert.rejects(gdb.setBreakpoint(0x1000n), /breakpoint was refused \(E22\)/);

  const damaged = gdb.waitForStop();
  stub.sendRaw("$T05#00");
  await assert.rejects(damaged, /damaged packet/);

  const lost = (await connect()).waitForStop();
  stub.close();
  await assert.rejects(lost, /connection closed/);
});

test("bytes that the stub escapes are what they were", async () => {
  const gdb = await connect();
  const stop = gdb.waitForStop();
  stub.send(`T05thread:01;}${String.fromCharCode("#".charCodeAt(0) ^ 0x20)}`);

  assert.deepEqual(await stop, { signal: 5, thread: 1 });
});
