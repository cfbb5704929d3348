// What a valid state of memory is, after lockdown. Rules in the order of the design's security argument: no translation names a protected
// page, tables and text are written by nobody, nothing but text executes at EL2, and every count is right.

import * as pages from "../abi/pages.ts";
import type { MemoryState, TeeWorld } from "./memory-state.ts";

const PAGE = 0x1000;
const ENTRIES = 512;
const LAST_LEVEL = 3;
const ADDRESS = 0x0000_ffff_ffff_f000n;
const VALID = 1n;
const TABLE = 3n;
// Stage 1 of EL2. Arm ARM, D8.3.1.
const READ_ONLY = 1n << 7n;
const EXECUTE_NEVER = 1n << 54n;
const CONTIGUOUS = 1n << 52n;

export function isValid(state: MemoryState): boolean {
  return brokenRules(state).length === 0;
}

/** Every rule that is broken, in words. */
export function brokenRules(state: MemoryState): string[] {
  const seen = new Seen(state);
  seen.stage1();
  for (const { vmid, rootPa } of state.roots) seen.stage2(rootPa, vmid);
  if (state.emptyRootPa !== 0) seen.emptyRoot(state.emptyRootPa);
  for (const tee of state.tees) seen.teeWorld(tee);
  seen.compareRecords();
  return seen.broken;
}

interface Leaf {
  readonly entry: bigint;
  readonly level: number;
  readonly address: bigint;
  readonly pa: number;
  readonly size: number;
}

/** What the tables say, gathered in one pass, to be held against the records. */
class Seen {
  readonly broken: string[] = [];
  readonly #state: MemoryState;
  /** Table → level and owner (a VMID, or undefined for stage 1). */
  readonly #tables = new Map<number, { level: number; owner: number | undefined }>();
  readonly #guestLeaves = new Map<number, number>();
  readonly #textLeaves = new Map<number, number>();
  readonly #writable = new Map<number, number>();
  /** Memory that a TEE has taken from its normal world → slot. */
  readonly #taken = new Map<number, number>();

  constructor(state: MemoryState) {
    this.#state = state;
  }

  stage1(): void {
    this.#walk(this.#state.stage1RootPa, 0, 0n, undefined, (leaf) => this.#stage1Leaf(leaf));
  }

  stage2(rootPa: number, vmid: number): void {
    this.#walk(rootPa, 0, 0n, vmid, (leaf) => this.#stage2Leaf(leaf, vmid));
  }

  emptyRoot(rootPa: number): void {
    this.#tables.set(rootPa, { level: 0, owner: undefined });
    for (let index = 0; index < ENTRIES; index++)
      if ((this.#state.read64(rootPa + index * 8) & VALID) !== 0n)
        this.#say(rootPa, "the empty root has an entry");
  }

  /** Its own RAM below 1 GiB; above, what its normal world has (the mirror's own tests say that it is the same), and what it has taken. */
  teeWorld({ slot, rootPa, ramPa, ramSize }: TeeWorld): void {
    const level1Pa = Number(this.#state.read64(rootPa) & ADDRESS);
    const level2Pa = Number(this.#state.read64(level1Pa) & ADDRESS);
    for (let index = 0; index < ENTRIES; index++) {
      const entry = this.#state.read64(level2Pa + index * 8);
      if ((entry & VALID) === 0n) continue;
      const pa = Number(entry & ADDRESS);
      if ((entry & TABLE) === TABLE) this.#ownPeripherals(pa, slot);
      else if (pa < ramPa || pa >= ramPa + ramSize)
        this.#say(pa, `the S world of slot ${slot} has RAM that is not its own`);
    }
    this.#ownTables(level1Pa, slot);
    for (let pa = ramPa; pa < ramPa + ramSize; pa += PAGE) {
      const { state, word } = this.#state.record(pa);
      if (state !== pages.PAGE_GUEST_TEE || word !== slot)
        this.#say(pa, `is not recorded as RAM of slot ${slot}'s TEE`);
    }
  }

  /** Of the S world's first GiB: pages of devices that nobody else may map now. */
  #ownPeripherals(level3Pa: number, slot: number): void {
    for (const leaf of this.#entries(level3Pa)) {
      const pa = Number(leaf & ADDRESS);
      if (!this.#state.forbiddenDevices.some((device) => device.pa === pa))
        this.#say(pa, `the S world of slot ${slot} has a device that is not its own`);
    }
  }

  /** Level-2 tables of the S world's own lie in the pool; of what they name, that is taken which the records say. */
  #ownTables(level1Pa: number, slot: number): void {
    for (const level2 of this.#entries(level1Pa).slice(1)) {
      const level2Pa = Number(level2 & ADDRESS);
      if (level2Pa < this.#state.poolPa) continue;
      for (const entry of this.#entries(level2Pa)) {
        const pa = Number(entry & ADDRESS);
        if ((entry & TABLE) !== TABLE) this.#take(pa, PAGE * ENTRIES, slot);
        else if (pa >= this.#state.poolPa)
          for (const leaf of this.#entries(pa)) this.#take(Number(leaf & ADDRESS), PAGE, slot);
      }
    }
  }

  #take(pa: number, size: number, slot: number): void {
    for (const at of this.#ramPages(pa, size)) {
      const { state, word } = this.#state.record(at);
      if (state !== pages.PAGE_GUEST_SECURE) continue; // the normal world's, mirrored
      if (word !== slot) this.#say(at, `is slot ${word}'s, and reached by slot ${slot}`);
      if (this.#taken.has(at)) this.#say(at, "is taken twice");
      this.#taken.set(at, slot);
    }
  }

  /** The valid ones. */
  #entries(tablePa: number): bigint[] {
    return Array.from({ length: ENTRIES }, (_, index) => this.#state.read64(tablePa + index * 8)).filter(
      (entry) => (entry & VALID) !== 0n,
    );
  }

  #walk(
    tablePa: number,
    level: number,
    base: bigint,
    owner: number | undefined,
    onLeaf: (leaf: Leaf) => void,
  ): void {
    if (this.#tables.has(tablePa)) this.#say(tablePa, "is a table of two places");
    this.#tables.set(tablePa, { level, owner });
    const shift = BigInt(39 - 9 * level);
    for (let index = 0; index < ENTRIES; index++) {
      const entry = this.#state.read64(tablePa + index * 8);
      if ((entry & VALID) === 0n) continue;
      const address = base + (BigInt(index) << shift);
      const pa = Number(entry & ADDRESS);
      if (level < LAST_LEVEL && (entry & TABLE) === TABLE) {
        this.#walk(pa, level + 1, address, owner, onLeaf);
        continue;
      }
      const isLeaf = level === LAST_LEVEL ? (entry & TABLE) === TABLE : level > 0;
      if (!isLeaf) this.#say(tablePa + index * 8, "is a reserved entry");
      if ((entry & CONTIGUOUS) !== 0n) this.#say(tablePa + index * 8, "has the contiguous bit");
      onLeaf({ entry, level, address, pa, size: Number(1n << shift) });
    }
  }

  #stage1Leaf({ entry, address, pa, size }: Leaf): void {
    this.#device(pa, size, "EL2");
    const isWritable = (entry & READ_ONLY) === 0n;
    const isExecutable = (entry & EXECUTE_NEVER) === 0n;
    if (isWritable && isExecutable) this.#say(pa, "is writable and executable at EL2");
    for (const at of this.#ramPages(pa, size)) {
      const va = address + BigInt(at - pa);
      if (at >= this.#state.poolPa) {
        const isVectors = this.#state.vectorPages.has(at) && !isWritable;
        if (!isVectors) this.#say(at, "of the pool is mapped at EL2");
        continue;
      }
      if (this.#state.record(at).state === pages.PAGE_GUEST_SECURE)
        this.#say(at, "is taken by a TEE, and mapped at EL2");
      if (isExecutable) add(this.#textLeaves, at);
      if (isWritable && isProtected(this.#state.record(at).state))
        this.#say(at, "is protected, and writable at EL2");
      const isDirect = va === BigInt(at) + this.#state.directMapOffset;
      if (isWritable && !isDirect) add(this.#writable, at);
    }
  }

  #stage2Leaf({ pa, size }: Leaf, vmid: number): void {
    this.#device(pa, size, `VMID ${vmid}`);
    for (const at of this.#ramPages(pa, size)) {
      if (at >= this.#state.poolPa) this.#say(at, `of the pool is mapped for VMID ${vmid}`);
      else add(this.#guestLeaves, at);
    }
  }

  compareRecords(): void {
    const named = new Set([
      ...this.#tables.keys(),
      ...this.#guestLeaves.keys(),
      ...this.#textLeaves.keys(),
      ...this.#writable.keys(),
      ...this.#taken.keys(),
    ]);
    for (const pa of this.#state.recordedPages()) named.add(pa);
    for (const pa of named) if (pa < this.#state.poolPa) this.#compare(pa);
  }

  #compare(pa: number): void {
    const { state, level, references, word } = this.#state.record(pa);
    const table = this.#tables.get(pa);
    const guests = this.#guestLeaves.get(pa) ?? 0;
    const texts = this.#textLeaves.get(pa) ?? 0;
    const isStage2 = table?.owner !== undefined || pa === this.#state.emptyRootPa;
    const expected =
      this.#taken.has(pa) && guests === 0
        ? pages.PAGE_GUEST_SECURE
        : expectedState(table !== undefined, isStage2, texts, guests);
    if (state !== expected) {
      this.#say(pa, `has state ${state}, and ${expected} by the tables`);
      return;
    }
    if (table !== undefined && level !== table.level)
      this.#say(pa, `is a table of level ${table.level}, recorded ${level}`);
    const count = state === pages.PAGE_HYPERVISOR_TEXT ? texts : guests;
    const isCounted =
      state === pages.PAGE_HYPERVISOR_TEXT || state === pages.PAGE_GUEST || state === pages.PAGE_FREE;
    if (isCounted && references !== count) this.#say(pa, `is named ${count} times, recorded ${references}`);
    if (state !== pages.PAGE_FREE && state !== pages.PAGE_GUEST) return;
    const writable = this.#writable.get(pa) ?? 0;
    const recorded = word & pages.PAGE_WRITABLE_MASK;
    if (writable !== recorded)
      this.#say(pa, `is writable at EL2 in ${writable} more places, recorded ${recorded}`);
  }

  #device(pa: number, size: number, who: string): void {
    for (const device of this.#state.forbiddenDevices)
      if (pa < device.pa + device.size && device.pa < pa + size)
        this.#say(device.pa, `is a device that ${who} must not map`);
  }

  *#ramPages(pa: number, size: number): Generator<number> {
    const { ramPa, ramSize } = this.#state;
    for (let at = Math.max(pa, ramPa); at < Math.min(pa + size, ramPa + ramSize); at += PAGE) yield at;
  }

  #say(pa: number, what: string): void {
    this.broken.push(`0x${pa.toString(16)} ${what}`);
  }
}

function isProtected(state: number): boolean {
  return state !== pages.PAGE_FREE && state !== pages.PAGE_GUEST;
}

function expectedState(isTable: boolean, isStage2: boolean, texts: number, guests: number): number {
  if (isTable) return isStage2 ? pages.PAGE_STAGE2_TABLE : pages.PAGE_STAGE1_TABLE;
  if (texts > 0) return pages.PAGE_HYPERVISOR_TEXT;
  return guests > 0 ? pages.PAGE_GUEST : pages.PAGE_FREE;
}

function add(counts: Map<number, number>, pa: number): void {
  counts.set(pa, (counts.get(pa) ?? 0) + 1);
}
