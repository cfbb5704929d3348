// Reads a WebAssembly module as far as the gate and the build need it: types, imports, functions, globals, exports,
// names, and of every function body the calls, globals and kinds of instructions. Not a validator: asc's output is
// valid, and what is not known here is refused.

export interface WasmFunction {
  index: number;
  name: string;
  isImport: boolean;
  calls: number[];
  globalsWritten: number[];
  /** Kinds of instruction that firmware may not have, each once. */
  oddities: Set<Oddity>;
}

export type Oddity =
  | "memory.grow"
  | "call_indirect"
  | "floating point"
  | "a table access"
  | "SIMD"
  | "atomics"
  | "an unknown instruction";

export interface WasmGlobal {
  name: string;
  isMutable: boolean;
  type: number;
  /** Of an immutable integer constant. */
  value?: bigint;
}

export interface WasmModule {
  imports: { module: string; name: string; kind: number }[];
  exports: { name: string; kind: number; index: number }[];
  functions: WasmFunction[];
  globals: WasmGlobal[];
  memories: { minimum: number; maximum?: number }[];
  tableCount: number;
  startIndex?: number;
}

export const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;
const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  code: 10,
};
const TYPE_I32 = 0x7f;
const TYPE_I64 = 0x7e;
const HEADER = "0061736d01000000";

export function readWasm(bytes: Uint8Array): WasmModule {
  if (Buffer.from(bytes.subarray(0, 8)).toString("hex") !== HEADER)
    throw new Error("this is not a WebAssembly module");
  const module: WasmModule = {
    imports: [],
    exports: [],
    functions: [],
    globals: [],
    memories: [],
    tableCount: 0,
  };
  const floatTypes = new Set<number>();
  const typeOfFunction: number[] = [];
  const input = new Reader(bytes, 8);
  while (!input.atEnd) {
    const id = input.byte();
    const section = input.slice(input.unsigned());
    if (id === SECTION.type) section.vector((_, index) => readType(section, index, floatTypes));
    else if (id === SECTION.import) section.vector(() => readImport(section, module, typeOfFunction));
    else if (id === SECTION.function)
      section.vector(() => addFunction(module, typeOfFunction, section.unsigned(), false));
    else if (id === SECTION.table) module.tableCount += section.unsigned();
    else if (id === SECTION.memory) section.vector(() => module.memories.push(readLimits(section)));
    else if (id === SECTION.global)
      section.vector(() => module.globals.push(readGlobal(section, module.globals.length)));
    else if (id === SECTION.export) {
      section.vector(() =>
        module.exports.push({ name: section.text(), kind: section.byte(), index: section.unsigned() }),
      );
    } else if (id === SECTION.start) module.startIndex = section.unsigned();
    else if (id === SECTION.code) {
      const bodies = module.functions.filter((fn) => !fn.isImport);
      section.vector((_, index) => scanBody(section.slice(section.unsigned()), bodies[index]!));
    } else if (id === SECTION.custom && section.text() === "name") readNames(section, module);
  }
  for (const fn of module.functions) {
    if (floatTypes.has(typeOfFunction[fn.index]!)) fn.oddities.add("floating point");
  }
  return module;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw new Error("the module ends in the middle of something");
    return value;
  }

  skip(count: number): void {
    this.#at += count;
  }

  unsigned(): number {
    return Number(this.#leb(false));
  }

  signed(): bigint {
    return this.#leb(true);
  }

  #leb(isSigned: boolean): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte & 0x80) continue;
      return isSigned && byte & 0x40 ? value - (1n << shift) : value;
    }
  }

  text(): string {
    return Buffer.from(this.bytes(this.unsigned())).toString("utf8");
  }

  bytes(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new Error("the module ends in the middle of something");
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  slice(count: number): Reader {
    return new Reader(this.bytes(count));
  }

  vector(each: (reader: Reader, index: number) => void): void {
    const count = this.unsigned();
    for (let index = 0; index < count; index++) each(this, index);
  }
}

function isFloat(type: number): boolean {
  return type !== TYPE_I32 && type !== TYPE_I64;
}

function readType(section: Reader, index: number, floatTypes: Set<number>): void {
  if (section.byte() !== 0x60) throw new Error("a type that is not a function");
  for (let part = 0; part < 2; part++) {
    section.vector(() => {
      if (isFloat(section.byte())) floatTypes.add(index);
    });
  }
}

function readLimits(section: Reader): { minimum: number; maximum?: number } {
  const hasMaximum = (section.byte() & 1) !== 0;
  const minimum = section.unsigned();
  return hasMaximum ? { minimum, maximum: section.unsigned() } : { minimum };
}

function readImport(section: Reader, module: WasmModule, typeOfFunction: number[]): void {
  const entry = { module: section.text(), name: section.text(), kind: section.byte() };
  module.imports.push(entry);
  if (entry.kind === KIND.function) {
    addFunction(module, typeOfFunction, section.unsigned(), true, `${entry.module}.${entry.name}`);
  } else if (entry.kind === KIND.table) {
    module.tableCount++;
    section.byte();
    readLimits(section);
  } else if (entry.kind === KIND.memory) {
    readLimits(section);
  } else {
    const type = section.byte();
    module.globals.push({ name: `${entry.module}.${entry.name}`, type, isMutable: section.byte() === 1 });
  }
}

function addFunction(
  module: WasmModule,
  types: number[],
  type: number,
  isImport: boolean,
  name?: string,
): void {
  const index = module.functions.length;
  types.push(type);
  module.functions.push({
    index,
    name: name ?? `function ${index}`,
    isImport,
    calls: [],
    globalsWritten: [],
    oddities: new Set(),
  });
}

function readGlobal(section: Reader, index: number): WasmGlobal {
  const type = section.byte();
  const isMutable = section.byte() === 1;
  const global: WasmGlobal = { name: `global ${index}`, type, isMutable };
  const opcode = section.byte();
  if (opcode === 0x41 || opcode === 0x42) global.value = section.signed();
  else if (opcode === 0x43) section.skip(4);
  else if (opcode === 0x44) section.skip(8);
  else throw new Error(`global ${index} does not start with a constant`);
  if (section.byte() !== 0x0b) throw new Error(`global ${index} has a computed start value`);
  return global;
}

/** The name section: functions (1) and globals (7). */
function readNames(section: Reader, module: WasmModule): void {
  while (!section.atEnd) {
    const id = section.byte();
    const part = section.slice(section.unsigned());
    if (id !== 1 && id !== 7) continue;
    part.vector(() => {
      const target = (id === 1 ? module.functions : module.globals)[part.unsigned()];
      const name = part.text();
      if (target !== undefined && !("isImport" in target && target.isImport)) target.name = name;
    });
  }
}

function scanBody(body: Reader, fn: WasmFunction): void {
  body.vector(() => {
    body.unsigned();
    if (isFloat(body.byte())) fn.oddities.add("floating point");
  });
  while (!body.atEnd) {
    const opcode = body.byte();
    if (isFloatOpcode(opcode)) fn.oddities.add("floating point");
    if (!scanImmediates(body, opcode, fn)) {
      fn.oddities.add("an unknown instruction");
      return; // from here on, bytes have no meaning
    }
  }
}

function isFloatOpcode(opcode: number): boolean {
  const ranges = [
    [0x2a, 0x2b],
    [0x38, 0x39],
    [0x43, 0x44],
    [0x5b, 0x66],
    [0x8b, 0xa6],
    [0xa8, 0xab],
    [0xae, 0xbf],
  ] as const;
  return ranges.some(([from, to]) => opcode >= from && opcode <= to);
}

/** Reads past an instruction's immediates; false where the instruction is not known. */
function scanImmediates(body: Reader, opcode: number, fn: WasmFunction): boolean {
  if (opcode >= 0x28 && opcode <= 0x3e) {
    body.unsigned(); // alignment
    body.unsigned(); // offset
    return true;
  }
  if (opcode >= 0x45 && opcode <= 0xc4) return true;
  switch (opcode) {
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
      body.signed();
      return true;
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x20: // local.get
    case 0x21: // local.set
    case 0x22: // local.tee
    case 0x23: // global.get
    case 0x3f: // memory.size
      body.unsigned();
      return true;
    case 0x0e: // br_table
      body.vector(() => body.unsigned());
      body.unsigned();
      return true;
    case 0x10: // call
      fn.calls.push(body.unsigned());
      return true;
    case 0x11: // call_indirect
      fn.oddities.add("call_indirect");
      body.unsigned();
      body.unsigned();
      return true;
    case 0x1c: // select with types
      body.vector(() => body.byte());
      return true;
    case 0x24: // global.set
      fn.globalsWritten.push(body.unsigned());
      return true;
    case 0x25: // table.get
    case 0x26: // table.set
      fn.oddities.add("a table access");
      body.unsigned();
      return true;
    case 0x40: // memory.grow
      fn.oddities.add("memory.grow");
      body.unsigned();
      return true;
    case 0x41: // i32.const
    case 0x42: // i64.const
      body.signed();
      return true;
    case 0x43: // f32.const
      body.skip(4);
      return true;
    case 0x44: // f64.const
      body.skip(8);
      return true;
    case 0xfc:
      return scanExtended(body, fn);
    case 0xfd:
      fn.oddities.add("SIMD");
      return false;
    case 0xfe:
      fn.oddities.add("atomics");
      return false;
    default:
      // unreachable, nop, else, end, return, drop, select
      return [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(opcode);
  }
}

function scanExtended(body: Reader, fn: WasmFunction): boolean {
  const opcode = body.unsigned();
  if (opcode <= 7) {
    fn.oddities.add("floating point");
    return true;
  }
  const immediates = { 8: 2, 9: 1, 10: 2, 11: 1 }[opcode]; // memory.init, data.drop, memory.copy, memory.fill
  if (immediates === undefined) {
    fn.oddities.add("a table access");
    return false;
  }
  for (let index = 0; index < immediates; index++) body.unsigned();
  return true;
}
