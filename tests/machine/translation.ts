// Translation tables as the hardware walks them (4 KiB granule, root at level 0), and a TLB per core that keeps whatever was once
// walked until it is invalidated: the most hostile one that the architecture allows.

import type { PhysicalMemory } from "./physical-memory.ts";
import { word } from "./source-words.ts";

export interface Translation {
  readonly pa: number;
  readonly descriptor: bigint;
  /** Level of the leaf: 1 (1 GiB), 2 (2 MiB) or 3. */
  readonly level: number;
}

const ADDRESS_MASK = word("TABLE_OUTPUT_ADDRESS_MASK");
const TABLE = 3n;
const BLOCK = 1n;
const LEVEL_SHIFTS = [39n, 30n, 21n, 12n] as const;

export function walk(memory: PhysicalMemory, rootPa: number, address: bigint): Translation | undefined {
  let tablePa = rootPa;
  for (let level = 0; level < 4; level++) {
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

/** Translations that a core may still use, by VMID: pages of IPA → pages of PA. */
export class Tlb {
  readonly #entries = new Map<bigint, Map<bigint, number>>();

  translate(memory: PhysicalMemory, vttbr: bigint, ipa: bigint): number | undefined {
    const page = ipa >> 12n;
    const known = this.#of(vttbr).get(page);
    const pagePa = known ?? walk(memory, rootOf(vttbr), page << 12n)?.pa;
    if (pagePa === undefined) return undefined;
    this.#of(vttbr).set(page, pagePa);
    return pagePa + Number(ipa & 0xfffn);
  }

  invalidate(vttbr: bigint): void {
    this.#entries.delete(vmidOf(vttbr));
  }

  clear(): void {
    this.#entries.clear();
  }

  /** VMIDs with a translation to anything in [pa, pa + size). */
  vmidsThatReach(pa: number, size: number): bigint[] {
    return [...this.#entries]
      .filter(([, pages]) => [...pages.values()].some((at) => at >= pa && at < pa + size))
      .map(([vmid]) => vmid);
  }

  #of(vttbr: bigint): Map<bigint, number> {
    const vmid = vmidOf(vttbr);
    const pages = this.#entries.get(vmid) ?? new Map<bigint, number>();
    this.#entries.set(vmid, pages);
    return pages;
  }
}
