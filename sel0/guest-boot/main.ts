// The guest-boot compartment: shows a VM its TEE, by a node in the device tree that the VM is started with. The tree is
// the toolstack's and may be anything; whatever it is, the answer is a code (abi/guest-boot-compartment.ts), and only
// the output area is written. First everything is decided, then the tree is written.

import { COMPARTMENT_WINDOW_SIZE } from "../../abi/compartments";
import {
  GUEST_BOOT_ACPI,
  GUEST_BOOT_BAD_AREA,
  GUEST_BOOT_BAD_OFFSET,
  GUEST_BOOT_BAD_OPERATION,
  GUEST_BOOT_DONE,
  GUEST_BOOT_NO_PLACE,
  GUEST_BOOT_NO_ROOM,
  GUEST_BOOT_NOT_WANTED,
  GUEST_BOOT_TREE,
} from "../../abi/guest-boot-compartment";
import { answerFacts, answerNewTree } from "./answers";
import { collectFacts, isAcpi } from "./facts";
import { checkHeader } from "./header";
import { FDT_END, item } from "./item";
import { beginItems, nextItem } from "./items";
import { answer32, checkRequest, clearAnswer, isNodeWanted } from "./message";
import { beginCounting, beginWriting, outputSize } from "./output";
import { choosePlace, NO_PLACE } from "./place";
import { clearRanges } from "./ranges";
import { copySource } from "./source";
import { writeTree } from "./write-tree";

export function call(operation: u32, a: u64, b: u64, c: u64): u64 {
  if (operation !== GUEST_BOOT_TREE) return <u64>GUEST_BOOT_BAD_OPERATION;
  clearAnswer();
  const window = <u64>COMPARTMENT_WINDOW_SIZE;
  if (a > window || b > window || c > window - b) return <u64>GUEST_BOOT_BAD_AREA;
  return <u64>showTee(<u32>a, <u32>b, <u32>c);
}

function showTee(available: u32, windowOffset: u32, capacity: u32): u32 {
  const requestCode = checkRequest();
  if (requestCode !== GUEST_BOOT_DONE) return requestCode;
  copySource(available);
  const treeCode = checkTree(available);
  if (treeCode !== GUEST_BOOT_DONE) return treeCode;
  clearRanges();
  collectFacts();
  if (isAcpi() || !isNodeWanted()) {
    answerFacts();
    return isAcpi() ? GUEST_BOOT_ACPI : GUEST_BOOT_NOT_WANTED;
  }
  return placeTree(windowOffset, capacity);
}

/** All of it, so that the passes that follow meet nothing unlawful. */
function checkTree(available: u32): u32 {
  const code = checkHeader(available);
  if (code !== GUEST_BOOT_DONE) return code;
  const it = beginItems();
  // Bounded by the structure block, which each item takes a word of at least.
  while (it.kind !== FDT_END) {
    const itemCode = nextItem();
    if (itemCode === GUEST_BOOT_DONE) continue;
    answer32(GUEST_BOOT_BAD_OFFSET, item().next);
    return itemCode;
  }
  return GUEST_BOOT_DONE;
}

function placeTree(windowOffset: u32, capacity: u32): u32 {
  beginCounting();
  writeTree();
  const size = outputSize();
  if (size > capacity) return GUEST_BOOT_NO_ROOM;
  const place = choosePlace(size);
  if (place === NO_PLACE) return GUEST_BOOT_NO_PLACE;
  beginWriting(windowOffset, capacity);
  writeTree();
  answerFacts();
  answerNewTree(size, place);
  return GUEST_BOOT_DONE;
}
