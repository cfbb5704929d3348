// An SMMUv3 as hostile as Arm IHI 0070 allows: whatever translation it has once walked, it may use until a TLBI names it
// and a CMD_SYNC behind that is consumed; it walks for addresses that devices want (`watched`) between any two acts of
// EL3; it says only once that its event queue is no longer empty.

import { MachineCheck } from "./errors.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import { size, word } from "./source-words.ts";

export const PAGE = 0x1000;
export const BLOCK = 0x200000;
const REGISTERS_SIZE = 0x20000;
const SIZES: ReadonlySet<number> = new Set(
  ["STRTAB_BASE", "CMDQ_BASE", "EVENTQ_BASE", "GERROR_IRQ_CFG0", "EVENTQ_IRQ_CFG0"].map((name) =>
    size(`SMMU_${name}`),
  ),
);
const at = (name: string) => size(`SMMU_${name}`);
const MIRRORS = new Map([
  [at("CR0"), at("CR0ACK")],
  [at("IRQ_CTRL"), at("IRQ_CTRLACK")],
]);
const READ_ONLY = ["IDR0", "IDR1", "IDR3", "IDR5", "CR0ACK", "IRQ_CTRLACK", "GERROR"].map(at);
const FIXED_WHILE_ON = ["STRTAB_BASE", "STRTAB_BASE_CFG", "CMDQ_BASE", "EVENTQ_BASE", "CR1", "CR2"].map(at);
const LOG2SIZE_MASK = 0x1fn;
const ADDRESS = word("TABLE_OUTPUT_ADDRESS_MASK");
const FIELDS = (name: string) => Number(word(`SMMU_${name}`));

export class Smmu {
  /** What a device asks for all the time. */
  readonly watched = new Set<number>();
  /** Interrupts that are pending, by INTID. */
  readonly pending = new Set<number>();
  readonly #registers = new Map<number, bigint>();
  readonly #memory: PhysicalMemory;
  readonly #blocks = new Map<number, number>();
  readonly #pages = new Map<number, number>();
  readonly #entries = new Map<number, bigint>();
  /** TLBIs that no CMD_SYNC has completed yet. */
  #waiting: (() => void)[] = [];
  /** It neither acknowledges nor consumes anything. */
  isSilent = false;
  /** It takes every command for an unknown one. */
  refusesCommands = false;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    const idr0 = FIELDS("IDR0_S1P") | FIELDS("IDR0_TTF_AARCH64") | FIELDS("IDR0_COHACC");
    this.set("IDR0", idr0 | FIELDS("IDR0_ST_LEVEL_TWO_LEVEL") | FIELDS("IDR0_STALL_MODEL_TERMINATE"));
    this.set("IDR1", 16 | (19 << 16) | (19 << 21));
    this.set("IDR3", FIELDS("IDR3_BBML_FREE"));
    this.set("IDR5", FIELDS("IDR5_GRAN4K") | FIELDS("IDR5_OAS_B44"));
  }

  /** `other` stands between two exceptions: no TLBI waits for its CMD_SYNC. */
  copyFrom(other: Smmu): void {
    for (const [offset, value] of other.#registers) this.#registers.set(offset, value);
    for (const [block, pa] of other.#blocks) this.#blocks.set(block, pa);
    for (const [page, pa] of other.#pages) this.#pages.set(page, pa);
    for (const [stream, entry] of other.#entries) this.#entries.set(stream, entry);
    for (const address of other.watched) this.watched.add(address);
    for (const intid of other.pending) this.pending.add(intid);
  }

  get(name: string): number {
    return Number(this.#registers.get(at(name)) ?? 0n);
  }

  set(name: string, value: number): void {
    this.#registers.set(at(name), BigInt(value >>> 0));
  }

  // --- its registers ------------------------------------------------------------------------------------------

  read(offset: number, length: number): bigint {
    this.#checkAccess(offset, length);
    return this.#registers.get(offset) ?? 0n;
  }

  write(offset: number, length: number, value: bigint): void {
    this.#checkAccess(offset, length);
    if (READ_ONLY.includes(offset))
      throw new MachineCheck(`SMMU register 0x${offset.toString(16)} is read-only`);
    if (this.#isOn && FIXED_WHILE_ON.includes(offset))
      throw new MachineCheck(`SMMU register 0x${offset.toString(16)} is written while it is on`);
    this.#registers.set(offset, offset === at("GBPA") ? value & ~BigInt(FIELDS("GBPA_UPDATE")) : value);
    if (this.isSilent) return;
    const mirror = MIRRORS.get(offset);
    if (mirror !== undefined) this.#registers.set(mirror, value);
    this.#consumeCommands();
  }

  #checkAccess(offset: number, length: number): void {
    const expected = SIZES.has(offset) ? 8 : 4;
    if (offset >= REGISTERS_SIZE || length !== expected)
      throw new MachineCheck(`an access of ${length} bytes to SMMU register 0x${offset.toString(16)}`);
  }

  /** Whether a write there tells the SMMU to look at memory, or that a place in memory is free. */
  publishes(offset: number, value: bigint): boolean {
    return ["CMDQ_PROD", "EVENTQ_CONS", "CR0"].map(at).includes(offset) && value !== 0n;
  }

  get #isOn(): boolean {
    return (this.get("CR0") & FIELDS("CR0_SMMUEN")) !== 0;
  }

  #base(name: string): number {
    return Number((this.#registers.get(at(name)) ?? 0n) & ADDRESS);
  }

  // --- commands -----------------------------------------------------------------------------------------------

  #consumeCommands(): void {
    if ((this.get("CR0") & FIELDS("CR0_CMDQEN")) === 0) return;
    const entries = 2 ** Number((this.#registers.get(at("CMDQ_BASE")) ?? 0n) & LOG2SIZE_MASK);
    if ((this.get("CMDQ_PROD") - this.get("CMDQ_CONS") + 2 * entries) % (2 * entries) > entries)
      throw new MachineCheck("more commands than the queue holds");
    for (let index = this.get("CMDQ_CONS"); index !== this.get("CMDQ_PROD"); index = this.get("CMDQ_CONS")) {
      const pa = this.#base("CMDQ_BASE") + (index % entries) * size("SMMU_COMMAND_SIZE");
      if (!this.#execute(this.#memory.read64(pa), this.#memory.read64(pa + 8))) {
        this.set("GERROR", this.get("GERROR") ^ FIELDS("GERROR_CMDQ_ERR"));
        return;
      }
      this.set("CMDQ_CONS", (index + 1) % (2 * entries));
    }
  }

  #execute(word0: bigint, word1: bigint): boolean {
    if (this.refusesCommands) return false;
    if ((word0 & (word("SMMU_CMD0_VMID_MASK") | word("SMMU_CMD0_ASID_MASK"))) !== 0n) return true; // not ours
    switch (word0 & word("SMMU_CMD0_OPCODE_MASK")) {
      case word("SMMU_CMD0_OPCODE_CFGI_STE_RANGE"):
        if (word1 === word("SMMU_CFGI1_RANGE_ALL")) this.#waiting.push(() => this.#entries.clear());
        return true;
      case word("SMMU_CMD0_OPCODE_TLBI_NH_VA"):
        this.#waiting.push(() => this.#forget(Number(word1 & word("SMMU_TLBI1_ADDRESS_MASK"))));
        return true;
      case word("SMMU_CMD0_OPCODE_TLBI_NSNH_ALL"):
        this.#waiting.push(() => this.#forgetAll());
        return true;
      case word("SMMU_CMD0_OPCODE_SYNC"):
        for (const act of this.#waiting) act();
        this.#waiting = [];
        return true;
      default:
        return false;
    }
  }

  #forget(address: number): void {
    this.#pages.delete(Math.floor(address / PAGE));
    this.#blocks.delete(Math.floor(address / BLOCK));
  }

  #forgetAll(): void {
    this.#pages.clear();
    this.#blocks.clear();
  }

  // --- accesses of devices ------------------------------------------------------------------------------------

  /** Where an access ends, in physical memory; undefined: it is aborted, and perhaps recorded. */
  access(stream: number, address: number): number | undefined {
    const found = this.find(stream, address);
    if (found !== undefined || !this.#isOn) return found;
    const isStream = this.#contextOf(stream) !== undefined;
    const type = isStream ? "F_TRANSLATION" : "C_BAD_STREAMID";
    return this.#record(stream, word(`SMMU_EVENT0_TYPE_${type}`), address);
  }

  /** The same without a trace. */
  find(stream: number, address: number): number | undefined {
    if (!this.#isOn) return (this.get("GBPA") & FIELDS("GBPA_ABORT")) !== 0 ? undefined : address;
    const context = this.#contextOf(stream);
    if (context === "bypass") return address;
    if (context === undefined) return undefined;
    this.#walk(context, address);
    return this.#known(address);
  }

  /** What devices wait for is looked up at any time. */
  prefetch(): void {
    if (!this.#isOn || this.watched.size === 0) return;
    const context = this.#contextOf(0);
    if (typeof context === "number") for (const address of this.watched) this.#walk(context, address);
  }

  #known(address: number): number | undefined {
    const block = this.#blocks.get(Math.floor(address / BLOCK));
    const page = this.#pages.get(Math.floor(address / PAGE));
    if (block !== undefined) return block + (address % BLOCK);
    return page === undefined ? undefined : page + (address % PAGE);
  }

  #contextOf(stream: number): number | "bypass" | undefined {
    const entry = this.#entries.get(stream) ?? this.#streamEntry(stream);
    if (entry === undefined || (entry & word("SMMU_STE0_V")) === 0n) return undefined;
    this.#entries.set(stream, entry);
    const config = entry & word("SMMU_STE0_CONFIG_MASK");
    if (config === word("SMMU_STE0_CONFIG_BYPASS")) return "bypass";
    if (config !== word("SMMU_STE0_CONFIG_STAGE1")) return undefined;
    return Number(entry & word("SMMU_STE0_S1CONTEXTPTR_MASK"));
  }

  #streamEntry(stream: number): bigint | undefined {
    const form = this.get("STRTAB_BASE_CFG");
    const split = (form & FIELDS("STRTAB_BASE_CFG_SPLIT_MASK")) >> size("SMMU_STRTAB_BASE_CFG_SPLIT_SHIFT");
    if (stream >= 2 ** (form & FIELDS("STRTAB_BASE_CFG_LOG2SIZE_MASK"))) return undefined;
    if ((form & FIELDS("STRTAB_BASE_CFG_FMT_MASK")) !== FIELDS("STRTAB_BASE_CFG_FMT_TWO_LEVEL"))
      throw new MachineCheck("the model has two-level stream tables only");
    const first = this.#memory.read64(this.#base("STRTAB_BASE") + (stream >> split) * 8);
    const span = Number(first & word("SMMU_L1STD_SPAN_MASK"));
    const index = stream % 2 ** split;
    if (span === 0 || index >= 2 ** (span - 1)) return undefined;
    const second = Number(first & word("SMMU_L1STD_L2PTR_MASK"));
    return this.#memory.read64(second + index * size("SMMU_STE_SIZE"));
  }

  /** Stage 1 as the context says; a hit is remembered by the size of its entry. */
  #walk(contextPa: number, address: number): void {
    const [cd0, cd1] = [this.#memory.read64(contextPa), this.#memory.read64(contextPa + 8)];
    const needed = ["V", "AA64", "A", "R", "EPD1"].map((name) => word(`SMMU_CD0_${name}`));
    if (needed.some((bit) => (cd0 & bit) === 0n)) throw new MachineCheck("a context descriptor that is none");
    if (address >= 2 ** (64 - Number(cd0 & word("SMMU_CD0_T0SZ_MASK")))) return;
    let tablePa = Number(cd1 & word("SMMU_CD1_TTB0_MASK"));
    for (const [level, span] of [
      [1, 2 ** 30],
      [2, BLOCK],
      [3, PAGE],
    ] as const) {
      const descriptor = this.#memory.read64(tablePa + (Math.floor(address / span) % 512) * 8);
      const next = Number(descriptor & ADDRESS);
      if ((descriptor & 3n) === 3n && level < 3) tablePa = next;
      else {
        this.#remember(address, level, descriptor, next);
        return;
      }
    }
  }

  #remember(address: number, level: number, descriptor: bigint, pa: number): void {
    if ((descriptor & 1n) === 0n) return;
    if ((descriptor & word("STAGE1_AP_MASK")) !== word("STAGE1_AP_RW"))
      throw new MachineCheck("not RW for devices");
    const block = Math.floor(address / BLOCK);
    if (level === 2) this.#blocks.set(block, pa);
    else if (level === 3) this.#pages.set(Math.floor(address / PAGE), pa);
    else throw new MachineCheck("a block of 1 GiB cannot be split page by page");
    const isFree = (this.get("IDR3") & FIELDS("IDR3_BBML_MASK")) === FIELDS("IDR3_BBML_FREE");
    if (level === 3 && this.#blocks.has(block) && !isFree)
      throw new MachineCheck("TLB conflict: a block in use became a table without a break");
  }

  // --- events -------------------------------------------------------------------------------------------------

  #record(stream: number, type: bigint, address: number): undefined {
    if ((this.get("CR0") & FIELDS("CR0_EVENTQEN")) === 0) return;
    const entries = 2 ** Number((this.#registers.get(at("EVENTQ_BASE")) ?? 0n) & LOG2SIZE_MASK);
    const overflow = FIELDS("EVENTQ_PROD_OVERFLOW");
    const [produced, consumed] = [this.get("EVENTQ_PROD"), this.get("EVENTQ_CONS")];
    const index = (produced & ~overflow) >>> 0;
    const free = (consumed & ~overflow) >>> 0;
    if (index % entries === free % entries && index !== free) {
      if (((produced ^ consumed) & overflow) === 0) this.set("EVENTQ_PROD", produced ^ overflow);
      return;
    }
    const pa = this.#base("EVENTQ_BASE") + (index % entries) * size("SMMU_EVENT_SIZE");
    this.#memory.write64(pa, (BigInt(stream) << word("SMMU_EVENT0_STREAM_SHIFT")) | type);
    this.#memory.write64(pa + 8, 0n);
    this.#memory.write64(pa + size("SMMU_EVENT_ADDRESS"), BigInt(address));
    this.set("EVENTQ_PROD", ((index + 1) % (2 * entries)) | (produced & overflow));
    const tells = (this.get("IRQ_CTRL") & FIELDS("IRQ_CTRL_EVENTQ")) !== 0;
    if (index === free && tells) this.pending.add(size("INTID_SMMU_EVENTQ"));
  }
}
