// The structure block, an item at a time (Devicetree Specification 0.4, section 5.4): a node begins, a property, a node
// ends, the end. Every pass over the tree goes through nextItem, which checks what it steps over; the pass that comes
// first (main.ts) thus shows that the others meet nothing unlawful. There is no recursion, only the depth is known.

import {
  GUEST_BOOT_BAD_NAME,
  GUEST_BOOT_BAD_STRUCTURE,
  GUEST_BOOT_BAD_VALUE,
  GUEST_BOOT_DONE,
  GUEST_BOOT_TOO_DEEP,
} from "../../abi/guest-boot-compartment";
import { structEnd, structOffset } from "./header";
import { FDT_BEGIN_NODE, FDT_END, FDT_END_NODE, FDT_NOP, FDT_PROP, Item, item } from "./item";
import { nodeNameLength, propertyNameLength } from "./names";
import { wordAt } from "./source";

/** The standard has no bound; Linux takes no more (drivers/of/fdt.c). */
export const DEPTH_MAX: u32 = 64;

const WORD_SIZE: u32 = 4;
/** The length and the offset of the name. */
const PROPERTY_HEADER_SIZE: u32 = 8;

export function beginItems(): Item {
  const it = item();
  it.kind = 0;
  it.depth = 0;
  it.next = structOffset();
  it.isEnd = false;
  it.mayHaveProperty = false;
  it.hasRoot = false;
  return it;
}

/** GUEST_BOOT_DONE, or what is wrong with the item at `item().next`. After FDT_END it may not be called. */
export function nextItem(): u32 {
  const it = item();
  if (it.isEnd) it.depth--;
  it.isEnd = false;
  if (!skipNops(it)) return GUEST_BOOT_BAD_STRUCTURE;
  const token = wordAt(it.next);
  it.kind = token;
  switch (token) {
    case FDT_BEGIN_NODE:
      return beginNode(it);
    case FDT_END_NODE:
      return endNode(it);
    case FDT_PROP:
      return property(it);
    case FDT_END:
      return end(it);
    default:
      return GUEST_BOOT_BAD_STRUCTURE;
  }
}

/** False if the block ends without another token. */
function skipNops(it: Item): bool {
  for (; it.next < structEnd(); it.next += WORD_SIZE) {
    if (wordAt(it.next) !== FDT_NOP) return true;
  }
  return false;
}

function beginNode(it: Item): u32 {
  if (it.depth === 0 && it.hasRoot) return GUEST_BOOT_BAD_STRUCTURE;
  if (it.depth === DEPTH_MAX) return GUEST_BOOT_TOO_DEEP;
  const name = it.next + WORD_SIZE;
  const length = nodeNameLength(name, structEnd());
  // Section 5.4.1: the root has no name, everything else has one.
  if (length < 0 || (length === 0) !== (it.depth === 0)) return GUEST_BOOT_BAD_NAME;
  it.name = name;
  it.nameLength = <u32>length;
  it.next = aligned(name + <u32>length + 1);
  it.depth++;
  it.hasRoot = true;
  it.mayHaveProperty = true;
  return GUEST_BOOT_DONE;
}

function endNode(it: Item): u32 {
  if (it.depth === 0) return GUEST_BOOT_BAD_STRUCTURE;
  it.isEnd = true;
  it.mayHaveProperty = false;
  it.next += WORD_SIZE;
  return GUEST_BOOT_DONE;
}

function property(it: Item): u32 {
  if (!it.mayHaveProperty) return GUEST_BOOT_BAD_STRUCTURE;
  const header = it.next + WORD_SIZE;
  if (structEnd() - header < PROPERTY_HEADER_SIZE) return GUEST_BOOT_BAD_VALUE;
  const size = wordAt(header);
  const value = header + PROPERTY_HEADER_SIZE;
  if (size > structEnd() - value) return GUEST_BOOT_BAD_VALUE;
  const nameOffset = wordAt(header + WORD_SIZE);
  const length = propertyNameLength(nameOffset);
  if (length <= 0) return GUEST_BOOT_BAD_NAME;
  it.name = nameOffset;
  it.nameLength = <u32>length;
  it.value = value;
  it.valueSize = size;
  it.next = aligned(value + size);
  return GUEST_BOOT_DONE;
}

/** Section 5.4.1: it is the last of the block. */
function end(it: Item): u32 {
  it.next += WORD_SIZE;
  return it.depth === 0 && it.hasRoot && it.next === structEnd() ? GUEST_BOOT_DONE : GUEST_BOOT_BAD_STRUCTURE;
}

function aligned(offset: u32): u32 {
  return (offset + (WORD_SIZE - 1)) & ~(WORD_SIZE - 1);
}
