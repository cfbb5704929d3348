// Before its first instruction a VM is shown its TEE: x0 then holds the IPA of its device tree (Linux's arm64 boot
// protocol), which the guest-boot compartment (sel0/guest-boot) copies with a node more. What the compartment reads is
// a copy that nobody else can change, and where its answer goes is written as far as the VM itself could write there.

import { TEE_NODE_END, TEE_NODE_NAME } from "../../../abi/boot-package";
import { COMPARTMENT_GUEST_BOOT } from "../../../abi/compartments";
import {
  GUEST_BOOT_BAD_OFFSET,
  GUEST_BOOT_DONE,
  GUEST_BOOT_ENTRY_BYTES,
  GUEST_BOOT_ENTRY_BYTES_SIZE,
  GUEST_BOOT_ENTRY_IPA,
  GUEST_BOOT_FLAGS,
  GUEST_BOOT_HAS_IDENTITY,
  GUEST_BOOT_IDENTITY,
  GUEST_BOOT_NODE_NAME,
  GUEST_BOOT_NODE_WANTED,
  GUEST_BOOT_OUTPUT_MAX,
  GUEST_BOOT_PLACE_IPA,
  GUEST_BOOT_SIZE,
  GUEST_BOOT_TREE,
  GUEST_BOOT_TREE_IPA,
  GUEST_BOOT_TREE_MAX,
} from "../../../abi/guest-boot-compartment";
import { POOL_BOOT_TREES_OFFSET, POOL_BOOT_TREES_SIZE } from "../../../abi/memory-map";
import { EVENT_GUEST_TREE, GUEST_TREE_FAULTED, GUEST_TREE_NOT_MAPPED } from "../../../abi/status";
import { tellIdentity } from "../attest/identity";
import {
  COMPARTMENT_FAULTED,
  callCompartment,
  closeCompartment,
  messagePa,
  openCompartment,
} from "../compartments/call";
import { Compartment } from "../compartments/compartment";
import { lend } from "../compartments/lend";
import {
  readPhysical8,
  readPhysical32,
  readPhysical64,
  writePhysical32,
  writePhysical64,
  zeroPhysical,
} from "../hw";
import { machine } from "../storage";
import { recordEvent } from "../trace/events";
import { CoreArea } from "../worlds/core-area";
import { frameOf } from "../worlds/world-context";
import { Guest } from "./guest";
import { copyFromNormalWorld, copyToNormalWorld } from "./normal-memory";

/** Of the areas in the pool, and of the window: the tree first, then the output area; the program's first bytes last. */
const OUTPUT_OFFSET: u64 = <u64>GUEST_BOOT_TREE_MAX;
const ENTRY_OFFSET: u64 = OUTPUT_OFFSET + <u64>GUEST_BOOT_OUTPUT_MAX;

/**
 * The VM's registers are in `core`'s frame, at its first instruction, and the core has the claim of the TEE's core 0.
 * A VM without a tree that can be changed keeps what it has.
 */
export function showTee(core: CoreArea, guest: Guest): void {
  const frame = frameOf(changetype<usize>(core));
  const pa = areasPa(guest);
  const entrySize = <u64>GUEST_BOOT_ENTRY_BYTES_SIZE;
  const available = copyFromNormalWorld(guest, frame.x0, pa, <u64>GUEST_BOOT_TREE_MAX);
  zeroPhysical(pa + ENTRY_OFFSET, entrySize);
  const isEntryKnown = copyFromNormalWorld(guest, frame.elrEl3, pa + ENTRY_OFFSET, entrySize) === entrySize;

  const it = openCompartment(COMPARTMENT_GUEST_BOOT);
  writeRequest(it, guest, frame.x0, isEntryKnown ? frame.elrEl3 : 0);
  let code = ask(core, it, guest, available);
  const placeIpa = readPhysical64(messagePa(it) + <u64>GUEST_BOOT_PLACE_IPA);
  const size = <u64>readPhysical32(messagePa(it) + <u64>GUEST_BOOT_SIZE);
  const badOffset = <u64>readPhysical32(messagePa(it) + <u64>GUEST_BOOT_BAD_OFFSET);
  if (code !== GUEST_TREE_FAULTED) keepIdentity(it, guest);
  closeCompartment(it);

  if (code === GUEST_BOOT_DONE) {
    if (placeTree(guest, placeIpa, size)) frame.x0 = placeIpa;
    else code = GUEST_TREE_NOT_MAPPED;
  }
  recordEvent(EVENT_GUEST_TREE, guest.id, <u64>code, code === GUEST_BOOT_DONE ? placeIpa : badOffset);
}

/** The guest's own; nobody but the monitor has a translation to them, and the compartment while it is asked. */
function areasPa(guest: Guest): u64 {
  return machine().poolPa + <u64>POOL_BOOT_TREES_OFFSET + <u64>guest.slot * <u64>POOL_BOOT_TREES_SIZE;
}

/** The compartment's code, or GUEST_TREE_FAULTED. */
function ask(core: CoreArea, it: Compartment, guest: Guest, available: u64): u32 {
  const pa = areasPa(guest);
  const size = <u64>GUEST_BOOT_OUTPUT_MAX;
  if (!lend(it, 0, pa, OUTPUT_OFFSET, false)) return GUEST_TREE_FAULTED;
  if (!lend(it, OUTPUT_OFFSET, pa + OUTPUT_OFFSET, size, true)) return GUEST_TREE_FAULTED;
  const answer = callCompartment(core, it, GUEST_BOOT_TREE, available, OUTPUT_OFFSET, size);
  return answer === COMPARTMENT_FAULTED ? GUEST_TREE_FAULTED : <u32>answer;
}

function writeRequest(it: Compartment, guest: Guest, treeIpa: u64, entryIpa: u64): void {
  const pa = messagePa(it);
  const nodePa = guest.profilePa + <u64>TEE_NODE_NAME;
  const entryBytesPa = pa + <u64>GUEST_BOOT_ENTRY_BYTES;
  writePhysical32(pa + <u64>GUEST_BOOT_NODE_WANTED, readPhysical8(nodePa));
  writePhysical64(pa + <u64>GUEST_BOOT_TREE_IPA, treeIpa);
  writePhysical64(pa + <u64>GUEST_BOOT_ENTRY_IPA, entryIpa);
  for (let offset: u64 = 0; offset < <u64>GUEST_BOOT_ENTRY_BYTES_SIZE; offset += 8)
    writePhysical64(entryBytesPa + offset, readPhysical64(areasPa(guest) + ENTRY_OFFSET + offset));
  for (let offset: u64 = 0; offset < <u64>(TEE_NODE_END - TEE_NODE_NAME); offset += 4)
    writePhysical32(pa + <u64>GUEST_BOOT_NODE_NAME + offset, readPhysical32(nodePa + offset));
}

/** What the compartment answers is a size and an IPA: neither is taken for more than that. */
function placeTree(guest: Guest, placeIpa: u64, size: u64): bool {
  if (size > <u64>GUEST_BOOT_OUTPUT_MAX) return false;
  return copyToNormalWorld(guest, placeIpa, areasPa(guest) + OUTPUT_OFFSET, size);
}

function keepIdentity(it: Compartment, guest: Guest): void {
  const pa = messagePa(it);
  if ((readPhysical32(pa + <u64>GUEST_BOOT_FLAGS) & GUEST_BOOT_HAS_IDENTITY) !== 0)
    tellIdentity(guest, pa + <u64>GUEST_BOOT_IDENTITY);
}
