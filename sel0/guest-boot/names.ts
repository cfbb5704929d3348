// Names of nodes and properties, and strings that they are compared with (Devicetree Specification 0.4, sections 2.2.1
// and 2.2.4).

import { stringsOffset, stringsSize } from "./header";
import { Item } from "./item";
import { byteAt, sourceEquals } from "./source";

/** The standard says 31 without the unit address; trees in the field exceed it (`snps,dis-u2-freeclk-exists-quirk`). */
export const NAME_LENGTH_MAX: u32 = 127;

const DIGIT_FIRST: u8 = 0x30;
const DIGIT_LAST: u8 = 0x39;
const CAPITAL_FIRST: u8 = 0x41;
const CAPITAL_LAST: u8 = 0x5a;
const SMALL_FIRST: u8 = 0x61;
const SMALL_LAST: u8 = 0x7a;
const COMMA: u8 = 0x2c;
const FULL_STOP: u8 = 0x2e;
const UNDERSCORE: u8 = 0x5f;
const PLUS: u8 = 0x2b;
const MINUS: u8 = 0x2d;
const QUESTION_MARK: u8 = 0x3f;
const HASH: u8 = 0x23;
const AT: u8 = 0x40;

/** Of the name that begins at `offset` of the copy and ends before `limit`; -1 if it is none. It may be empty. */
export function nodeNameLength(offset: u32, limit: u32): i32 {
  return nameLength(offset, limit, false);
}

/** Of the name at `nameOffset` in the strings block; -1 if it is none. */
export function propertyNameLength(nameOffset: u32): i32 {
  if (nameOffset >= stringsSize()) return -1;
  return nameLength(stringsOffset() + nameOffset, stringsOffset() + stringsSize(), true);
}

function nameLength(offset: u32, limit: u32, isProperty: bool): i32 {
  for (let length: u32 = 0; length <= NAME_LENGTH_MAX; length++) {
    if (offset + length >= limit) return -1;
    const character = byteAt(offset + length);
    if (character === 0) return <i32>length;
    if (!(isProperty ? isPropertyCharacter(character) : isNodeCharacter(character))) return -1;
  }
  return -1;
}

function isPropertyCharacter(character: u8): bool {
  return isNameCharacter(character) || character === QUESTION_MARK || character === HASH;
}

export function isNodeCharacter(character: u8): bool {
  return isNameCharacter(character) || character === AT;
}

/** Table 2.1, and what table 2.2 has in common with it. */
export function isNameCharacter(character: u8): bool {
  return (
    (character >= DIGIT_FIRST && character <= DIGIT_LAST) ||
    (character >= CAPITAL_FIRST && character <= CAPITAL_LAST) ||
    (character >= SMALL_FIRST && character <= SMALL_LAST) ||
    character === COMMA ||
    character === FULL_STOP ||
    character === UNDERSCORE ||
    character === PLUS ||
    character === MINUS
  );
}

/** Where in the strings block the string of `size` bytes at `ptr`, its zero included, stands; the block's size if nowhere. */
export function findString(ptr: usize, size: u32): u32 {
  for (let offset: u32 = 0; offset + size <= stringsSize(); offset++) {
    if (sourceEquals(stringsOffset() + offset, ptr, size)) return offset;
  }
  return stringsSize();
}

/** Whether the item begins a node of this name without a unit address. */
export function isNodeExactly(it: Item, ptr: usize, size: u32): bool {
  return it.nameLength === size && sourceEquals(it.name, ptr, size);
}

/** … or with one. */
export function isNode(it: Item, ptr: usize, size: u32): bool {
  if (it.nameLength < size || !sourceEquals(it.name, ptr, size)) return false;
  return it.nameLength === size || byteAt(it.name + size) === AT;
}

export function isProperty(it: Item, ptr: usize, size: u32): bool {
  return it.nameLength === size && sourceEquals(stringsOffset() + it.name, ptr, size);
}

/** Section 2.2.4: whether the property's list of strings has the one of `size` bytes at `ptr`, which a zero follows. */
export function isTextListed(it: Item, ptr: usize, size: u32): bool {
  for (let offset: u32 = 0; offset + size < it.valueSize; offset++) {
    const isStart = offset === 0 || byteAt(it.value + offset - 1) === 0;
    if (isStart && sourceEquals(it.value + offset, ptr, size + 1)) return true;
  }
  return false;
}
