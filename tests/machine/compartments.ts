// What `el3/vectors/compartment.S` does, with the compartment's own wasm: through the tables that the monitor has built,
// its linear memory is filled, `call` runs, and what is mapped writable goes back. What it may not touch shows on QEMU
// only (host/toolchain/compartments.test.ts): here memory that is not mapped reads as zero.

import {
  COMPARTMENT_LINEAR_VA,
  COMPARTMENT_SVC_DONE,
  COMPARTMENT_SVC_TRAP,
} from "../../abi/compartment-images.ts";
import { COMPARTMENT_MEMORY_SIZE, COMPARTMENT_STATICS_PTR } from "../../abi/compartments.ts";
import { MachineCheck } from "./errors.ts";
import type { Machine } from "./machine.ts";
import { PAGE_SIZE } from "./physical-memory.ts";
import { structure, word } from "./source-words.ts";

interface Running {
  readonly memory: Uint8Array;
  /** What the module itself puts into its memory. */
  readonly constants: Uint8Array;
  call(operation: number, a: bigint, b: bigint, c: bigint): bigint;
}

/** How the next call ends, whatever the module does. */
export type ForcedEnd = "abort" | "overrun";

const ENTRIES = 512;
const BLOCK_SIZE = ENTRIES * PAGE_SIZE;
const SYNCHRONOUS_VECTOR = 8n;
const TRAP_UNREACHABLE = 2n;
const instances = new Map<WebAssembly.Module, Running>();

function instanceOf(module: WebAssembly.Module): Running {
  const known = instances.get(module);
  if (known !== undefined) return known;
  const { exports } = new WebAssembly.Instance(module, {});
  const { buffer } = exports["memory"] as WebAssembly.Memory;
  const memory = new Uint8Array(buffer);
  const constants = memory.slice(0, BLOCK_SIZE);
  const running = { memory, constants, call: exports["call"] as Running["call"] };
  instances.set(module, running);
  return running;
}

interface Mapping {
  readonly ptr: number;
  readonly pa: number;
  readonly size: number;
  readonly isWritable: boolean;
}

/** The import: `ptr` is the record (el3/monitor/compartments/compartment.ts). Answers 1 if the timer ended it. */
export function enterCompartment(machine: Machine, ptr: number): number {
  const field = (name: string) => ptr + structure("Compartment").get(name)!.offset;
  const get = (name: string) => machine.linear.getBigUint64(field(name), true);
  const set = (name: string, value: bigint) => machine.linear.setBigUint64(field(name), value, true);
  const index = Number(get("asid") >> 48n) - 1;
  const module = machine.compartments[index];
  if (module === undefined) throw new MachineCheck(`there is no compartment ${index}`);
  if (machine.current.get("TTBR0_EL1") >> 48n !== get("asid") >> 48n)
    throw new MachineCheck("another compartment's tables are loaded");
  const isMeant = (machine.forcedCompartment ?? index) === index;
  const forced = isMeant ? machine.forcedEnd : undefined;
  if (isMeant) machine.forcedEnd = undefined;
  set("esrEl3", SYNCHRONOUS_VECTOR);
  if (forced === "overrun") return 1;
  if (forced === "abort") {
    set("esrEl1", exceptionClass("DATA_ABORT_LOWER"));
    set("farEl1", 0n);
    return 0;
  }
  const [svc, result] = run(machine, instanceOf(module), {
    isNew: get("x4") !== 0n,
    words: [Number(get("x0")), get("x1"), get("x2"), get("x3")],
  });
  set("x0", result);
  set("esrEl1", exceptionClass("SVC64") | BigInt(svc));
  return 0;
}

const exceptionClass = (name: string) => word(`ESR_EL1_EC_${name}`) << word("ESR_EL1_EC_SHIFT");

function run(
  machine: Machine,
  running: Running,
  { isNew, words }: { isNew: boolean; words: [number, bigint, bigint, bigint] },
): [svc: number, result: bigint] {
  const mappings = [...mapped(machine)];
  for (const { ptr, pa, size: length } of mappings) running.memory.set(machine.memory.bytes(pa, length), ptr);
  if (isNew) loadConstants(running, mappings);
  try {
    return [COMPARTMENT_SVC_DONE, BigInt.asUintN(64, running.call(...words))];
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return [COMPARTMENT_SVC_TRAP, TRAP_UNREACHABLE];
  } finally {
    for (const { ptr, pa, size: length, isWritable } of mappings) {
      if (isWritable) machine.memory.load(pa, running.memory.subarray(ptr, ptr + length));
      running.memory.fill(0, ptr, ptr + length);
    }
  }
}

/** The module's data segments, where its memory is there; nothing of the message page. */
function loadConstants({ memory, constants }: Running, mappings: readonly Mapping[]): void {
  for (const { ptr, size: length } of mappings) {
    if (ptr < COMPARTMENT_STATICS_PTR || ptr >= constants.length) continue;
    memory.set(constants.subarray(ptr, ptr + length), ptr);
  }
}

/** Pages and blocks of the linear memory, as TTBR0_EL1 says. */
function* mapped(machine: Machine): Generator<Mapping> {
  const address = word("TABLE_OUTPUT_ADDRESS_MASK");
  const rootPa = Number(machine.current.get("TTBR0_EL1") & address);
  const first = COMPARTMENT_LINEAR_VA / BLOCK_SIZE;
  for (let block = 0; block < COMPARTMENT_MEMORY_SIZE / BLOCK_SIZE; block++) {
    const entry = machine.memory.read64(rootPa + (first + block) * 8);
    if ((entry & word("DESCRIPTOR_VALID")) === 0n) continue;
    if ((entry & word("STAGE1_TABLE")) === 0n) {
      yield mapping(block * BLOCK_SIZE, entry, BLOCK_SIZE);
      continue;
    }
    for (let page = 0; page < ENTRIES; page++) {
      const leaf = machine.memory.read64(Number(entry & address) + page * 8);
      if ((leaf & word("DESCRIPTOR_VALID")) !== 0n)
        yield mapping(block * BLOCK_SIZE + page * PAGE_SIZE, leaf, PAGE_SIZE);
    }
  }
}

function mapping(ptr: number, entry: bigint, length: number): Mapping {
  const access = entry & word("STAGE1_AP_MASK");
  if (access !== word("STAGE1_AP_RW") && access !== word("STAGE1_AP_RO"))
    throw new MachineCheck(`a compartment's memory at 0x${ptr.toString(16)} is not its own`);
  const pa = Number(entry & word("PAGE_OUTPUT_ADDRESS_MASK"));
  return { ptr, pa, size: length, isWritable: access === word("STAGE1_AP_RW") };
}
