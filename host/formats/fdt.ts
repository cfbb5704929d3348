// Flattened device trees: a plain tree value to and from the binary form (Devicetree Specification v0.4,
// section 5). Keeps the order of nodes and properties.

export interface DeviceTree {
  root: DeviceTreeNode;
  reservations: { address: bigint; size: bigint }[];
  bootCpu: number;
}

export interface DeviceTreeNode {
  /** With the unit address; empty for the root. */
  name: string;
  properties: Map<string, Uint8Array>;
  children: DeviceTreeNode[];
}

const MAGIC = 0xd00dfeed;
const VERSION = 17;
const OLDEST_COMPATIBLE_VERSION = 16;
const HEADER_SIZE = 40;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROPERTY = 3;
const NOP = 4;
const END = 9;

export function decodeDeviceTree(bytes: Uint8Array): DeviceTree {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < HEADER_SIZE || view.readUInt32BE(0) !== MAGIC)
    throw new Error("not a flattened device tree");
  if (view.readUInt32BE(4) > view.length) throw new Error("the device tree is cut off");
  const reader = new StructReader(view, view.readUInt32BE(8), view.readUInt32BE(12));
  return {
    root: reader.readRoot(),
    reservations: readReservations(view, view.readUInt32BE(16)),
    bootCpu: view.readUInt32BE(28),
  };
}

class StructReader {
  private readonly view: Buffer;
  private readonly stringsOffset: number;
  private offset: number;

  constructor(view: Buffer, structOffset: number, stringsOffset: number) {
    this.view = view;
    this.offset = structOffset;
    this.stringsOffset = stringsOffset;
  }

  readRoot(): DeviceTreeNode {
    if (this.nextToken() !== BEGIN_NODE) throw new Error("the device tree does not begin with a node");
    const root = this.readNode();
    if (this.nextToken() !== END) throw new Error("the device tree has more than one root");
    return root;
  }

  private readNode(): DeviceTreeNode {
    const node = aNode(this.readName());
    for (;;) {
      const token = this.nextToken();
      if (token === END_NODE) return node;
      if (token === BEGIN_NODE) node.children.push(this.readNode());
      else if (token === PROPERTY) this.readProperty(node);
      else throw new Error(`unknown token ${token} in the device tree`);
    }
  }

  private readProperty(node: DeviceTreeNode): void {
    const size = this.readWord();
    const name = stringAt(this.view, this.stringsOffset + this.readWord());
    node.properties.set(name, Uint8Array.from(this.view.subarray(this.offset, this.offset + size)));
    this.offset = aligned(this.offset + size, 4);
  }

  private readName(): string {
    const name = stringAt(this.view, this.offset);
    this.offset = aligned(this.offset + Buffer.byteLength(name) + 1, 4);
    return name;
  }

  private nextToken(): number {
    let token = this.readWord();
    while (token === NOP) token = this.readWord();
    return token;
  }

  private readWord(): number {
    const word = this.view.readUInt32BE(this.offset);
    this.offset += 4;
    return word;
  }
}

function readReservations(view: Buffer, start: number): DeviceTree["reservations"] {
  const reservations: DeviceTree["reservations"] = [];
  for (let offset = start; ; offset += 16) {
    const address = view.readBigUInt64BE(offset);
    const size = view.readBigUInt64BE(offset + 8);
    if (address === 0n && size === 0n) return reservations;
    reservations.push({ address, size });
  }
}

export function encodeDeviceTree(tree: DeviceTree): Uint8Array {
  const strings = new StringTable();
  const struct = Buffer.concat([...encodeNode(tree.root, strings), wordOf(END)]);
  const reservations = Buffer.alloc((tree.reservations.length + 1) * 16);
  for (const [index, { address, size }] of tree.reservations.entries()) {
    reservations.writeBigUInt64BE(address, index * 16);
    reservations.writeBigUInt64BE(size, index * 16 + 8);
  }
  const table = strings.encode();
  const structOffset = HEADER_SIZE + reservations.length;
  const stringsOffset = structOffset + struct.length;
  const totalSize = aligned(stringsOffset + table.length, 8);
  const header = Buffer.concat(
    [
      MAGIC,
      totalSize,
      structOffset,
      stringsOffset,
      HEADER_SIZE,
      VERSION,
      OLDEST_COMPATIBLE_VERSION,
      tree.bootCpu,
      table.length,
      struct.length,
    ].map(wordOf),
  );
  return Buffer.concat([header, reservations, struct, table], totalSize);
}

function* encodeNode(node: DeviceTreeNode, strings: StringTable): Generator<Uint8Array> {
  yield wordOf(BEGIN_NODE);
  yield padded(Buffer.from(`${node.name}\0`));
  for (const [name, value] of node.properties) {
    yield wordOf(PROPERTY);
    yield wordOf(value.length);
    yield wordOf(strings.offsetOf(name));
    yield padded(value);
  }
  for (const child of node.children) yield* encodeNode(child, strings);
  yield wordOf(END_NODE);
}

class StringTable {
  private readonly offsets = new Map<string, number>();
  private size = 0;

  offsetOf(name: string): number {
    const known = this.offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.size;
    this.offsets.set(name, offset);
    this.size += Buffer.byteLength(name) + 1;
    return offset;
  }

  encode(): Uint8Array {
    return Buffer.from([...this.offsets.keys()].map((name) => `${name}\0`).join(""));
  }
}

function aNode(name: string): DeviceTreeNode {
  return { name, properties: new Map(), children: [] };
}

function stringAt(view: Buffer, start: number): string {
  const end = view.indexOf(0, start);
  if (end < 0) throw new Error("a name in the device tree does not end");
  return view.toString("latin1", start, end);
}

function wordOf(value: number): Uint8Array {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(value);
  return word;
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes], aligned(bytes.length, 4));
}

function aligned(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
