// The guest-boot compartment in Node: a request and a tree go in, a code, the answers and the new tree come out. What
// must hold after every call, whatever the tree was, is checked here.

import assert from "node:assert/strict";
import { COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments.ts";
import * as abi from "../../abi/guest-boot-compartment.ts";
import { aDeviceTreeNode } from "../../host/formats/device-tree.ts";
import { type DeviceTree, type DeviceTreeNode, decodeDeviceTree } from "../../host/formats/fdt.ts";
import { aCompartment } from "./compartment.ts";

export interface BootRequest {
  isWanted?: boolean;
  treeIpa?: bigint;
  entryIpa?: bigint;
  entryBytes?: Uint8Array;
  name?: string;
  compatible?: string;
  method?: string;
  /** Bytes that are lent, if not the whole tree. */
  available?: number;
  capacity?: number;
}

export interface BootAnswer {
  code: number;
  flags: number;
  badOffset: number;
  placeIpa: bigint;
  initrd: readonly [bigint, bigint];
  identity: Uint8Array;
  banks: (readonly [base: bigint, size: bigint])[];
  /** The new tree, as the output area holds it. */
  blob: Uint8Array;
}

/** Where libxl puts the modules of a guest. */
export const TREE_IPA = 0x4800_0000n;
export const ENTRY_IPA = 0x4000_0000n;

/** What stands in memory that the compartment is not to touch. */
const MARK = 0xa5;

export const lab = await aCompartment("sel0/guest-boot/main.ts");

/** The first 64 bytes of a Linux Image of this size (Documentation/arch/arm64/booting.rst, section 4). */
export function anImageHeader(size: bigint): Uint8Array {
  const header = Buffer.alloc(abi.GUEST_BOOT_ENTRY_BYTES_SIZE);
  header.writeBigUInt64LE(size, 16);
  header.write("ARM\x64", 56, "latin1");
  return header;
}

export function showTee(tree: Uint8Array, request: BootRequest = {}): BootAnswer {
  const { available = tree.length, capacity = abi.GUEST_BOOT_OUTPUT_MAX } = request;
  const area = COMPARTMENT_WINDOW_SIZE - capacity; // what is written behind it is out of bounds
  const before = Math.max(area - abi.GUEST_BOOT_OUTPUT_MAX, 0);
  lab.window.fill(MARK, 0, tree.length + 16).set(tree);
  lab.window.fill(MARK, before);
  writeRequest(request);
  const code = Number(
    lab.exports.call(abi.GUEST_BOOT_TREE, BigInt(available), BigInt(area), BigInt(capacity)),
  );

  const answer = readAnswer(code, area);
  assert.ok(isMarked(lab.window.subarray(before, area)), "the bytes before the output area");
  assert.ok(isMarked(lab.window.subarray(area + answer.blob.length)), "what is left of the output area");
  assert.equal(Buffer.compare(lab.window.subarray(0, tree.length), tree), 0, "the tree that was lent");
  return answer;
}

function isMarked(bytes: Uint8Array): boolean {
  return bytes.length === 0 || Buffer.compare(bytes, Buffer.alloc(bytes.length, MARK)) === 0;
}

function writeRequest(request: BootRequest): void {
  const { isWanted = true, treeIpa = TREE_IPA, entryIpa = ENTRY_IPA } = request;
  const { name = "optee", compatible = "linaro,optee-tz", method = "smc" } = request;
  const message = viewOf(lab.message);
  message.fill(0);
  message.fill(MARK, abi.GUEST_BOOT_FLAGS); // of another call
  message.writeUInt32LE(isWanted ? 1 : 0, abi.GUEST_BOOT_NODE_WANTED);
  message.writeBigUInt64LE(treeIpa, abi.GUEST_BOOT_TREE_IPA);
  message.writeBigUInt64LE(entryIpa, abi.GUEST_BOOT_ENTRY_IPA);
  message.set(request.entryBytes ?? anImageHeader(0x200_0000n), abi.GUEST_BOOT_ENTRY_BYTES);
  message.write(name, abi.GUEST_BOOT_NODE_NAME, "latin1");
  message.write(compatible, abi.GUEST_BOOT_COMPATIBLE, "latin1");
  message.write(method, abi.GUEST_BOOT_METHOD, "latin1");
}

function readAnswer(code: number, area: number): BootAnswer {
  const message = viewOf(lab.message);
  const at = (offset: number) => message.readBigUInt64LE(offset);
  const size = message.readUInt32LE(abi.GUEST_BOOT_SIZE);
  return {
    code,
    flags: message.readUInt32LE(abi.GUEST_BOOT_FLAGS),
    badOffset: message.readUInt32LE(abi.GUEST_BOOT_BAD_OFFSET),
    placeIpa: at(abi.GUEST_BOOT_PLACE_IPA),
    initrd: [at(abi.GUEST_BOOT_INITRD_START), at(abi.GUEST_BOOT_INITRD_END)],
    identity: lab.message.slice(
      abi.GUEST_BOOT_IDENTITY,
      abi.GUEST_BOOT_IDENTITY + abi.GUEST_BOOT_IDENTITY_SIZE,
    ),
    banks: Array.from({ length: message.readUInt32LE(abi.GUEST_BOOT_BANK_COUNT) }, (_, index) => {
      const offset = abi.GUEST_BOOT_BANKS + index * 16;
      return [at(offset), at(offset + 8)];
    }),
    blob: lab.window.slice(area, area + size),
  };
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What the new tree must be, found another way: on the decoded tree. */
export function withTeeNode(tree: DeviceTree, request: BootRequest = {}): DeviceTree {
  const { name = "optee", compatible = "linaro,optee-tz", method = "smc" } = request;
  const expected = structuredClone(tree);
  const firmwares = expected.root.children.filter((child) => child.name === "firmware");
  const isOther = (child: DeviceTreeNode) => child.name.split("@")[0] !== name;
  for (const firmware of firmwares) firmware.children = firmware.children.filter(isOther);
  if (firmwares.length === 0) {
    const firmware = aDeviceTreeNode("firmware", {});
    firmwares.push(firmware);
    expected.root.children.push(firmware);
  }
  firmwares[0]!.children.push(aDeviceTreeNode(name, { compatible, method }));
  return structuredClone(expected); // values are then bytes alike
}

/** The answer is a code, and if it is the good one, the new tree is the old one and the node. */
export function checkAnyTree(bytes: Uint8Array, request: BootRequest = {}): BootAnswer {
  const answer = showTee(bytes, request);
  if (answer.code === abi.GUEST_BOOT_DONE) {
    assert.deepEqual(decodeDeviceTree(answer.blob), withTeeNode(decodeDeviceTree(bytes), request));
  } else {
    assert.equal(answer.blob.length, 0);
    assert.ok(CODES.has(answer.code), `code ${answer.code}`);
  }
  return answer;
}

const CODES = new Set<number>([
  abi.GUEST_BOOT_NOT_WANTED,
  abi.GUEST_BOOT_ACPI,
  ...Array.from(
    { length: abi.GUEST_BOOT_NO_PLACE - abi.GUEST_BOOT_BAD_OPERATION + 1 },
    (_, index) => abi.GUEST_BOOT_BAD_OPERATION + index,
  ),
]);
