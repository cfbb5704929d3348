// A client of QEMU's gdb stub (GDB manual, appendix E, Remote Serial Protocol): the cores are its threads. Memory is read by the VA of the
// selected core, past permissions: good to observe, never to act.

import { UserError } from "../errors.ts";
import { GdbPackets } from "./gdb-packets.ts";

/** Numbers of QEMU's AArch64 core feature: x0…x30 are 0…30. */
export const GDB_SP = 31;
export const GDB_PC = 32;
export const GDB_CPSR = 33;
const CORE_REGISTER_COUNT = 34;

export interface CoreRegisters {
  readonly x: readonly bigint[];
  readonly sp: bigint;
  readonly pc: bigint;
  readonly cpsr: bigint;
}

export interface GdbStop {
  /** 5: a breakpoint or a step; 2: interrupted. */
  readonly signal: number;
  /** Numbered from 1, as the cores are from 0; 0 if the stub does not say. */
  readonly thread: number;
}

const ANSWER_LIMIT_MS = 10_000;
/** Half of QEMU's longest packet: two digits a byte. */
const READ_SIZE_MAX = 2048;

export class GdbRemote {
  readonly #packets: GdbPackets;
  #systemRegisters: ReadonlyMap<string, number> | undefined;
  /** Undefined: as whoever was here before has left it. */
  #readsPhysical: boolean | undefined;

  private constructor(packets: GdbPackets) {
    this.#packets = packets;
  }

  /** Connecting stops the machine. */
  static async connect(path: string): Promise<GdbRemote> {
    const packets = await GdbPackets.connect(path);
    packets.send("qC");
    // A stub that was used before reports the stop by itself as well, before it answers.
    let answer = await packets.next(ANSWER_LIMIT_MS);
    while (answer?.startsWith("T")) answer = await packets.next(ANSWER_LIMIT_MS);
    if (answer?.startsWith("QC") !== true) throw new Error(`gdb stub: no stub but ${answer}`);
    return new GdbRemote(packets);
  }

  async threads(): Promise<number[]> {
    const threads: number[] = [];
    let answer = await this.#ask("qfThreadInfo");
    for (; answer[0] === "m"; answer = await this.#ask("qsThreadInfo"))
      threads.push(...answer.slice(1).split(",").map(fromHex));
    return threads;
  }

  async readRegisters(thread: number): Promise<CoreRegisters> {
    await this.#select(thread);
    const hex = await this.#ask("g");
    const values = Array.from({ length: CORE_REGISTER_COUNT }, (_, number) =>
      littleEndian(hex.slice(number * 16, number * 16 + digitsOf(number))),
    );
    return { x: values.slice(0, GDB_SP), sp: values[GDB_SP]!, pc: values[GDB_PC]!, cpsr: values[GDB_CPSR]! };
  }

  async writeRegister(thread: number, number: number, value: bigint): Promise<void> {
    if (value < 0n || value >> BigInt(digitsOf(number) * 4) !== 0n)
      throw new RangeError(`register ${number} cannot hold ${value}`);
    await this.#select(thread);
    const bytes = Buffer.from(value.toString(16).padStart(digitsOf(number), "0"), "hex").reverse();
    expectOk(await this.#ask(`P${number.toString(16)}=${bytes.toString("hex")}`), `register ${number}`);
  }

  async writeRegisters(thread: number, { x, sp, pc, cpsr }: CoreRegisters): Promise<void> {
    for (const [number, value] of [...x, sp, pc, cpsr].entries())
      await this.writeRegister(thread, number, value);
  }

  /** By the Arm ARM's name, e.g. ESR_EL2. */
  async readSystemRegister(thread: number, name: string): Promise<bigint> {
    this.#systemRegisters ??= registerNumbers(await this.#readFeature("system-registers.xml"));
    const number = this.#systemRegisters.get(name);
    if (number === undefined) throw new Error(`gdb stub: QEMU does not show ${name}`);
    await this.#select(thread);
    return littleEndian(readValue(await this.#ask(`p${number.toString(16)}`), name));
  }

  async readMemory(thread: number, va: bigint, size: number): Promise<Uint8Array> {
    await this.#select(thread);
    return this.#readBytes(va, size, false);
  }

  /** Normal memory, past all translation. */
  readPhysical(pa: number, size: number): Promise<Uint8Array> {
    return this.#readBytes(BigInt(pa), size, true);
  }

  /** On all cores, at whatever exception level. */
  async setBreakpoint(va: bigint): Promise<void> {
    expectOk(await this.#ask(`Z1,${va.toString(16)},4`), "breakpoint");
  }

  async removeBreakpoint(va: bigint): Promise<void> {
    expectOk(await this.#ask(`z1,${va.toString(16)},4`), "breakpoint");
  }

  /** One instruction of one core; the others stand still. QEMU takes no interrupt meanwhile. */
  async step(thread: number): Promise<GdbStop> {
    this.#packets.send(`vCont;s:${thread.toString(16)}`);
    return this.waitForStop();
  }

  /** Without threads: all cores. */
  resume(...threads: readonly number[]): void {
    const actions = threads.map((thread) => `c:${thread.toString(16)}`);
    this.#packets.send(`vCont;${actions.length === 0 ? "c" : actions.join(";")}`);
  }

  /** Undefined when nothing stops within the time: the machine runs on. */
  waitForStop(): Promise<GdbStop>;
  waitForStop(timeoutMs: number): Promise<GdbStop | undefined>;
  async waitForStop(timeoutMs?: number): Promise<GdbStop | undefined> {
    const packet = await this.#packets.next(timeoutMs);
    return packet === undefined ? undefined : stopOf(packet);
  }

  async interrupt(): Promise<GdbStop> {
    this.#packets.sendInterrupt();
    return this.waitForStop();
  }

  /** The machine runs on without us. */
  async detach(): Promise<void> {
    expectOk(await this.#ask("D"), "detach");
    this.close();
  }

  close(): void {
    this.#packets.close();
  }

  async #select(thread: number): Promise<void> {
    expectOk(await this.#ask(`Hg${thread.toString(16)}`), `core ${thread - 1}`);
  }

  async #readBytes(address: bigint, size: number, isPhysical: boolean): Promise<Uint8Array> {
    if (isPhysical !== this.#readsPhysical)
      expectOk(await this.#ask(`Qqemu.PhyMemMode:${isPhysical ? 1 : 0}`), "physical memory");
    this.#readsPhysical = isPhysical;
    const parts: Buffer[] = [];
    for (let offset = 0; offset < size; offset += READ_SIZE_MAX) {
      const length = Math.min(READ_SIZE_MAX, size - offset).toString(16);
      const place = (address + BigInt(offset)).toString(16);
      parts.push(Buffer.from(readValue(await this.#ask(`m${place},${length}`), `0x${place}`), "hex"));
    }
    return Buffer.concat(parts);
  }

  async #readFeature(name: string): Promise<string> {
    let text = "";
    for (;;) {
      const answer = await this.#ask(`qXfer:features:read:${name}:${text.length.toString(16)},7f0`);
      text += answer.slice(1);
      if (answer[0] === "l") return text;
      if (answer[0] !== "m") throw new Error(`gdb stub: ${name}: ${answer}`);
    }
  }

  async #ask(request: string): Promise<string> {
    this.#packets.send(request);
    const answer = await this.#packets.next(ANSWER_LIMIT_MS);
    if (answer !== undefined) return answer;
    throw new UserError("qemu-silent", `QEMU's gdb stub did not answer ${request} within 10 s`);
  }
}

function stopOf(packet: string): GdbStop {
  const thread = /thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);/.exec(packet)?.[1] ?? "0";
  if (packet[0] !== "T") throw new Error(`gdb stub: not a stop but ${packet}`);
  return { signal: fromHex(packet.slice(1, 3)), thread: fromHex(thread) };
}

function registerNumbers(xml: string): ReadonlyMap<string, number> {
  const rows = xml.matchAll(/<reg name="([^"]+)"[^>]*regnum="(\d+)"/g);
  return new Map([...rows].map(([, name, number]) => [name!, Number(number)]));
}

function expectOk(answer: string, what: string): void {
  if (answer !== "OK") throw new Error(`gdb stub: ${what} was refused (${answer})`);
}

function readValue(answer: string, what: string): string {
  if (answer === "" || /^E..$/.test(answer)) throw new Error(`gdb stub: ${what} cannot be read (${answer})`);
  return answer;
}

function digitsOf(register: number): number {
  return register === GDB_CPSR ? 8 : 16;
}

function fromHex(text: string): number {
  return Number.parseInt(text, 16);
}

function littleEndian(hex: string): bigint {
  return BigInt(`0x${Buffer.from(hex, "hex").reverse().toString("hex")}`);
}
