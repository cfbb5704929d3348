// The scene of the attacks: a machine with two guests that have a TEE each, a hostile Xen, and a witness. What the attacker aims at is found
// here; what a refusal must look like is asserted here.

import assert from "node:assert/strict";
import { TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { VIOLATION_STORE } from "../../abi/status.ts";
import type { Machine } from "../../host/machine/machine.ts";
import { word } from "../machine/source-words.ts";
import type { StoreGadget } from "./gadgets.ts";
import { HostileXen, type Outcome } from "./hostile-xen.ts";
import { isTable, isValid, LiveTables, outputPa, PAGE_SIZE, type TableEntry } from "./live-tables.ts";
import { type Evidence, Witness } from "./witness.ts";

export interface Victim {
  readonly name: string;
  /** VTTBR_EL2 of its normal world. */
  readonly vttbr: bigint;
  readonly teeRamPa: number;
}

/** A secret lies anywhere in a TEE; this is where its image does, which is never zero. */
const VICTIM_OFFSET = 0x100000;

export class AttackLab {
  readonly machine: Machine;
  readonly xen: HostileXen;
  readonly witness: Witness;
  readonly guests: readonly Victim[];
  readonly controlDomainVttbr: bigint;
  /** What was seen after the last step: nothing runs between two steps of one attack. */
  #last: { readonly steps: number; readonly thread: number; readonly evidence: Evidence } | undefined;

  private constructor(machine: Machine, xen: HostileXen, guests: readonly Victim[], dom0: bigint) {
    this.machine = machine;
    this.xen = xen;
    this.guests = guests;
    this.controlDomainVttbr = dom0;
    const victims = guests.map(({ name, teeRamPa }) => ({ name: `RAM of ${name}'s TEE`, pa: teeRamPa }));
    this.witness = new Witness(machine, xen.gdb, victims);
  }

  static async open(machine: Machine): Promise<AttackLab> {
    const events = (await machine.status())!.events;
    const lockdown = events.find(({ kind }) => kind === "lockdown");
    const guests = machine.guests.map(({ name, teeId }) => {
      const created = events.find(({ kind, guest }) => kind === "guest-created" && guest === teeId);
      const [vttbr, teeRamPa] = created!.arguments;
      return { name, vttbr: BigInt(vttbr), teeRamPa: Number(teeRamPa) };
    });
    const xen = await HostileXen.attach(machine);
    return new AttackLab(machine, xen, guests, BigInt(lockdown!.arguments[0]));
  }

  get poolPa(): number {
    return this.machine.state.ram.poolPa;
  }

  /** A page of the first guest's TEE. */
  get victimPa(): number {
    return this.guests[0]!.teeRamPa + VICTIM_OFFSET;
  }

  /** EL2's tables as they are now. */
  stage1(): LiveTables {
    return this.#tables(this.xen.stage1.rootPa);
  }

  stage2(vttbr: bigint): LiveTables {
    return this.#tables(rootPaOf(vttbr));
  }

  /** Entries of EL2's tables that translate nothing, in a table of Xen's own: the first of `count`, aligned. */
  freeStage1Entry(level: number, count = 1): Promise<TableEntry> {
    return this.#freeEntry(this.stage1(), level, count);
  }

  freeStage2Entry(vttbr: bigint, level: number): Promise<TableEntry> {
    return this.#freeEntry(this.stage2(vttbr), level, 1);
  }

  /** A page of Xen's data: its mapping is writable and not executable. */
  async dataMapping(): Promise<TableEntry> {
    return this.#leaf((value) => (value & (READ_ONLY | XN)) === XN);
  }

  /** A page of Xen's constants. */
  async constantMapping(): Promise<TableEntry> {
    return this.#leaf((value) => (value & (READ_ONLY | XN)) === (READ_ONLY | XN));
  }

  /** Pages that are Xen's alone, zero, and that nobody will miss; they must be zero again when the attack is over. */
  async scratchPages(count: number): Promise<number[]> {
    const records = await this.witness.records();
    const found: number[] = [];
    for (let pa = this.poolPa - PAGE_SIZE; found.length < count; pa -= PAGE_SIZE) {
      if (!records.isUnshared(pa)) continue;
      const bytes = await this.xen.gdb.readPhysical(pa, PAGE_SIZE);
      if (bytes.every((byte) => byte === 0)) found.push(pa);
    }
    return found;
  }

  read64(pa: number): Promise<bigint> {
    return this.xen.gdb.readPhysical(pa, 8).then((bytes) => Buffer.from(bytes).readBigUInt64LE());
  }

  /** Xen stores through its direct map, as it does itself. */
  store(thread: number, pa: number, value: bigint): Promise<Outcome> {
    return this.xen.store(thread, this.xen.gadgets.str(8), this.xen.directMapVa(pa), value);
  }

  /** The attacker's own memory: nobody may mind. */
  async storeOwn(thread: number, pa: number, value: bigint): Promise<void> {
    assert.equal((await this.store(thread, pa, value)).end, "done");
  }

  /** A store to a table that must be refused. */
  refusedStore(thread: number, pa: number, value: bigint): Promise<void> {
    return this.refusedStoreAt(thread, this.xen.directMapVa(pa), this.xen.gadgets.str(8), value);
  }

  /** … at an address of EL2's, by another instruction. */
  async refusedStoreAt(
    thread: number,
    va: bigint,
    gadget: StoreGadget,
    ...values: readonly bigint[]
  ): Promise<void> {
    const outcome = await this.refused(thread, VIOLATION_STORE, va, () =>
      this.xen.store(thread, gadget, va, ...values),
    );
    assertPermissionFault(outcome, va);
  }

  /** Holds a step to the rules: its fault arrives at Xen, one violation is recorded, and nothing else has changed. */
  async refused(
    thread: number,
    violation: number,
    where: bigint,
    step: () => Promise<Outcome>,
  ): Promise<Outcome> {
    const { before, outcome, after } = await this.#witnessed(thread, step);

    assert.equal(outcome.end, "fault");
    assert.equal(after.violations, before.violations + 1);
    assert.deepEqual(after.lastViolation, [hex(BigInt(violation)), hex(where)]);
    return outcome;
  }

  /** A step that the architecture itself refuses, or that does nothing: nothing has changed, and nothing is recorded. */
  async harmless(thread: number, step: () => Promise<Outcome>): Promise<Outcome> {
    const { before, outcome, after } = await this.#witnessed(thread, step);

    assert.equal(after.violations, before.violations);
    return outcome;
  }

  async #witnessed(thread: number, step: () => Promise<Outcome>) {
    const isAsItWas = this.#last?.steps === this.xen.steps && this.#last.thread === thread;
    const before = isAsItWas ? this.#last!.evidence : await this.witness.take(thread);
    const outcome = await step();
    const after = await this.witness.take(thread);
    this.#last = { steps: this.xen.steps, thread, evidence: after };
    assertUnchanged(before, after);
    return { before, outcome, after };
  }

  #tables(rootPa: number): LiveTables {
    return new LiveTables((pa, size) => this.xen.gdb.readPhysical(pa, size), rootPa);
  }

  async #leaf(accepts: (value: bigint) => boolean): Promise<TableEntry> {
    for await (const entry of this.stage1().valid(this.poolPa))
      if (entry.level === 3 && accepts(entry.value)) return entry;
    throw new Error("EL2 has no such mapping");
  }

  async #freeEntry(tables: LiveTables, level: number, count: number): Promise<TableEntry> {
    for await (const above of tables.valid(this.poolPa)) {
      if (above.level !== level - 1 || !isTable(above) || outputPa(above) >= this.poolPa) continue;
      const entries = await tables.tableOf(above);
      const free = entries.find(
        (_, index) =>
          index % count === 0 && !entries.slice(index, index + count).some((entry) => isValid(entry)),
      );
      if (free !== undefined) return free;
    }
    throw new Error(`no table of level ${level} has ${count} free entries`);
  }
}

const READ_ONLY = word("STAGE1_AP_READ_ONLY");
const XN = word("STAGE1_XN");

export function rootPaOf(vttbr: bigint): number {
  return Number(vttbr & word("TABLE_OUTPUT_ADDRESS_MASK"));
}

export function withVmid(vmid: bigint, rootPa: number): bigint {
  return (vmid << word("VTTBR_EL2_VMID_SHIFT")) | BigInt(rootPa);
}

export function vmidOf(vttbr: bigint): bigint {
  return vttbr >> word("VTTBR_EL2_VMID_SHIFT");
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

export function assertUnchanged(before: Evidence, after: Evidence): void {
  assert.deepEqual(after.memory, before.memory);
}

/** Exception class and fault status of what arrived at Xen. */
export function syndromeOf({ esr }: Outcome): { exceptionClass: bigint; status: bigint; isWrite: boolean } {
  return {
    exceptionClass: (esr & word("ESR_EL2_EC_MASK")) >> word("ESR_EL2_EC_SHIFT"),
    status: esr & word("ESR_EL2_ISS_DATA_ABORT_FSC_MASK"),
    isWrite: (esr & word("ESR_EL2_ISS_DATA_ABORT_WNR")) !== 0n,
  };
}

/** What a read-only page answers to a store. */
export function assertPermissionFault(outcome: Outcome, va: bigint): void {
  const { exceptionClass, status, isWrite } = syndromeOf(outcome);
  assert.equal(exceptionClass, word("ESR_EL2_EC_DATA_ABORT"));
  assert(
    status >= word("ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L1") &&
      status <= word("ESR_EL2_ISS_DATA_ABORT_FSC_PERMISSION_L3"),
    `status ${hex(status)} is no permission fault`,
  );
  assert(isWrite);
  assert.equal(outcome.far, va);
}

/** What an address answers that translates to nothing. */
export function assertTranslationFault(outcome: Outcome, exceptionClass: string, va: bigint): void {
  const { exceptionClass: found, status } = syndromeOf(outcome);
  assert.equal(outcome.end, "fault");
  assert.equal(found, word(`ESR_EL2_EC_${exceptionClass}`));
  assert(
    status >= word("ESR_EL2_ISS_DATA_ABORT_FSC_TRANSLATION_L0") &&
      status <= word("ESR_EL2_ISS_DATA_ABORT_FSC_TRANSLATION_L3"),
    `status ${hex(status)} is no translation fault`,
  );
  assert.equal(outcome.far, va);
}

/** Bytes of the pool that are a TEE's. */
export const TEE_SIZE = TEE_RAM_SIZE;
