// A hypervisor that has been taken over: Debian's Xen, running, a core of which an attacker with arbitrary read, write and jump leads where he
// wants. The core is stopped in Xen's idle loop, where it holds nothing; its program counter is set to an instruction of
// Xen's own text, its registers to what the attacker chooses, and it runs on until that instruction is done or has faulted into Xen's
// vectors. Afterwards everything is put back and Xen goes on. The debugger jumps and looks; it stores nothing.

import { setTimeout as sleep } from "node:timers/promises";
import { POOL_PAGES_OFFSET } from "../../abi/memory-map.ts";
import { instruction } from "../../arm/instructions.ts";
import { stores } from "../../arm/stores.ts";
import type { Machine } from "../../host/machine/machine.ts";
import { SocketFolder } from "../../host/machine/sockets.ts";
import { GDB_SOCKET, QMP_SOCKET } from "../../host/qemu/command-line.ts";
import { type CoreRegisters, GDB_CPSR, GDB_PC, GdbRemote } from "../../host/qemu/gdb-remote.ts";
import { QmpClient } from "../../host/qemu/qmp.ts";
import { timeScale } from "../boots/rows.ts";
import { word } from "../machine/source-words.ts";
import { type Gadget, Gadgets, type StoreGadget, type TextPage } from "./gadgets.ts";
import { isTable, LiveTables, outputPa, PAGE_SIZE, shiftOf, type TableEntry } from "./live-tables.ts";

export type Registers = Readonly<Record<number, bigint>>;

export interface Outcome {
  /** `done`: the next instruction was reached; `fault`: Xen's vector was; `stuck`: neither, for seconds. */
  readonly end: "done" | "fault" | "elsewhere" | "stuck";
  readonly registers: CoreRegisters;
  readonly esr: bigint;
  readonly far: bigint;
  readonly elr: bigint;
  readonly spsr: bigint;
}

const INSTRUCTION_SIZE = 4n;
const DSB_SY = 0xd5033f9f;
const UNMASK_IRQ = 0xd50342ff; // msr daifclr, #2
const STEP_LIMIT_MS = 5_000 * timeScale;
const SEIZE_LIMIT_MS = 60_000 * timeScale;
/** Of a vector table: synchronous, of EL2 on its own stack pointer, and on SP_EL0. */
const SYNCHRONOUS = [0x200n, 0x000n];
const IRQ_VECTOR = 0x280n;
const EL3 = 3n;

export class HostileXen {
  readonly machine: Machine;
  readonly gdb: GdbRemote;
  /** EL2's own tables and code as they were at the beginning. */
  readonly stage1: LiveTables;
  readonly gadgets: Gadgets;
  readonly text: readonly TableEntry[];
  /** Xen's vector table; the monitor's stands before it. */
  readonly vectorsVa: bigint;
  readonly directMapOffset: bigint;
  readonly #idleVa: bigint;
  readonly #seized = new Map<number, CoreRegisters>();
  #steps = 0;

  private constructor(machine: Machine, gdb: GdbRemote, parts: Parts) {
    this.machine = machine;
    this.gdb = gdb;
    this.stage1 = parts.stage1;
    this.text = parts.text;
    this.gadgets = parts.gadgets;
    this.vectorsVa = parts.vectorsVa;
    this.directMapOffset = parts.directMapOffset;
    this.#idleVa = idleVaOf(parts.gadgets);
  }

  static async attach(machine: Machine): Promise<HostileXen> {
    const gdb = await openStub(machine);
    try {
      const xen = new HostileXen(machine, gdb, await explore(machine, gdb));
      gdb.resume();
      return xen;
    } catch (error) {
      await gdb.detach();
      throw error;
    }
  }

  async detach(): Promise<void> {
    await this.gdb.interrupt();
    await this.gdb.detach();
  }

  /** Another number whenever an instruction may have been executed. */
  get steps(): number {
    return this.#steps;
  }

  /** Where Xen sees physical memory that is its own. */
  directMapVa(pa: number): bigint {
    return BigInt(pa) + this.directMapOffset;
  }

  /** Cores of Xen, one or more, are the attacker's meanwhile. Afterwards they go on as if nothing had been. */
  async attack<T>(action: (...threads: number[]) => Promise<T>, coreCount = 1): Promise<T> {
    await this.gdb.interrupt();
    this.#steps++;
    try {
      await this.#seize(coreCount);
      return await action(...this.#seized.keys());
    } finally {
      for (const [thread, registers] of this.#seized) await this.gdb.writeRegisters(thread, registers);
      this.#seized.clear();
      this.gdb.resume();
    }
  }

  /** Jumps to one instruction with these registers; `ends` are further places where to stop. */
  async jump(
    thread: number,
    va: bigint,
    registers: Registers,
    ends: readonly bigint[] = [],
  ): Promise<Outcome> {
    await this.#aim(thread, va, registers);
    const stops = [va + INSTRUCTION_SIZE, ...SYNCHRONOUS.map((offset) => this.vectorsVa + offset), ...ends];
    return this.#between(stops, async () => {
      this.gdb.resume(thread);
      const stop = await this.gdb.waitForStop(STEP_LIMIT_MS);
      if (stop === undefined) await this.gdb.interrupt();
      return this.#outcome(thread, va, stop === undefined);
    });
  }

  /** Stores values at an address. */
  store(thread: number, gadget: StoreGadget, va: bigint, ...values: readonly bigint[]): Promise<Outcome> {
    const sources = gadget.sources.map((register, index) => [register, values[index] ?? 0n]);
    const registers = Object.fromEntries([...sources, [gadget.base, va - gadget.offset]]);
    return this.jump(thread, gadget.va, registers);
  }

  /** Two cores jump at the same moment; each ends for itself. */
  async race(jumps: readonly { thread: number; gadget: Gadget; registers: Registers }[]): Promise<Outcome[]> {
    for (const { thread, gadget, registers } of jumps) await this.#aim(thread, gadget.va, registers);
    const behind = new Set(jumps.map(({ gadget }) => gadget.va + INSTRUCTION_SIZE));
    const vectors = SYNCHRONOUS.map((offset) => this.vectorsVa + offset);
    return this.#between([...behind, ...vectors], async () => {
      const isAtEnd = async (thread: number) =>
        [...behind, ...vectors].includes((await this.gdb.readRegisters(thread)).pc);
      for (let waiting = jumps.map(({ thread }) => thread); waiting.length > 0; ) {
        this.gdb.resume(...waiting);
        if ((await this.gdb.waitForStop(STEP_LIMIT_MS)) === undefined) throw new Error("a core is stuck");
        const ended = await Promise.all([isAtEnd(waiting[0]!)]);
        const still: number[] = [];
        for (const [index, thread] of waiting.entries())
          if (!(index === 0 ? ended[0] : await isAtEnd(thread))) still.push(thread);
        waiting = still;
      }
      const outcomes: Outcome[] = [];
      for (const { thread, gadget } of jumps) outcomes.push(await this.#outcome(thread, gadget.va, false));
      return outcomes;
    });
  }

  async #aim(thread: number, va: bigint, registers: Registers): Promise<void> {
    this.#steps++;
    for (const [number, value] of Object.entries(registers))
      await this.gdb.writeRegister(thread, Number(number), value);
    await this.gdb.writeRegister(thread, GDB_PC, va);
  }

  async #between<T>(stops: readonly bigint[], action: () => Promise<T>): Promise<T> {
    for (const va of new Set(stops)) await this.gdb.setBreakpoint(va);
    try {
      return await action();
    } finally {
      for (const va of new Set(stops)) await this.gdb.removeBreakpoint(va);
    }
  }

  async #outcome(thread: number, va: bigint, isStuck: boolean): Promise<Outcome> {
    const registers = await this.gdb.readRegisters(thread);
    const isFault = SYNCHRONOUS.some((offset) => registers.pc === this.vectorsVa + offset);
    const isDone = registers.pc === va + INSTRUCTION_SIZE;
    const read = (name: string) => this.gdb.readSystemRegister(thread, name);
    return {
      end: isStuck ? "stuck" : isFault ? "fault" : isDone ? "done" : "elsewhere",
      registers,
      esr: await read("ESR_EL2"),
      far: await read("FAR_EL2"),
      elr: await read("ELR_EL2"),
      spsr: await read("SPSR_EL2"),
    };
  }

  /** Stops cores in the idle loop, one after another, and sees to it that no other one is inside the monitor. */
  async #seize(coreCount: number): Promise<void> {
    const threads = await this.gdb.threads();
    const deadline = Date.now() + SEIZE_LIMIT_MS;
    await this.#between([this.#idleVa], async () => {
      while (this.#seized.size < coreCount) {
        this.gdb.resume(...threads.filter((thread) => !this.#seized.has(thread)));
        const stop = await this.gdb.waitForStop(Math.max(1, deadline - Date.now()));
        if (stop === undefined) {
          await this.gdb.interrupt();
          throw new Error(`only ${this.#seized.size} of ${coreCount} cores became idle in time`);
        }
        for (const thread of threads) await this.#keepIfIdle(thread, coreCount);
      }
    });
    await this.#leaveMonitor(threads.filter((thread) => !this.#seized.has(thread)));
  }

  async #keepIfIdle(thread: number, coreCount: number): Promise<void> {
    if (this.#seized.has(thread) || this.#seized.size === coreCount) return;
    const registers = await this.gdb.readRegisters(thread);
    if (registers.pc === this.#idleVa) this.#seized.set(thread, registers);
  }

  async #leaveMonitor(others: readonly number[]): Promise<void> {
    for (let tries = 0; tries < 1000 && others.length > 0; tries++) {
      const levels = new Set<bigint>();
      for (const thread of others) levels.add(await this.#exceptionLevel(thread));
      if (!levels.has(EL3)) return;
      this.gdb.resume(...others);
      await sleep(1);
      await this.gdb.interrupt();
    }
    if (others.length > 0) throw new Error("the other cores do not leave the monitor");
  }

  async #exceptionLevel(thread: number): Promise<bigint> {
    return ((await this.gdb.readRegisters(thread)).cpsr >> 2n) & 3n;
  }
}

interface Parts {
  readonly stage1: LiveTables;
  readonly text: readonly TableEntry[];
  readonly gadgets: Gadgets;
  readonly vectorsVa: bigint;
  readonly directMapOffset: bigint;
}

/** A stub of the running machine; whoever connects to it stops the machine. */
async function openStub(machine: Machine): Promise<GdbRemote> {
  const sockets = new SocketFolder(machine.folder);
  try {
    const qmp = await QmpClient.connect(sockets.path(QMP_SOCKET));
    await qmp.execute("human-monitor-command", {
      "command-line": `gdbserver unix:${GDB_SOCKET},server=on,wait=off`,
    });
    qmp.close();
    return await GdbRemote.connect(sockets.path(GDB_SOCKET));
  } finally {
    sockets.close();
  }
}

async function explore(machine: Machine, gdb: GdbRemote): Promise<Parts> {
  const { poolPa } = machine.state.ram;
  const rootPa = Number((await gdb.readSystemRegister(1, "TTBR0_EL2")) & word("TABLE_OUTPUT_ADDRESS_MASK"));
  const read = (pa: number, size: number) => gdb.readPhysical(pa, size);
  const stage1 = new LiveTables(read, rootPa);
  const text: TableEntry[] = [];
  let directMapOffset: bigint | undefined;
  for await (const entry of stage1.valid(poolPa)) {
    if (isTable(entry)) {
      // The monitor's tables of the direct map are an array in the order of the pages.
      if (entry.level === 2 && isDirectMapTable(poolPa, outputPa(entry)))
        directMapOffset ??= await directMapOffsetOf(stage1, entry);
    } else if ((entry.value & word("STAGE1_XN")) === 0n) {
      text.push(entry);
    }
  }
  if (directMapOffset === undefined) throw new Error("Xen has no direct map");
  const pages: TextPage[] = [];
  for (const entry of text) pages.push({ va: entry.address, bytes: await read(outputPa(entry), PAGE_SIZE) });
  const gadgets = new Gadgets(pages);
  return { stage1, text, gadgets, directMapOffset, vectorsVa: await vectorsVaOf(gdb) };
}

function isDirectMapTable(poolPa: number, tablePa: number): boolean {
  return tablePa >= poolPa + POOL_PAGES_OFFSET;
}

async function directMapOffsetOf(tables: LiveTables, entry: TableEntry): Promise<bigint> {
  const [first] = await tables.entriesOf(outputPa(entry), 3, entry.address);
  return first!.address - BigInt(outputPa(first!));
}

/** The monitor's vectors branch to Xen's, entry by entry. */
async function vectorsVaOf(gdb: GdbRemote): Promise<bigint> {
  const branch = stores.find(({ name }) => name === "B")!;
  for (const thread of await gdb.threads()) {
    const at = (await gdb.readSystemRegister(thread, "VBAR_EL2")) + IRQ_VECTOR;
    const bytes = await gdb.readMemory(thread, at, 4).catch(() => undefined);
    const found = bytes === undefined ? 0 : Buffer.from(bytes).readUInt32LE();
    if ((found & branch.mask) >>> 0 !== branch.match) continue;
    const distance = BigInt.asIntN(28, BigInt(found & ~branch.mask) << 2n);
    return at + distance - IRQ_VECTOR;
  }
  throw new Error("no core has the monitor's vectors for the hypervisor");
}

/** Where a core goes on after its wait: `dsb sy; wfi; msr daifclr, #2`. */
function idleVaOf(gadgets: Gadgets): bigint {
  const wfi = instruction("WFI").match;
  const words = gadgets.all(() => true);
  const index = words.findIndex(
    ({ word: found }, at) =>
      found === wfi && words[at - 1]?.word === DSB_SY && words[at + 1]?.word === UNMASK_IRQ,
  );
  if (index < 0) throw new Error("Xen's idle loop is not where it waits");
  return words[index + 1]!.va;
}

export { GDB_CPSR, shiftOf };
