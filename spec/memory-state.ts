// What the rules of valid.ts look at: the live translation tables, and the monitor's record of every page. Addresses are physical.

export interface PageRecord {
  /** PAGE_* of abi/pages.ts. */
  readonly state: number;
  /** Of a table: the Arm manual's, 0 at the root. */
  readonly level: number;
  readonly references: number;
  /** Word 1 of the record; its meaning depends on the state. */
  readonly word: number;
}

export interface BoundRoot {
  readonly vmid: number;
  readonly rootPa: number;
}

export interface TeeWorld {
  readonly slot: number;
  readonly rootPa: number;
  readonly ramPa: number;
  readonly ramSize: number;
}

export interface MemoryState {
  readonly ramPa: number;
  readonly ramSize: number;
  /** From here to the end of RAM everything is the monitor's or a TEE's. */
  readonly poolPa: number;
  /** Root of EL2's stage 1. */
  readonly stage1RootPa: number;
  /** VA of the direct map less PA. */
  readonly directMapOffset: bigint;
  readonly roots: readonly BoundRoot[];
  /** The hypervisor's root that stays empty; 0 if there is none. */
  readonly emptyRootPa: number;
  readonly tees: readonly TeeWorld[];
  /** Pages of the pool that EL2 executes: the monitor's vectors. */
  readonly vectorPages: ReadonlySet<number>;
  /** Device pages that nobody may map. */
  readonly forbiddenDevices: readonly { readonly pa: number; readonly size: number }[];
  read64(pa: number): bigint;
  record(pa: number): PageRecord;
  /** Pages whose record is not that of a page which is free and mapped nowhere but in the direct map. */
  recordedPages(): Iterable<number>;
}
