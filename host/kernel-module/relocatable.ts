// Sections, symbols and relocations of a relocatable AArch64 ELF file (System V gABI, chapter 4; ELF for the Arm 64-bit
// Architecture), as far as kernel modules need to be read.

const MAGIC = 0x464c457f;
const CLASS_64_LITTLE = 0x0102; // bytes 4 and 5: class 2, data 1
const TYPE_RELOCATABLE = 1;
const MACHINE_AARCH64 = 183;
const HEADER_SIZE = 64;
const SECTION_SIZE = 64;
const SYMBOL_SIZE = 24;
const RELOCATION_SIZE = 24;
const SECTION_SYMBOLS = 2;
const SECTION_RELOCATIONS = 4;
const SECTION_NO_BITS = 8;

export interface Section {
  readonly name: string;
  readonly flags: bigint;
  readonly alignment: bigint;
  /** Empty if the file holds none of it. */
  readonly bytes: Buffer;
}

export interface Relocation {
  readonly offset: bigint;
  readonly type: number;
  readonly symbol: string;
  readonly addend: bigint;
}

interface RawSection extends Section {
  readonly type: number;
  readonly link: number;
  readonly info: number;
}

export class RelocatableFile {
  readonly #sections: readonly RawSection[];

  /** Throws a RangeError that says what the bytes are not. */
  constructor(bytes: Uint8Array) {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view.length < HEADER_SIZE || view.readUInt32LE(0) !== MAGIC) throw new RangeError("no ELF file");
    if (view.readUInt16LE(4) !== CLASS_64_LITTLE || view.readUInt16LE(18) !== MACHINE_AARCH64)
      throw new RangeError("no little-endian AArch64 ELF file");
    if (view.readUInt16LE(16) !== TYPE_RELOCATABLE) throw new RangeError("no relocatable ELF file");
    this.#sections = readSections(view);
  }

  get sections(): readonly Section[] {
    return this.#sections;
  }

  /** Undefined too if there are several. */
  section(name: string): Section | undefined {
    const found = this.#sections.filter((section) => section.name === name);
    return found.length === 1 ? found[0] : undefined;
  }

  relocations(name: string): Relocation[] {
    const target = this.#sections.findIndex((section) => section.name === name);
    return this.#sections
      .filter(({ type, info }) => type === SECTION_RELOCATIONS && info === target)
      .flatMap(({ bytes, link }) => readRelocations(bytes, this.#symbolNames(link)));
  }

  /** Symbols that the file uses and does not define. */
  undefinedSymbols(): string[] {
    const index = this.#sections.findIndex(({ type }) => type === SECTION_SYMBOLS);
    const names = this.#symbolNames(index);
    const { bytes } = this.#sections[index] ?? { bytes: Buffer.alloc(0) };
    return names.filter((name, at) => name !== "" && bytes.readUInt16LE(at * SYMBOL_SIZE + 6) === 0);
  }

  #symbolNames(index: number): string[] {
    const table = this.#sections[index];
    if (table === undefined) return [];
    const strings = this.#sections[table.link]?.bytes ?? Buffer.alloc(0);
    return Array.from({ length: Math.floor(table.bytes.length / SYMBOL_SIZE) }, (_, at) =>
      textAt(strings, table.bytes.readUInt32LE(at * SYMBOL_SIZE)),
    );
  }
}

function readSections(view: Buffer): RawSection[] {
  const start = Number(view.readBigUInt64LE(40));
  const count = view.readUInt16LE(60);
  if (view.readUInt16LE(58) !== SECTION_SIZE) throw new RangeError("an ELF file with other section headers");
  const headers = Array.from({ length: count }, (_, index) =>
    within(view, start + index * SECTION_SIZE, SECTION_SIZE),
  );
  const contents = headers.map((header) =>
    header.readUInt32LE(4) === SECTION_NO_BITS
      ? Buffer.alloc(0)
      : within(view, Number(header.readBigUInt64LE(24)), Number(header.readBigUInt64LE(32))),
  );
  const names = contents[view.readUInt16LE(62)] ?? Buffer.alloc(0);
  return headers.map((header, index) => ({
    name: textAt(names, header.readUInt32LE(0)),
    type: header.readUInt32LE(4),
    flags: header.readBigUInt64LE(8),
    link: header.readUInt32LE(40),
    info: header.readUInt32LE(44),
    alignment: header.readBigUInt64LE(48),
    bytes: contents[index]!,
  }));
}

function readRelocations(bytes: Buffer, symbols: readonly string[]): Relocation[] {
  return Array.from({ length: Math.floor(bytes.length / RELOCATION_SIZE) }, (_, index) => {
    const at = index * RELOCATION_SIZE;
    return {
      offset: bytes.readBigUInt64LE(at),
      type: bytes.readUInt32LE(at + 8),
      symbol: symbols[bytes.readUInt32LE(at + 12)] ?? "",
      addend: bytes.readBigInt64LE(at + 16),
    };
  });
}

function within(view: Buffer, start: number, size: number): Buffer {
  if (start + size > view.length) throw new RangeError("an ELF file that is cut off");
  return view.subarray(start, start + size);
}

function textAt(strings: Buffer, start: number): string {
  return strings.toString("latin1", start, strings.indexOf(0, start));
}
