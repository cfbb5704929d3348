// Translation tables as the hardware walks them (4 KiB granule, root at level 0), and what a core may keep of them: leaves and the
// pointers to lower tables, each until it is invalidated. The most hostile core that the architecture allows: what it has kept it uses.

import type { PhysicalMemory } from "./physical-memory.ts";
import { word } from "./source-words.ts";

export interface Translation {
  readonly pa: number;
  readonly descriptor: bigint;
  /** Level of the leaf: 1 (1 GiB), 2 (2 MiB) or 3. */
  readonly level: number;
}

export const ADDRESS_MASK = word("TABLE_OUTPUT_ADDRESS_MASK");
const TABLE = 3n;
const BLOCK = 1n;
export const LEVEL_SHIFTS = [39n, 30n, 21n, 12n] as const;
/** Entries that the contiguous bit joins. */
const RUN = 16n;
const CONTIGUOUS = word("STAGE2_CONTIGUOUS"); // the same bit in stage 1

/** Pointers to tables that were walked: the level of the table and the address that led there. */
type TableCache = Map<string, number>;

const cacheKey = (level: number, address: bigint) => `${level}:${address >> LEVEL_SHIFTS[level - 1]!}`;

export function walk(
  memory: PhysicalMemory,
  rootPa: number,
  address: bigint,
  cache?: TableCache,
): Translation | undefined {
  let tablePa = rootPa;
  for (let level = 0; level < 4; level++) {
    if (level > 0) {
      const kept = cache?.get(cacheKey(level, address));
      if (kept !== undefined) tablePa = kept;
      else cache?.set(cacheKey(level, address), tablePa);
    }
    const shift = LEVEL_SHIFTS[level]!;
    const descriptor = memory.read64(tablePa + Number((address >> shift) & 0x1ffn) * 8);
    const type = descriptor & TABLE;
    const isLeaf = level === 3 ? type === TABLE : type === BLOCK && level > 0;
    if (isLeaf) {
      const inside = (1n << shift) - 1n;
      return { pa: Number((descriptor & ADDRESS_MASK & ~inside) | (address & inside)), descriptor, level };
    }
    if (type !== TABLE || level === 3) return undefined;
    tablePa = Number(descriptor & ADDRESS_MASK);
  }
  return undefined;
}

/** Every leaf below a root, in order. Tables are followed wherever they lie. */
export function* leaves(memory: PhysicalMemory, rootPa: number): Generator<Translation & { ipa: number }> {
  yield* leavesOf(memory, rootPa, 0, 0);
}

function* leavesOf(
  memory: PhysicalMemory,
  tablePa: number,
  level: number,
  baseIpa: number,
): Generator<Translation & { ipa: number }> {
  for (let index = 0; index < 512; index++) {
    const descriptor = memory.read64(tablePa + index * 8);
    const ipa = baseIpa + index * 2 ** Number(LEVEL_SHIFTS[level]!);
    const type = descriptor & TABLE;
    const pa = Number(descriptor & ADDRESS_MASK);
    if (level === 3 ? type === TABLE : type === BLOCK) yield { ipa, pa, descriptor, level };
    else if (type === TABLE && level < 3) yield* leavesOf(memory, pa, level + 1, ipa);
  }
}

export const vmidOf = (vttbr: bigint): bigint => vttbr >> 48n;
export const rootOf = (vttbr: bigint): number => Number(vttbr & 0xfffffffffffen);

/** A page of a translation that a core keeps. */
export interface Kept {
  /** PA of the page. */
  readonly pa: number;
  readonly descriptor: bigint;
}

/** What a core keeps of one set of tables. */
export class TranslationCache {
  /** By page number of the input address. */
  readonly pages = new Map<bigint, Kept>();
  /** Leaves of runs: one of them speaks for all sixteen. */
  readonly #runs: { first: bigint; count: bigint; pa: number; descriptor: bigint }[] = [];
  readonly #tables: TableCache = new Map();

  translate(memory: PhysicalMemory, rootPa: number, address: bigint): Kept | undefined {
    const page = address >> 12n;
    const kept = this.pages.get(page) ?? this.#inRun(page);
    if (kept !== undefined) return kept;
    return this.walkAnew(memory, rootPa, address);
  }

  /** The leaf that is kept, if any, is dropped first: a core may do so at any time. */
  walkAnew(memory: PhysicalMemory, rootPa: number, address: bigint): Kept | undefined {
    const page = address >> 12n;
    this.#drop(page);
    const found = walk(memory, rootPa, page << 12n, this.#tables);
    if (found === undefined) return undefined;
    const kept = { pa: found.pa, descriptor: found.descriptor };
    this.pages.set(page, kept);
    if ((found.descriptor & CONTIGUOUS) !== 0n) this.#keepRun(page, found);
    return kept;
  }

  /** TLBI by address: the leaf and the pointers that lead to it. */
  invalidate(page: bigint): void {
    this.#drop(page);
    for (const level of [1, 2, 3]) this.#tables.delete(cacheKey(level, page << 12n));
  }

  clear(): void {
    this.pages.clear();
    this.#tables.clear();
    this.#runs.length = 0;
  }

  /** Everything that is kept, a leaf for each page. */
  *kept(): Generator<Kept> {
    yield* this.pages.values();
    for (const { count, pa, descriptor } of this.#runs)
      for (let index = 0n; index < count; index++) yield { pa: pa + Number(index) * 0x1000, descriptor };
  }

  copyFrom(other: TranslationCache): void {
    for (const [page, kept] of other.pages) this.pages.set(page, kept);
    for (const [key, pa] of other.#tables) this.#tables.set(key, pa);
    this.#runs.push(...other.#runs);
  }

  #drop(page: bigint): void {
    this.pages.delete(page);
    const at = this.#runs.findIndex(({ first, count }) => page >= first && page < first + count);
    if (at >= 0) this.#runs.splice(at, 1);
  }

  #inRun(page: bigint): Kept | undefined {
    const run = this.#runs.find(({ first, count }) => page >= first && page < first + count);
    if (run === undefined) return undefined;
    return { pa: run.pa + Number(page - run.first) * 0x1000, descriptor: run.descriptor };
  }

  #keepRun(page: bigint, { pa, level, descriptor }: Translation): void {
    const count = RUN << (LEVEL_SHIFTS[level]! - 12n);
    const first = page - (page % count);
    this.#runs.push({ first, count, pa: pa - Number(page - first) * 0x1000, descriptor });
  }
}

/** Translations of stage 2 that a core may still use, by VMID. */
export class Tlb {
  readonly #entries = new Map<bigint, TranslationCache>();

  translate(memory: PhysicalMemory, vttbr: bigint, ipa: bigint): number | undefined {
    const kept = this.#of(vttbr).translate(memory, rootOf(vttbr), ipa);
    return kept === undefined ? undefined : kept.pa + Number(ipa & 0xfffn);
  }

  invalidate(vttbr: bigint): void {
    this.#entries.delete(vmidOf(vttbr));
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Every page that is kept, with its VMID. */
  *kept(): Generator<Kept & { vmid: bigint }> {
    for (const [vmid, cache] of this.#entries) for (const kept of cache.kept()) yield { vmid, ...kept };
  }

  copyFrom(other: Tlb): void {
    for (const [vmid, cache] of other.#entries) this.#of(vmid << 48n).copyFrom(cache);
  }

  #of(vttbr: bigint): TranslationCache {
    const vmid = vmidOf(vttbr);
    const cache = this.#entries.get(vmid) ?? new TranslationCache();
    this.#entries.set(vmid, cache);
    return cache;
  }
}
