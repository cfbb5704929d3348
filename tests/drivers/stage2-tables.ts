// Stage-2 tables of a VM as Xen makes them: 44-bit IPAs, so a root at level 0, 4 KiB granule, VMID in 8 bits.

import type { PhysicalMemory } from "../machine/physical-memory.ts";
import { word } from "../machine/source-words.ts";
import { LEVEL_SHIFTS } from "../machine/translation.ts";

const TABLE = 3n;
const PAGE_ATTRIBUTES = word("STAGE2_PAGE_NORMAL_RWX");
const BLOCK_ATTRIBUTES = word("STAGE2_BLOCK_NORMAL_RWX");
const ENTRIES = 0x1ffn;
const MIB2 = 1 << 21;

/** Whose memory the tables are. */
export interface TableMemory {
  readonly machine: { readonly memory: PhysicalMemory };
  allocate(): number;
  free(pa: number): void;
  write64(pa: number, value: bigint): void;
  zeroPage(pa: number): void;
}

export class Stage2Tables {
  readonly rootPa: number;
  readonly #memory: TableMemory;
  /** All but the root. */
  readonly #tablePas: number[] = [];

  constructor(memory: TableMemory) {
    this.#memory = memory;
    this.rootPa = memory.allocate();
    memory.zeroPage(this.rootPa);
  }

  vttbr(vmid: number): bigint {
    return (BigInt(vmid) << 48n) | BigInt(this.rootPa);
  }

  mapPage(ipa: number, pa: number): void {
    this.#memory.write64(this.entryPa(ipa, 3), BigInt(pa) | PAGE_ATTRIBUTES);
  }

  /** In blocks of 2 MiB. */
  mapBlocks(ipa: number, pa: number, size: number): void {
    for (let offset = 0; offset < size; offset += MIB2)
      this.#memory.write64(this.entryPa(ipa + offset, 2), BigInt(pa + offset) | BLOCK_ATTRIBUTES);
  }

  unmapBlock(ipa: number): void {
    this.#memory.write64(this.entryPa(ipa, 2), 0n);
  }

  /** The last thing that Xen does with a root; then the tables below it are its memory again. */
  empty(): void {
    this.#memory.zeroPage(this.rootPa);
    for (const pa of this.#tablePas.splice(0)) this.#memory.free(pa);
  }

  /** Of the entry of `level` that translates `ipa`; tables above it are made. */
  entryPa(ipa: number, level: 0 | 1 | 2 | 3): number {
    let tablePa = this.rootPa;
    for (let above = 0; above < level; above++) {
      const entryPa = tablePa + Number((BigInt(ipa) >> LEVEL_SHIFTS[above]!) & ENTRIES) * 8;
      if (this.#read(entryPa) === 0n) this.#memory.write64(entryPa, BigInt(this.#table()) | TABLE);
      tablePa = Number(this.#read(entryPa) & word("TABLE_OUTPUT_ADDRESS_MASK"));
    }
    return tablePa + Number((BigInt(ipa) >> LEVEL_SHIFTS[level]) & ENTRIES) * 8;
  }

  #read(pa: number): bigint {
    return this.#memory.machine.memory.read64(pa);
  }

  #table(): number {
    const pa = this.#memory.allocate();
    this.#memory.zeroPage(pa);
    this.#tablePas.push(pa);
    return pa;
  }
}
