// The new tree: all that the old one has, without its NOPs and free space, and one node for the TEE, the last of the
// first /firmware. A node of that name which is already there goes: it may be stale, or of another's making.

import {
  GUEST_BOOT_COMPATIBLE,
  GUEST_BOOT_DONE,
  GUEST_BOOT_METHOD,
  GUEST_BOOT_NODE_NAME,
} from "../../abi/guest-boot-compartment";
import {
  FDT_LAST_COMPATIBLE_VERSION,
  FDT_MAGIC,
  FDT_VERSION,
  HEADER_BOOT_CPU,
  HEADER_SIZE,
  HEADER_STRINGS_OFFSET,
  HEADER_STRINGS_SIZE,
  HEADER_STRUCT_OFFSET,
  HEADER_STRUCT_SIZE,
  HEADER_TOTAL_SIZE,
  RESERVATION_SIZE,
  reservationCount,
  reservationsOffset,
  stringsOffset,
  stringsSize,
} from "./header";
import { FDT_BEGIN_NODE, FDT_END, FDT_END_NODE, FDT_PROP, Item } from "./item";
import { beginItems, nextItem } from "./items";
import { compatibleSize, messagePtr, methodSize, nodeNameSize } from "./message";
import { findString, isNode, isNodeExactly } from "./names";
import { align, outputSize, patchWord, put, putWord } from "./output";
import { sourcePtr, wordAt } from "./source";
import {
  WORD_COMPATIBLE,
  WORD_COMPATIBLE_SIZE,
  WORD_FIRMWARE,
  WORD_FIRMWARE_SIZE,
  WORD_METHOD,
  WORD_METHOD_SIZE,
} from "./words";

const DEPTH_ROOT: u32 = 1;
const DEPTH_FIRMWARE: u32 = 2;
const DEPTH_TEE: u32 = 3;
const WORD_SIZE: u32 = 4;
const TREE_ALIGNMENT: u32 = 8;

@unmanaged
class Writing {
  isInFirmware: bool;
  /** The node for the TEE is there. */
  hasNode: bool;
  /** Depth of the node that is left out with all below it, 0 if none is. */
  leftOutDepth: u32;
}

const WRITING: usize = memory.data(16, 8);

function writing(): Writing {
  return changetype<Writing>(WRITING);
}

/** To the output that has begun. The old tree and the request have been checked. */
export function writeTree(): void {
  putHeader();
  put(sourcePtr(reservationsOffset(), reservationsSize()), reservationsSize());
  const structure = outputSize();
  putStructure();
  const strings = outputSize();
  putStrings();
  const stringsEnd = outputSize();
  align(TREE_ALIGNMENT);
  patchWord(HEADER_STRUCT_OFFSET, structure);
  patchWord(HEADER_STRUCT_SIZE, strings - structure);
  patchWord(HEADER_STRINGS_OFFSET, strings);
  patchWord(HEADER_STRINGS_SIZE, stringsEnd - strings);
  patchWord(HEADER_TOTAL_SIZE, outputSize());
}

/** Section 5.2, in its order. Zeros are patched when they are known. */
function putHeader(): void {
  putWord(FDT_MAGIC);
  putWord(0);
  putWord(0);
  putWord(0);
  putWord(HEADER_SIZE); // the reservations follow
  putWord(FDT_VERSION);
  putWord(FDT_LAST_COMPATIBLE_VERSION);
  putWord(wordAt(HEADER_BOOT_CPU));
  putWord(0);
  putWord(0);
}

/** With the empty entry at its end. */
function reservationsSize(): u32 {
  return (reservationCount() + 1) * RESERVATION_SIZE;
}

function putStructure(): void {
  writing().isInFirmware = false;
  writing().hasNode = false;
  writing().leftOutDepth = 0;
  const it = beginItems();
  // Bounded by the structure block, which each item takes a word of at least.
  while (nextItem() === GUEST_BOOT_DONE && it.kind !== FDT_END) putItem(it);
  putWord(FDT_END);
}

function putItem(it: Item): void {
  if (it.kind === FDT_BEGIN_NODE) putBegin(it);
  else if (it.kind === FDT_END_NODE) putEnd(it);
  else if (writing().leftOutDepth === 0)
    putProperty(it.name, sourcePtr(it.value, it.valueSize), it.valueSize);
}

function putBegin(it: Item): void {
  if (writing().leftOutDepth !== 0) return;
  if (it.depth === DEPTH_FIRMWARE)
    writing().isInFirmware = isNodeExactly(it, WORD_FIRMWARE, WORD_FIRMWARE_SIZE);
  if (
    writing().isInFirmware &&
    it.depth === DEPTH_TEE &&
    isNode(it, messagePtr(GUEST_BOOT_NODE_NAME), nodeNameSize())
  ) {
    writing().leftOutDepth = it.depth;
    return;
  }
  putNode(sourcePtr(it.name, it.nameLength), it.nameLength);
}

function putEnd(it: Item): void {
  if (writing().leftOutDepth !== 0) {
    if (it.depth === writing().leftOutDepth) writing().leftOutDepth = 0;
    return;
  }
  if (it.depth === DEPTH_FIRMWARE && writing().isInFirmware) putTeeNode();
  if (it.depth === DEPTH_ROOT) putFirmware();
  putWord(FDT_END_NODE);
}

/** Unless there was one. */
function putFirmware(): void {
  if (writing().hasNode) return;
  putNode(WORD_FIRMWARE, WORD_FIRMWARE_SIZE);
  putTeeNode();
  putWord(FDT_END_NODE);
}

/** In the first /firmware only, which is the one that paths find. */
function putTeeNode(): void {
  if (writing().hasNode) return;
  writing().hasNode = true;
  putNode(messagePtr(GUEST_BOOT_NODE_NAME), nodeNameSize());
  putProperty(compatibleNameOffset(), messagePtr(GUEST_BOOT_COMPATIBLE), compatibleSize() + 1);
  putProperty(methodNameOffset(), messagePtr(GUEST_BOOT_METHOD), methodSize() + 1);
  putWord(FDT_END_NODE);
}

function putNode(namePtr: usize, size: u32): void {
  putWord(FDT_BEGIN_NODE);
  put(namePtr, size);
  putTerminator();
  align(WORD_SIZE);
}

function putProperty(nameOffset: u32, valuePtr: usize, size: u32): void {
  putWord(FDT_PROP);
  putWord(size);
  putWord(nameOffset);
  put(valuePtr, size);
  align(WORD_SIZE);
}

function putTerminator(): void {
  put(WORD_METHOD + <usize>WORD_METHOD_SIZE, 1);
}

/** The old block, so that no offset changes, and behind it the names that it lacks. */
function putStrings(): void {
  put(sourcePtr(stringsOffset(), stringsSize()), stringsSize());
  if (compatibleNameOffset() === stringsSize()) put(WORD_COMPATIBLE, WORD_COMPATIBLE_SIZE + 1);
  if (methodNameOffset() >= stringsSize()) put(WORD_METHOD, WORD_METHOD_SIZE + 1);
}

function compatibleNameOffset(): u32 {
  return findString(WORD_COMPATIBLE, WORD_COMPATIBLE_SIZE + 1);
}

function methodNameOffset(): u32 {
  const offset = findString(WORD_METHOD, WORD_METHOD_SIZE + 1);
  if (offset < stringsSize() || compatibleNameOffset() < stringsSize()) return offset;
  return offset + WORD_COMPATIBLE_SIZE + 1;
}
