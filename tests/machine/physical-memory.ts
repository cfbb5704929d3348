// Sparse physical memory. What nobody has written holds a pattern that is not zero, so that a forgotten zeroing shows.
// Pages are shared until written; a snapshot costs one map.

import { MachineCheck } from "./errors.ts";

export const PAGE_SIZE = 0x1000;
const POISON = 0xa5;

interface Page {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Snapshots taken before the page was made; a page of an earlier age is copied when it is written. */
  readonly age: number;
}

export type Snapshot = ReadonlyMap<number, Page>;

/** All of a memory, from which others can start. */
export interface MemoryImage {
  readonly pages: Snapshot;
  readonly age: number;
  readonly uncleaned: ReadonlyMap<number, [first: number, end: number]>;
}

const aPage = (bytes: Uint8Array, age: number): Page => ({ bytes, view: new DataView(bytes.buffer), age });
const ZERO_PAGE = aPage(new Uint8Array(PAGE_SIZE), -1);
const POISON_PAGE = aPage(new Uint8Array(PAGE_SIZE).fill(POISON), -1);

export class PhysicalMemory {
  #pages = new Map<number, Page>();
  #age = 0;
  /** Bytes written by EL3 through its caches and not cleaned since: page number → first and last offset. */
  readonly uncleaned = new Map<number, [first: number, end: number]>();

  /** What stands in memory behind lines that caches keep clean: written without caching. Word by word. */
  readonly #behind = new Map<number, bigint>();

  read(pa: number, size: 1 | 4 | 8): bigint {
    aligned(pa, size);
    const { view } = this.#page(pa);
    const offset = pa % PAGE_SIZE;
    if (size === 8) return view.getBigUint64(offset, true);
    return BigInt(size === 4 ? view.getUint32(offset, true) : view.getUint8(offset));
  }

  write(pa: number, size: 1 | 4 | 8, value: bigint): void {
    aligned(pa, size);
    const { view } = this.#writable(pa);
    const offset = pa % PAGE_SIZE;
    if (size === 8) view.setBigUint64(offset, value, true);
    else if (size === 4) view.setUint32(offset, Number(value), true);
    else view.setUint8(offset, Number(value));
  }

  read64(pa: number): bigint {
    return this.read(pa, 8);
  }

  write64(pa: number, value: bigint): void {
    this.write(pa, 8, value);
  }

  zero(pa: number, size: number): void {
    this.#eachPiece(pa, size, (at, length) => {
      if (length === PAGE_SIZE) this.#pages.set(at / PAGE_SIZE, ZERO_PAGE);
      else this.#writable(at).bytes.fill(0, at % PAGE_SIZE, (at % PAGE_SIZE) + length);
    });
  }

  load(pa: number, bytes: Uint8Array): void {
    this.#eachPiece(pa, bytes.length, (at, length) => {
      this.#writable(at).bytes.set(bytes.subarray(at - pa, at - pa + length), at % PAGE_SIZE);
    });
  }

  bytes(pa: number, size: number): Uint8Array {
    const result = new Uint8Array(size);
    this.#eachPiece(pa, size, (at, length) => {
      const offset = at % PAGE_SIZE;
      result.set(this.#page(at).bytes.subarray(offset, offset + length), at - pa);
    });
    return result;
  }

  isZero(pa: number, size: number): boolean {
    for (let at = pa; at < pa + size; at += PAGE_SIZE) {
      const page = this.#page(at);
      if (page !== ZERO_PAGE && page.bytes.some((byte) => byte !== 0)) return false;
    }
    return true;
  }

  snapshot(): Snapshot {
    this.#age++;
    return new Map(this.#pages);
  }

  image(): MemoryImage {
    return { pages: this.snapshot(), age: this.#age, uncleaned: new Map(this.uncleaned) };
  }

  restore({ pages, age, uncleaned }: MemoryImage): void {
    this.#pages = new Map(pages);
    this.#age = age;
    this.uncleaned.clear();
    for (const [number, range] of uncleaned) this.uncleaned.set(number, range);
  }

  /** Addresses of the 8-byte words that differ. */
  changesSince(before: Snapshot): number[] {
    const changed: number[] = [];
    for (const number of new Set([...before.keys(), ...this.#pages.keys()])) {
      const old = before.get(number) ?? POISON_PAGE;
      const now = this.#pages.get(number) ?? POISON_PAGE;
      if (old === now) continue;
      for (let offset = 0; offset < PAGE_SIZE; offset += 8) {
        if (old.view.getBigUint64(offset) !== now.view.getBigUint64(offset))
          changed.push(number * PAGE_SIZE + offset);
      }
    }
    return changed.sort((left, right) => left - right);
  }

  /** Pages with anything in them, except those in [from, end). For searches. */
  *pagesOutside(from: number, end: number): Generator<[pa: number, view: DataView]> {
    for (const [number, page] of this.#pages) {
      const pa = number * PAGE_SIZE;
      if ((pa < from || pa >= end) && page !== ZERO_PAGE) yield [pa, page.view];
    }
  }

  noteCachedWrite(pa: number, size: number): void {
    this.#eachPiece(pa, size, (at, length) => {
      const offset = at % PAGE_SIZE;
      const [first, end] = this.uncleaned.get(Math.floor(at / PAGE_SIZE)) ?? [offset, offset];
      this.uncleaned.set(Math.floor(at / PAGE_SIZE), [
        Math.min(first, offset),
        Math.max(end, offset + length),
      ]);
    });
  }

  /** A store through a non-cacheable mapping, while the caches have the line and keep it. */
  writeBehindCaches(pa: number, value: bigint): void {
    this.#behind.set(pa, value);
  }

  /** Clean and invalidate, to the point of coherency. */
  clean(pa: number, size: number): void {
    for (const [at, value] of this.#behind) {
      if (at < pa || at >= pa + size) continue;
      this.#behind.delete(at);
      this.write64(at, value);
    }
    this.#eachPiece(pa, size, (at, length) => {
      const number = Math.floor(at / PAGE_SIZE);
      const dirty = this.uncleaned.get(number);
      const offset = at % PAGE_SIZE;
      if (dirty !== undefined && dirty[0] >= offset && dirty[1] <= offset + length)
        this.uncleaned.delete(number);
    });
  }

  #page(pa: number): Page {
    return this.#pages.get(Math.floor(pa / PAGE_SIZE)) ?? POISON_PAGE;
  }

  #writable(pa: number): Page {
    const page = this.#page(pa);
    if (page.age === this.#age) return page;
    const copy = aPage(page.bytes.slice(), this.#age);
    this.#pages.set(Math.floor(pa / PAGE_SIZE), copy);
    return copy;
  }

  #eachPiece(pa: number, size: number, act: (at: number, length: number) => void): void {
    for (let at = pa; at < pa + size; ) {
      const length = Math.min(PAGE_SIZE - (at % PAGE_SIZE), pa + size - at);
      act(at, length);
      at += length;
    }
  }
}

/** Normal memory takes a 64-bit access at any multiple of 4 (SCTLR_EL3.A is 0); a page boundary within is not modelled. */
function aligned(pa: number, size: number): void {
  if (pa % Math.min(size, 4) !== 0 || (pa % PAGE_SIZE) + size > PAGE_SIZE)
    throw new MachineCheck(`unaligned access of ${size} bytes at 0x${pa.toString(16)}`);
}
