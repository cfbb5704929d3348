// Stage-2 tables of a VM as Xen makes them: 44-bit IPAs, so a root at level 0, 4 KiB granule, VMID in 8 bits.

import type { PhysicalMemory } from "../machine/physical-memory.ts";
import { word } from "../machine/source-words.ts";

const TABLE = 3n;
const PAGE_ATTRIBUTES = word("STAGE2_PAGE_NORMAL_RWX");
const BLOCK_ATTRIBUTES = word("STAGE2_BLOCK_NORMAL_RWX");
const SHIFTS = [39n, 30n, 21n, 12n] as const;
const ENTRIES = 0x1ffn;
const MIB2 = 1 << 21;

export class Stage2Tables {
  readonly rootPa: number;
  readonly #memory: PhysicalMemory;
  readonly #allocate: () => number;

  constructor(memory: PhysicalMemory, allocate: () => number) {
    this.#memory = memory;
    this.#allocate = allocate;
    this.rootPa = this.#table();
  }

  vttbr(vmid: number): bigint {
    return (BigInt(vmid) << 48n) | BigInt(this.rootPa);
  }

  mapPage(ipa: number, pa: number): void {
    this.#memory.write64(this.#entryPa(ipa, 3), BigInt(pa) | PAGE_ATTRIBUTES);
  }

  /** In blocks of 2 MiB. */
  mapBlocks(ipa: number, pa: number, size: number): void {
    for (let offset = 0; offset < size; offset += MIB2)
      this.#memory.write64(this.#entryPa(ipa + offset, 2), BigInt(pa + offset) | BLOCK_ATTRIBUTES);
  }

  unmapBlock(ipa: number): void {
    this.#memory.write64(this.#entryPa(ipa, 2), 0n);
  }

  /** The last thing that Xen does with a root. */
  empty(): void {
    this.#memory.zero(this.rootPa, 0x1000);
  }

  #entryPa(ipa: number, level: number): number {
    let tablePa = this.rootPa;
    for (let above = 0; above < level; above++) {
      const entryPa = tablePa + Number((BigInt(ipa) >> SHIFTS[above]!) & ENTRIES) * 8;
      if (this.#memory.read64(entryPa) === 0n) this.#memory.write64(entryPa, BigInt(this.#table()) | TABLE);
      tablePa = Number(this.#memory.read64(entryPa) & word("TABLE_OUTPUT_ADDRESS_MASK"));
    }
    return tablePa + Number((BigInt(ipa) >> SHIFTS[level]!) & ENTRIES) * 8;
  }

  #table(): number {
    const pa = this.#allocate();
    this.#memory.zero(pa, 0x1000);
    return pa;
  }
}
