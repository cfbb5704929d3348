// The monitor's own records, read from its linear memory, for questions that nothing outside of it can answer. Layouts come from the
// classes in its sources; where the records lie comes from storage.ts.

import { MachineCheck } from "./errors.ts";
import type { Machine } from "./machine.ts";
import { buffers, size, structure } from "./source-words.ts";

const ALIGNMENT = 64;
const STRUCTURES = {
  CoreArea: structure("CoreArea"),
  TeeCore: structure("TeeCore"),
  Guest: structure("Guest"),
  Machine: structure("Machine"),
  Partition: structure("Partition"),
} as const;
type StructureName = keyof typeof STRUCTURES;

export class MonitorState {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  field(name: StructureName, ptr: number, field: string): bigint {
    const place = STRUCTURES[name].get(field);
    if (place === undefined) throw new Error(`${name} has no field ${field}`);
    const { linear } = this.#machine;
    if (place.size === 8) return linear.getBigUint64(ptr + place.offset, true);
    return BigInt(linear.getUint32(ptr + place.offset, true));
  }

  core(index: number, field: string): bigint {
    return this.field("CoreArea", this.#machine.monitor.coreAreaPtr(index), field);
  }

  machine(field: string): bigint {
    const ptr = this.#machine.monitor.coreAreaPtr(0) - buffers().get("MACHINE")!;
    return this.field("Machine", ptr, field);
  }

  guestPtr(slot: number): number {
    return this.#buffer("GUESTS") + slot * size("GUEST_RECORD_SIZE");
  }

  guest(slot: number, field: string): bigint {
    return this.field("Guest", this.guestPtr(slot), field);
  }

  partition(slot: number, field: string): bigint {
    const ptr = this.#buffer("PARTITIONS") + slot * size("PARTITION_RECORD_SIZE");
    return this.field("Partition", ptr, field);
  }

  /** The stage-2 root that is bound to a VMID; 0 if none. */
  boundRoot(vmid: number): number {
    return Number(this.#machine.linear.getBigUint64(this.#buffer("VMID_ROOTS") + vmid * 8, true));
  }

  teeCorePtr(slot: number, index: number): number {
    return this.#buffer("TEE_CORES") + (slot * size("TEE_CORE_MAX") + index) * size("WORLD_CONTEXT_SIZE");
  }

  teeCore(slot: number, index: number, field: string): bigint {
    return this.field("TeeCore", this.teeCorePtr(slot, index), field);
  }

  machineFactsPtr(): number {
    return this.#buffer("MACHINE_FACTS");
  }

  /** The first of a guest's facts: who it is. */
  identity(slot: number): Uint8Array {
    const at = this.guestFactsPtr(slot) + size("FACTS_IDENTITY");
    return new Uint8Array(this.#machine.linear.buffer.slice(at, at + size("FACT_SIZE")));
  }

  guestFactsPtr(slot: number): number {
    return this.#buffer("GUEST_FACTS") + slot * size("FACTS_GUEST_SIZE");
  }

  /** Slot and core of the TEE core that runs on a physical core, by the monitor's books. */
  running(coreIndex: number): { slot: number; index: number } | undefined {
    const ptr = Number(this.core(coreIndex, "runningTee"));
    if (ptr === 0) return undefined;
    const number = (ptr - this.teeCorePtr(0, 0)) / size("WORLD_CONTEXT_SIZE");
    if (!Number.isInteger(number) || number < 0)
      throw new MachineCheck(`runningTee is 0x${ptr.toString(16)}`);
    return { slot: Math.floor(number / size("TEE_CORE_MAX")), index: number % size("TEE_CORE_MAX") };
  }

  /** Buffers lie in the order of storage.ts, each aligned; the first known one is the cores'. */
  #buffer(wanted: string): number {
    let at: number | undefined;
    for (const [name, length] of buffers()) {
      if (name === "CORE_AREAS") at = this.#machine.monitor.coreAreaPtr(0);
      if (at === undefined) continue;
      if (name === wanted) return at;
      at = Math.ceil((at + length) / ALIGNMENT) * ALIGNMENT;
    }
    throw new Error(`storage.ts has no ${wanted} behind CORE_AREAS`);
  }
}
