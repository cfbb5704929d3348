// The message page: what was asked is checked, what is answered is written only when a call ends (abi/guest-boot-compartment.ts).

import { COMPARTMENT_MESSAGE_PTR } from "../../abi/compartments";
import {
  GUEST_BOOT_ANSWER_SIZE,
  GUEST_BOOT_BAD_REQUEST,
  GUEST_BOOT_COMPATIBLE,
  GUEST_BOOT_COMPATIBLE_SIZE,
  GUEST_BOOT_DONE,
  GUEST_BOOT_ENTRY_BYTES,
  GUEST_BOOT_ENTRY_IPA,
  GUEST_BOOT_FLAGS,
  GUEST_BOOT_METHOD,
  GUEST_BOOT_METHOD_SIZE,
  GUEST_BOOT_NODE_NAME,
  GUEST_BOOT_NODE_NAME_SIZE,
  GUEST_BOOT_NODE_WANTED,
  GUEST_BOOT_TREE_IPA,
} from "../../abi/guest-boot-compartment";
import { isNameCharacter } from "./names";

/** No IPA of an Armv8.0 guest has more bits (VTCR_EL2.PS); sums of some of them do not wrap. */
export const IPA_BITS: u64 = 48;

const SPACE: u8 = 0x20;
const DELETE: u8 = 0x7f;
/** Linux's arm64 boot protocol (Documentation/arch/arm64/booting.rst): the tree is on an 8-byte boundary. */
const TREE_ALIGNMENT_MASK: u64 = 7;

/** Of what is asked or answered at `offset`. */
export function messagePtr(offset: u32): usize {
  return <usize>(COMPARTMENT_MESSAGE_PTR + offset);
}

export function isNodeWanted(): bool {
  return load<u32>(messagePtr(GUEST_BOOT_NODE_WANTED)) !== 0;
}

export function treeIpa(): u64 {
  return load<u64>(messagePtr(GUEST_BOOT_TREE_IPA));
}

export function entryIpa(): u64 {
  return load<u64>(messagePtr(GUEST_BOOT_ENTRY_IPA));
}

export function entryBytesPtr(): usize {
  return messagePtr(GUEST_BOOT_ENTRY_BYTES);
}

export function nodeNameSize(): u32 {
  return textSize(GUEST_BOOT_NODE_NAME, GUEST_BOOT_NODE_NAME_SIZE);
}

export function compatibleSize(): u32 {
  return textSize(GUEST_BOOT_COMPATIBLE, GUEST_BOOT_COMPATIBLE_SIZE);
}

export function methodSize(): u32 {
  return textSize(GUEST_BOOT_METHOD, GUEST_BOOT_METHOD_SIZE);
}

export function checkRequest(): u32 {
  if (treeIpa() >> IPA_BITS !== 0 || (treeIpa() & TREE_ALIGNMENT_MASK) !== 0) return GUEST_BOOT_BAD_REQUEST;
  if (entryIpa() >> IPA_BITS !== 0) return GUEST_BOOT_BAD_REQUEST;
  if (!isNodeWanted()) return GUEST_BOOT_DONE;
  if (compatibleSize() === 0 || methodSize() === 0 || !isNodeNameLawful()) return GUEST_BOOT_BAD_REQUEST;
  return GUEST_BOOT_DONE;
}

/** Without a unit address, since the node has no `reg`. */
function isNodeNameLawful(): bool {
  const size = nodeNameSize();
  for (let index: u32 = 0; index < size; index++) {
    if (!isNameCharacter(load<u8>(messagePtr(GUEST_BOOT_NODE_NAME + index)))) return false;
  }
  return size !== 0;
}

/** Of the printable text at `offset` without its zero; 0 if it does not end within `limit` bytes or is none. */
function textSize(offset: u32, limit: u32): u32 {
  for (let size: u32 = 0; size < limit; size++) {
    const character = load<u8>(messagePtr(offset + size));
    if (character === 0) return size;
    if (character <= SPACE || character >= DELETE) return 0;
  }
  return 0;
}

export function clearAnswer(): void {
  memory.fill(messagePtr(GUEST_BOOT_FLAGS), 0, <usize>GUEST_BOOT_ANSWER_SIZE);
}

export function answerFlag(flag: u32): void {
  answer32(GUEST_BOOT_FLAGS, load<u32>(messagePtr(GUEST_BOOT_FLAGS)) | flag);
}

export function answer32(offset: u32, value: u32): void {
  store<u32>(messagePtr(offset), value);
}

export function answer64(offset: u32, value: u64): void {
  store<u64>(messagePtr(offset), value);
}
