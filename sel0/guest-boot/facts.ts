// What a tree says of its guest, in one pass over it: memory banks, initrd, identity, reserved memory, and whether the
// guest takes its devices from ACPI. Of properties that stand twice the first counts, as for Linux.

import { GUEST_BOOT_DONE } from "../../abi/guest-boot-compartment";
import { FDT_BEGIN_NODE, FDT_END, FDT_PROP, Item } from "./item";
import { beginItems, nextItem } from "./items";
import { isNode, isNodeExactly, isProperty, isTextListed } from "./names";
import { addBanks, addReservedMemory } from "./ranges";
import {
  clearValues,
  forgetValue,
  keepFirst,
  VALUE_ADDRESS_CELLS,
  VALUE_CHOSEN_IDENTITY,
  VALUE_DEVICE_TYPE,
  VALUE_INITRD_END,
  VALUE_INITRD_START,
  VALUE_PASSTHROUGH_IDENTITY,
  VALUE_REG,
  VALUE_SIZE_CELLS,
  valueIsText,
} from "./values";
import * as words from "./words";

const SECTION_OTHER: u32 = 0;
const SECTION_ROOT: u32 = 1;
const SECTION_CHOSEN: u32 = 2;
const SECTION_PASSTHROUGH: u32 = 3;
const SECTION_MEMORY: u32 = 4;
const SECTION_RESERVED_MEMORY: u32 = 5;

const DEPTH_ROOT: u32 = 1;
const DEPTH_SECTION: u32 = 2;
const DEPTH_CHILD: u32 = 3;

@unmanaged
class Facts {
  /** The node below the root that the pass is in. */
  section: u32;
  hasAcpiModule: bool;
  /** There is a node below the root that Linux does not expect in a tree beside ACPI. */
  hasDevices: bool;
}

const FACTS: usize = memory.data(16, 8);

function facts(): Facts {
  return changetype<Facts>(FACTS);
}

/**
 * libxl describes a guest with ACPI by a module of that kind; a loader that gives Linux ACPI tables passes a tree with
 * these two nodes at most, and Linux would take one with more for a description of the machine (arch/arm64/kernel/acpi.c).
 */
export function isAcpi(): bool {
  return facts().hasAcpiModule || !facts().hasDevices;
}

export function collectFacts(): void {
  facts().section = SECTION_OTHER;
  facts().hasAcpiModule = false;
  facts().hasDevices = false;
  clearValues();
  const it = beginItems();
  // Bounded by the structure block, which each item takes a word of at least.
  while (nextItem() === GUEST_BOOT_DONE && it.kind !== FDT_END) {
    if (it.kind === FDT_BEGIN_NODE) nodeBegins(it);
    else if (it.kind === FDT_PROP) propertyOf(it);
    else nodeEnds(it);
  }
}

function nodeBegins(it: Item): void {
  if (it.depth === DEPTH_ROOT) facts().section = SECTION_ROOT;
  if (it.depth === DEPTH_SECTION) {
    facts().section = sectionOf(it);
    if (!isOfStub(it)) facts().hasDevices = true;
    forgetValue(VALUE_REG);
    forgetValue(VALUE_DEVICE_TYPE);
  }
}

function isOfStub(it: Item): bool {
  return (
    isNodeExactly(it, words.WORD_CHOSEN, words.WORD_CHOSEN_SIZE) ||
    isNodeExactly(it, words.WORD_HYPERVISOR, words.WORD_HYPERVISOR_SIZE)
  );
}

function sectionOf(it: Item): u32 {
  if (isNodeExactly(it, words.WORD_CHOSEN, words.WORD_CHOSEN_SIZE)) return SECTION_CHOSEN;
  if (isNodeExactly(it, words.WORD_PASSTHROUGH, words.WORD_PASSTHROUGH_SIZE)) return SECTION_PASSTHROUGH;
  if (isNodeExactly(it, words.WORD_RESERVED_MEMORY, words.WORD_RESERVED_MEMORY_SIZE))
    return SECTION_RESERVED_MEMORY;
  return isNode(it, words.WORD_MEMORY, words.WORD_MEMORY_SIZE) ? SECTION_MEMORY : SECTION_OTHER;
}

function propertyOf(it: Item): void {
  if (it.depth === DEPTH_ROOT) propertyOfRoot(it);
  if (it.depth === DEPTH_SECTION) propertyOfSection(it);
  if (it.depth === DEPTH_CHILD) propertyOfChild(it);
}

function propertyOfRoot(it: Item): void {
  if (isProperty(it, words.WORD_ADDRESS_CELLS, words.WORD_ADDRESS_CELLS_SIZE))
    keepFirst(VALUE_ADDRESS_CELLS, it);
  if (isProperty(it, words.WORD_SIZE_CELLS, words.WORD_SIZE_CELLS_SIZE)) keepFirst(VALUE_SIZE_CELLS, it);
}

function propertyOfSection(it: Item): void {
  const section = facts().section;
  if (section === SECTION_CHOSEN) propertyOfChosen(it);
  else if (section === SECTION_PASSTHROUGH) keepIdentity(VALUE_PASSTHROUGH_IDENTITY, it);
  else if (section === SECTION_MEMORY) propertyOfMemory(it);
}

function propertyOfMemory(it: Item): void {
  if (isProperty(it, words.WORD_DEVICE_TYPE, words.WORD_DEVICE_TYPE_SIZE)) keepFirst(VALUE_DEVICE_TYPE, it);
  if (isProperty(it, words.WORD_REG, words.WORD_REG_SIZE)) keepFirst(VALUE_REG, it);
}

function propertyOfChosen(it: Item): void {
  if (isProperty(it, words.WORD_INITRD_START, words.WORD_INITRD_START_SIZE))
    keepFirst(VALUE_INITRD_START, it);
  if (isProperty(it, words.WORD_INITRD_END, words.WORD_INITRD_END_SIZE)) keepFirst(VALUE_INITRD_END, it);
  keepIdentity(VALUE_CHOSEN_IDENTITY, it);
}

function keepIdentity(value: u32, it: Item): void {
  if (isProperty(it, words.WORD_GUEST_IDENTITY, words.WORD_GUEST_IDENTITY_SIZE)) keepFirst(value, it);
}

function propertyOfChild(it: Item): void {
  const section = facts().section;
  if (section === SECTION_CHOSEN && isProperty(it, words.WORD_COMPATIBLE, words.WORD_COMPATIBLE_SIZE)) {
    if (isTextListed(it, words.WORD_XEN_GUEST_ACPI, words.WORD_XEN_GUEST_ACPI_SIZE))
      facts().hasAcpiModule = true;
  } else if (section === SECTION_RESERVED_MEMORY && isProperty(it, words.WORD_REG, words.WORD_REG_SIZE)) {
    addReservedMemory(it.value, it.valueSize);
  }
}

/** Section 3.4: memory is what has this device_type. */
function nodeEnds(it: Item): void {
  if (it.depth !== DEPTH_SECTION) return;
  if (
    facts().section === SECTION_MEMORY &&
    valueIsText(VALUE_DEVICE_TYPE, words.WORD_MEMORY, words.WORD_MEMORY_SIZE)
  )
    addBanks();
  facts().section = SECTION_OTHER;
}
