// What must be as it was after a refused step: every page's owner, every live translation table, EL2's control registers, and the victims' bytes.
// Read from outside, by physical address.

import { createHash } from "node:crypto";
import {
  POOL_PAGES_OFFSET,
  POOL_STAGE2_OFFSET,
  POOL_STAGE2_SIZE,
  POOL_VECTORS_OFFSET,
  TEE_RAM_SIZE,
} from "../../abi/memory-map.ts";
import * as pages from "../../abi/pages.ts";
import type { Machine } from "../../host/machine/machine.ts";
import type { GdbRemote } from "../../host/qemu/gdb-remote.ts";
import { PAGE_SIZE } from "./live-tables.ts";

export interface Evidence {
  readonly violations: number;
  /** Kind and place of the last one. */
  readonly lastViolation: readonly [string, string] | undefined;
  readonly eventCount: number;
  /** What no refused step may change. */
  readonly memory: Readonly<Record<string, string>>;
}

const CONTROL_REGISTERS = [
  "SCTLR_EL2",
  "TCR_EL2",
  "TTBR0_EL2",
  "MAIR_EL2",
  "VTCR_EL2",
  "VTTBR_EL2",
  "HCR_EL2",
  "VBAR_EL2",
];
const GUEST_SLOTS_MAX = 16;
const TABLE_STATES = [pages.PAGE_STAGE1_TABLE, pages.PAGE_STAGE2_TABLE];

/** The ownership table, as it stands. */
export class PageRecords {
  readonly #words: Uint32Array;
  readonly #ramPa: number;

  constructor(bytes: Uint8Array, ramPa: number) {
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4).slice();
    this.#ramPa = ramPa;
  }

  stateOf(pa: number): number {
    return this.#words[this.#indexOf(pa)]! & pages.PAGE_STATE_MASK;
  }

  /** Whether only Xen's direct map reaches it. */
  isUnshared(pa: number): boolean {
    const isAlias = (this.#words[this.#indexOf(pa) + 1]! & pages.PAGE_WRITABLE_MASK) !== 0;
    return this.stateOf(pa) === pages.PAGE_FREE && !isAlias;
  }

  /** Pages of one state, in the order of their addresses. */
  *inState(...states: readonly number[]): Generator<number> {
    for (let index = 0; index < this.#words.length; index += 2)
      if (states.includes(this.#words[index]! & pages.PAGE_STATE_MASK))
        yield this.#ramPa + (index / 2) * PAGE_SIZE;
  }

  /** Without the epochs of the TLB, which a refused step may move. */
  digest(): string {
    const words = this.#words.slice();
    for (let index = 0; index < words.length; index += 2) {
      const state = words[index]! & pages.PAGE_STATE_MASK;
      if (state === pages.PAGE_FREE || state === pages.PAGE_GUEST)
        words[index + 1] = words[index + 1]! & ~pages.PAGE_EPOCH_MASK;
    }
    return digestOf(new Uint8Array(words.buffer));
  }

  #indexOf(pa: number): number {
    return ((pa - this.#ramPa) / PAGE_SIZE) * 2;
  }
}

export class Witness {
  readonly #machine: Machine;
  readonly #gdb: GdbRemote;
  /** RAM of the TEEs. */
  readonly #victims: readonly { readonly name: string; readonly pa: number }[];

  constructor(machine: Machine, gdb: GdbRemote, victims: readonly { name: string; pa: number }[]) {
    this.#machine = machine;
    this.#gdb = gdb;
    this.#victims = victims;
  }

  async records(): Promise<PageRecords> {
    const { ramPa, ramSize, poolPa } = this.#machine.state.ram;
    const size = (ramSize / PAGE_SIZE) * pages.PAGE_RECORD_SIZE;
    return new PageRecords(await this.#machine.readPhysical(poolPa + POOL_PAGES_OFFSET, size), ramPa);
  }

  async take(thread: number): Promise<Evidence> {
    const status = (await this.#machine.status())!;
    const violation = status.events.findLast(({ kind }) => kind === "violation");
    return {
      violations: status.protection.violations,
      lastViolation: violation?.arguments,
      eventCount: status.eventCount,
      memory: { ...(await this.#memory()), ...(await this.#controls(thread)) },
    };
  }

  async #memory(): Promise<Record<string, string>> {
    const { poolPa, poolTeeOffset, ramSize } = this.#machine.state.ram;
    const records = await this.records();
    const recordsEnd = POOL_PAGES_OFFSET + (ramSize / PAGE_SIZE) * pages.PAGE_RECORD_SIZE;
    const region = (from: number, to: number) => this.#machine.readPhysical(poolPa + from, to - from);
    const stage2End = POOL_STAGE2_OFFSET + GUEST_SLOTS_MAX * POOL_STAGE2_SIZE;
    return {
      "page records": records.digest(),
      "tables of Xen and its guests": await this.#tables(records),
      vectors: digestOf(await region(POOL_VECTORS_OFFSET, POOL_STAGE2_OFFSET)),
      "tables of the S worlds": digestOf(await region(POOL_STAGE2_OFFSET, stage2End)),
      "direct map": digestOf(await region(recordsEnd, poolTeeOffset)),
      ...(await this.#victimBytes()),
    };
  }

  async #victimBytes(): Promise<Record<string, string>> {
    const bytes: Record<string, string> = {};
    for (const { name, pa } of this.#victims)
      bytes[name] = digestOf(await this.#machine.readPhysical(pa, TEE_RAM_SIZE));
    return bytes;
  }

  async #tables(records: PageRecords): Promise<string> {
    const hash = createHash("sha1");
    for (const pa of records.inState(...TABLE_STATES))
      hash.update(await this.#gdb.readPhysical(pa, PAGE_SIZE));
    return hash.digest("hex");
  }

  async #controls(thread: number): Promise<Record<string, string>> {
    const values: Record<string, string> = {};
    for (const name of CONTROL_REGISTERS)
      values[name] = `0x${(await this.#gdb.readSystemRegister(thread, name)).toString(16)}`;
    return values;
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
