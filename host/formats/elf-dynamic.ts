// Names of the shared libraries that a little-endian 64-bit ELF file needs (System V gABI, "Dynamic Section"),
// and of its program interpreter.

const MAGIC = 0x464c457f;
const CLASS_64_LITTLE = 0x0102; // bytes 4 and 5: class 2, data 1
const SEGMENT_LOAD = 1;
const SEGMENT_DYNAMIC = 2;
const SEGMENT_INTERPRETER = 3;
const TAG_END = 0n;
const TAG_NEEDED = 1n;
const TAG_STRING_TABLE = 5n;

interface Segment {
  type: number;
  offset: number;
  address: bigint;
  fileSize: number;
}

export interface DynamicNeeds {
  libraries: string[];
  interpreter?: string;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 64 && viewOf(bytes).readUInt32LE(0) === MAGIC;
}

export function readDynamicNeeds(bytes: Uint8Array): DynamicNeeds {
  const view = viewOf(bytes);
  if (!isElf(bytes) || view.readUInt16LE(4) !== CLASS_64_LITTLE) {
    throw new Error("not a little-endian 64-bit ELF file");
  }
  const segments = readSegments(view);
  const interpreter = segments.find((segment) => segment.type === SEGMENT_INTERPRETER);
  return {
    libraries: readLibraries(view, segments),
    ...(interpreter === undefined ? {} : { interpreter: textAt(view, interpreter.offset) }),
  };
}

function readSegments(view: Buffer): Segment[] {
  const start = Number(view.readBigUInt64LE(32));
  const size = view.readUInt16LE(54);
  return Array.from({ length: view.readUInt16LE(56) }, (_, index) => {
    const at = start + index * size;
    return {
      type: view.readUInt32LE(at),
      offset: Number(view.readBigUInt64LE(at + 8)),
      address: view.readBigUInt64LE(at + 16),
      fileSize: Number(view.readBigUInt64LE(at + 32)),
    };
  });
}

function readLibraries(view: Buffer, segments: Segment[]): string[] {
  const dynamic = segments.find((segment) => segment.type === SEGMENT_DYNAMIC);
  if (dynamic === undefined) return []; // statically linked
  const nameOffsets: number[] = [];
  let strings: number | undefined;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileSize; at += 16) {
    const tag = view.readBigInt64LE(at);
    const value = view.readBigUInt64LE(at + 8);
    if (tag === TAG_END) break;
    if (tag === TAG_NEEDED) nameOffsets.push(Number(value));
    if (tag === TAG_STRING_TABLE) strings = fileOffset(segments, value);
  }
  if (strings === undefined) throw new Error("the ELF file has no dynamic string table");
  return nameOffsets.map((offset) => textAt(view, strings + offset));
}

function fileOffset(segments: Segment[], address: bigint): number | undefined {
  const holder = segments.find(
    (segment) =>
      segment.type === SEGMENT_LOAD &&
      address >= segment.address &&
      address < segment.address + BigInt(segment.fileSize),
  );
  return holder === undefined ? undefined : holder.offset + Number(address - holder.address);
}

function textAt(view: Buffer, start: number): string {
  return view.toString("latin1", start, view.indexOf(0, start));
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
