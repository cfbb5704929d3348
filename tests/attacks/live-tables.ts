// Translation tables of the running machine, read from outside through physical memory: where the attacker aims, and what a test looks at
// afterwards. Addresses are numbers where they are physical, bigints where they are virtual.

import { tableConstants } from "../../arm/page-tables.ts";
import { word } from "../machine/source-words.ts";

export type ReadPhysical = (pa: number, size: number) => Promise<Uint8Array>;

export interface TableEntry {
  readonly level: number;
  /** Where the entry lies. */
  readonly pa: number;
  readonly value: bigint;
  /** First address that it translates. */
  readonly address: bigint;
}

export const PAGE_SIZE = 0x1000;
export const BLOCK_SIZE = 0x200000;
const ENTRIES = Number(tableConstants.TABLE_ENTRIES);
const ENTRY_SIZE = 8;
const LAST_LEVEL = Number(tableConstants.LAST_LEVEL);
const ADDRESS_MASK = word("PAGE_OUTPUT_ADDRESS_MASK");
const TYPE_MASK = word("DESCRIPTOR_TYPE_MASK");
const VALID = word("DESCRIPTOR_VALID");
const TABLE = word("DESCRIPTOR_TABLE");

export function isTable({ value, level }: TableEntry): boolean {
  return level < LAST_LEVEL && (value & TYPE_MASK) === TABLE;
}

export function isValid({ value }: TableEntry): boolean {
  return (value & VALID) !== 0n;
}

export function outputPa({ value }: TableEntry): number {
  return Number(value & ADDRESS_MASK);
}

/** The same entry with another output address. */
export function aimedAt({ value }: TableEntry, pa: number): bigint {
  return (value & ~ADDRESS_MASK) | BigInt(pa);
}

export function shiftOf(level: number): bigint {
  return tableConstants.LEVEL_SHIFT_0 - BigInt(level) * tableConstants.TABLE_ADDRESS_BITS;
}

export class LiveTables {
  readonly rootPa: number;
  readonly #read: ReadPhysical;
  readonly #pages = new Map<number, DataView>();

  constructor(read: ReadPhysical, rootPa: number) {
    this.#read = read;
    this.rootPa = rootPa;
  }

  /** All 512 of a table, the invalid ones too. */
  async entriesOf(tablePa: number, level: number, base: bigint): Promise<TableEntry[]> {
    const view = await this.#page(tablePa);
    return Array.from({ length: ENTRIES }, (_, index) => ({
      level,
      pa: tablePa + index * ENTRY_SIZE,
      value: view.getBigUint64(index * ENTRY_SIZE, true),
      address: base + (BigInt(index) << shiftOf(level)),
    }));
  }

  /** Valid entries, tables before what hangs below them. A table at or above `limitPa` is not entered. */
  async *valid(limitPa = Number.POSITIVE_INFINITY): AsyncGenerator<TableEntry> {
    const waiting = [{ pa: this.rootPa, level: 0, base: 0n }];
    for (let table = waiting.pop(); table !== undefined; table = waiting.pop()) {
      for (const entry of await this.entriesOf(table.pa, table.level, table.base)) {
        if (!isValid(entry)) continue;
        yield entry;
        if (isTable(entry) && outputPa(entry) < limitPa)
          waiting.push({ pa: outputPa(entry), level: entry.level + 1, base: entry.address });
      }
    }
  }

  /** The walk of an address, from the root to the entry that ends it. */
  async walk(address: bigint): Promise<TableEntry[]> {
    const walked: TableEntry[] = [];
    let tablePa = this.rootPa;
    for (let level = 0; level <= LAST_LEVEL; level++) {
      const span = shiftOf(level);
      const index = Number((address >> span) & 0x1ffn);
      const value = (await this.#page(tablePa)).getBigUint64(index * ENTRY_SIZE, true);
      const entry = { level, pa: tablePa + index * ENTRY_SIZE, value, address: (address >> span) << span };
      walked.push(entry);
      if (!isTable(entry)) break;
      tablePa = outputPa(entry);
    }
    return walked;
  }

  /** The table that an entry names. */
  tableOf(entry: TableEntry): Promise<TableEntry[]> {
    return this.entriesOf(outputPa(entry), entry.level + 1, entry.address);
  }

  async #page(pa: number): Promise<DataView> {
    let view = this.#pages.get(pa);
    if (view === undefined) {
      const bytes = await this.#read(pa, PAGE_SIZE);
      view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#pages.set(pa, view);
    }
    return view;
  }
}
