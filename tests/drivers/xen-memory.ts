// How Debian's Xen 4.20 has its memory when its boot is over: the image page by page at XEN_VIRT_START, its static tables in it, a fixmap, a
// vmap area, the frame table, and the direct map of all RAM in blocks.

import { DRAM_PA, GICD_PA, NORMAL_UART_PA, XEN_PA } from "../../abi/memory-map.ts";
import type { Machine } from "../machine/machine.ts";
import { word } from "../machine/source-words.ts";

export const IMAGE_VA = 0xa0000200000n;
export const XEN_VBAR = 0xa0000268800n & ~0x7ffn;
export const FIXMAP_VA = 0xa0000a00000n;
export const VMAP_VA = 0xa0010000000n;
export const FRAME_TABLE_VA = 0xa0800000000n;
export const DIRECT_MAP_VA = 0x800000000000n;

const PAGE = 0x1000;
const MIB2 = 1 << 21;
const RUN = 16;

/** Pages of the image, by what they are: first and end. */
export const IMAGE_PAGES = {
  text: [0x00, 0x70],
  rodata: [0x70, 0x90],
  data: [0x90, 0xc0],
  initText: [0xc0, 0xc8],
  tables: [0x100, 0x110],
} as const;
/** Where the driver places the instructions that it executes. */
export const CODE_PAGE = 0x10;
const HARDENED_SITES_PAGE = 0x01;

const NOP = 0xd503201f;
const HARDENED_SMC = 0xd4000003 | (0x8043 << 5);

export interface LeafOptions {
  readonly write?: boolean;
  readonly execute?: boolean;
  readonly device?: boolean;
  readonly contiguous?: boolean;
}

const TABLE = 3n;
const NORMAL_INDEX = 7n; // of XEN_MAIR
const DEVICE_INDEX = 4n;

/** A leaf of EL2's stage 1 as Xen writes it. */
export function stage1Leaf(pa: number | bigint, level: 1 | 2 | 3, options: LeafOptions = {}): bigint {
  const { write = true, execute = false, device = false, contiguous = false } = options;
  return (
    BigInt(pa) |
    (level === 3 ? 3n : 1n) |
    ((device ? DEVICE_INDEX : NORMAL_INDEX) << word("STAGE1_ATTR_INDEX_SHIFT")) |
    word("STAGE1_AP_RES1") |
    word("STAGE1_SH_INNER") |
    word("STAGE1_AF") |
    (write ? 0n : word("STAGE1_AP_READ_ONLY")) |
    (execute ? 0n : word("STAGE1_XN")) |
    (contiguous ? word("STAGE1_CONTIGUOUS") : 0n)
  );
}

export const tableEntry = (pa: number): bigint => BigInt(pa) | TABLE;
export const imagePa = (page: number): number => XEN_PA + page * PAGE;
export const imageVa = (page: number): bigint => IMAGE_VA + BigInt(page * PAGE);
export const directMapVa = (pa: number): bigint => DIRECT_MAP_VA + BigInt(pa - DRAM_PA);

const INDEX_SHIFTS = [39n, 30n, 21n, 12n] as const;
export const indexOf = (va: bigint, level: 0 | 1 | 2 | 3): number =>
  Number((va >> INDEX_SHIFTS[level]) & 0x1ffn);

/** PAs of Xen's stage-1 tables. The first ones are static, in its image. */
export class XenTables {
  readonly root = imagePa(0x100);
  readonly first = imagePa(0x101);
  readonly second = imagePa(0x102);
  readonly image = imagePa(0x103);
  readonly fixmap = imagePa(0x104);
  readonly vmap: number;
  readonly frameSecond: number;
  readonly directFirst: number;
  /** One for each GiB of the direct map, but for those that one entry of level 1 maps. */
  readonly directSecond: number[] = [];
  /** The last level of one piece of the direct map, as Xen has where it could not use a block. */
  readonly directThird: number;
  readonly #machine: Machine;

  constructor(machine: Machine, allocate: () => number) {
    this.#machine = machine;
    this.vmap = allocate();
    this.frameSecond = allocate();
    this.directFirst = allocate();
    this.directThird = allocate();
    for (const pa of this.all()) machine.memory.zero(pa, PAGE);
    this.#mapImage();
    this.#mapAreas(allocate);
    this.#mapDirectly(allocate);
    this.#fillImage();
  }

  all(): number[] {
    const { root, first, second, image, fixmap, vmap, frameSecond, directFirst, directSecond, directThird } =
      this;
    return [root, first, second, image, fixmap, vmap, frameSecond, directFirst, directThird, ...directSecond];
  }

  #put(tablePa: number, index: number, entry: bigint): void {
    this.#machine.memory.write64(tablePa + index * 8, entry);
  }

  #mapImage(): void {
    this.#put(this.root, indexOf(IMAGE_VA, 0), tableEntry(this.first));
    this.#put(this.first, indexOf(IMAGE_VA, 1), tableEntry(this.second));
    this.#put(this.second, indexOf(IMAGE_VA, 2), tableEntry(this.image));
    const kinds: Record<keyof typeof IMAGE_PAGES, LeafOptions> = {
      text: { write: false, execute: true },
      rodata: { write: false },
      data: {},
      initText: { write: false, execute: true },
      tables: {},
    };
    for (const [name, [first, end]] of Object.entries(IMAGE_PAGES)) {
      const options = kinds[name as keyof typeof IMAGE_PAGES];
      for (let page = first; page < end; page++) {
        const run = page - (page % RUN);
        const contiguous = run >= first && run + RUN <= end;
        this.#put(this.image, page, stage1Leaf(imagePa(page), 3, { ...options, contiguous }));
      }
    }
  }

  #mapAreas(allocate: () => number): void {
    this.#put(this.second, indexOf(FIXMAP_VA, 2), tableEntry(this.fixmap));
    this.#put(this.fixmap, 0, stage1Leaf(NORMAL_UART_PA, 3, { device: true }));
    this.#put(this.second, indexOf(VMAP_VA, 2), tableEntry(this.vmap));
    for (let page = 0; page < RUN; page++)
      this.#put(this.vmap, page, stage1Leaf(GICD_PA + page * PAGE, 3, { device: true, contiguous: true }));
    this.#put(this.vmap, RUN, stage1Leaf(allocate(), 3));
    this.#put(this.first, indexOf(FRAME_TABLE_VA, 1), tableEntry(this.frameSecond));
    this.#put(this.frameSecond, 0, stage1Leaf(FRAMES_PA, 2));
  }

  /** Blocks of 2 MiB, some of them joined; the first piece of the image page by page; a whole GiB in one entry where there is one. */
  #mapDirectly(allocate: () => number): void {
    const { poolPa } = this.#machine.bootPackage;
    this.#put(this.root, indexOf(DIRECT_MAP_VA, 0), tableEntry(this.directFirst));
    for (let pa = DRAM_PA; pa < poolPa; pa += 2 ** 30) {
      const index = indexOf(directMapVa(pa), 1);
      if (pa + 2 ** 30 <= poolPa) {
        this.#put(this.directFirst, index, stage1Leaf(pa, 1));
        continue;
      }
      const second = allocate();
      this.directSecond.push(second);
      this.#machine.memory.zero(second, PAGE);
      this.#put(this.directFirst, index, tableEntry(second));
      for (let at = pa; at < Math.min(poolPa, pa + 2 ** 30); at += MIB2)
        this.#put(second, indexOf(directMapVa(at), 2), this.#directEntry(at, poolPa));
    }
    for (let page = 0; page < 512; page++)
      this.#put(this.directThird, page, stage1Leaf(PAGEWISE_PA + page * PAGE, 3, { contiguous: page < 256 }));
  }

  #directEntry(pa: number, poolPa: number): bigint {
    if (pa === PAGEWISE_PA) return tableEntry(this.directThird);
    const run = pa - ((pa - DRAM_PA) % (RUN * MIB2));
    const hasPieces = PAGEWISE_PA >= run && PAGEWISE_PA < run + RUN * MIB2;
    const contiguous = !hasPieces && run + RUN * MIB2 <= poolPa;
    return stage1Leaf(pa, 2, { contiguous });
  }

  #fillImage(): void {
    const { memory } = this.#machine;
    const page = new Uint8Array(PAGE);
    const view = new DataView(page.buffer);
    for (let offset = 0; offset < PAGE; offset += 4) view.setUint32(offset, NOP, true);
    for (const [first, end] of [IMAGE_PAGES.text, IMAGE_PAGES.initText])
      for (let at = first; at < end; at++) memory.load(imagePa(at), page);
    for (const offset of [0x10, 0x400, 0xffc])
      memory.write(imagePa(HARDENED_SITES_PAGE) + offset, 4, BigInt(HARDENED_SMC >>> 0));
  }
}

/** Xen's record of every page of RAM, mapped by a block beside the direct map. */
const FRAMES_PA = 0x57e00000;
/** The one piece of 2 MiB that the direct map has in pages. */
export const PAGEWISE_PA = 0x47e00000;
