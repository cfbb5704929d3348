// A VM becomes a guest: its TEE gets RAM from the pool, its image, tables and first core, all before the VM's first instruction.

import { BOOT_ACCEPTED } from "../../../abi/boot-compartment";
import {
  TEE_ADAPTED_SITES,
  TEE_CLOCK,
  TEE_CORE_COUNT,
  TEE_ENTRY_IPA,
  TEE_ENTRY_KIND,
  TEE_FOREIGN_INTERRUPT,
  TEE_FOREIGN_INTID,
  TEE_HIDDEN_CAPABILITIES,
  TEE_LOAD_IPA,
  TEE_TIMER,
  TEE_WFI,
} from "../../../abi/boot-package";
import { NORMAL_RAM_IPA, TEE_RAM_IPA, TEE_RAM_SIZE } from "../../../abi/memory-map";
import { PAGE_GUEST_TEE } from "../../../abi/pages";
import {
  EVENT_GUEST_CREATED,
  EVENT_POOL_EXHAUSTED,
  FAULT_ADAPTED_SITES,
  FAULT_IMAGE,
} from "../../../abi/status";
import { tellTee } from "../attest/identity";
import { reportImage } from "../boot/refuse";
import { placeImage } from "../boot/verify";
import { DEFAULT_TEE, imageSizeOf, profilePa, teeDeviceTree, teeImage } from "../boot-package";
import {
  cleanInvalidateRange,
  dsbSy,
  icIalluis,
  isb,
  lock,
  readCNTPCT_EL0,
  readPhysical32,
  readPhysical64,
  unlock,
  zeroPhysical,
} from "../hw";
import { assignTeeRam } from "../memory/pages";
import { resetPartition } from "../partition/partition";
import { findPeripherals } from "../partition/peripherals";
import { guestAt, LOCK_GUESTS, LOCK_MEMORY, machine, TEE_CORE_MAX, teeCoreAt } from "../storage";
import { recordEvent } from "../trace/events";
import { publishGuest, publishMachine, statusRowPa } from "../trace/status";
import { clearTeeCore } from "../worlds/claim";
import { CoreArea } from "../worlds/core-area";
import { HCR_FOR_TEE } from "../worlds/switch";
import { initialiseTeeCore, startTeeCore } from "../worlds/tee-start";
import { adaptImage } from "./adapt";
import { deviceTreePa, NORMAL_RAM_HIGH_IPA, writeTeeDeviceTree } from "./device-tree";
import { faultTee } from "./fault";
import { GUEST_STATE_BOOTING, GUEST_STATE_FAULTED, GUEST_STATE_NONE, Guest } from "./guest";
import { guestWithVttbr } from "./lookup";
import { refuseVm } from "./refused";
import { buildTeeStage2, normalRamSize } from "./stage2";

/**
 * The guest of the VM with this VTTBR_EL2, made now if there is none yet. Null, with an event, if the pool has no slot left; the VM
 * then never gets a TEE. A new guest can be found by other cores only when it is complete.
 */
export function findOrCreateGuest(core: CoreArea, normalVttbr: u64): Guest | null {
  lock(LOCK_GUESTS);
  let guest = guestWithVttbr(normalVttbr);
  if (guest === null) guest = createGuest(core, normalVttbr);
  unlock(LOCK_GUESTS);
  return guest;
}

function createGuest(core: CoreArea, normalVttbr: u64): Guest | null {
  for (let slot: u32 = 0; slot < machine().guestSlots; slot++) {
    const guest = guestAt(slot);
    if (guest.state !== GUEST_STATE_NONE) continue;
    guest.slot = slot;
    guest.statusRowPa = statusRowPa(slot);
    guest.id = ++machine().guestsCreated;
    guest.normalVttbr = normalVttbr;
    guest.createdTicks = readCNTPCT_EL0();
    createTee(core, guest);
    return guest;
  }
  refuseVm(normalVttbr);
  recordEvent(EVENT_POOL_EXHAUSTED, 0, normalVttbr, 0);
  return null;
}

/** Fills the TEE's RAM from the boot package and prepares its first core. The record was zero before. */
function createTee(core: CoreArea, guest: Guest): void {
  guest.teeRamPa = machine().teePoolPa + <u64>guest.slot * <u64>TEE_RAM_SIZE;
  readProfile(guest);
  zeroPhysical(guest.teeRamPa, <u64>TEE_RAM_SIZE);
  const imagePa = imagePaOf(guest);
  const refusal = placeImages(core, guest, imagePa);
  if (refusal === <u64>BOOT_ACCEPTED) {
    tellTee(guest, teeImage(DEFAULT_TEE));
    guest.adaptedSites = adaptImage(guest, imagePa, imageSizeOf(teeImage(DEFAULT_TEE)));
  }
  lock(LOCK_MEMORY);
  assignTeeRam(guest.teeRamPa, <u64>TEE_RAM_SIZE, PAGE_GUEST_TEE, guest.slot);
  resetPartition(guest.slot);
  findPeripherals(guest);
  guest.teeVttbr = buildTeeStage2(guest);
  const lowSize = normalRamSize(guest, <u64>NORMAL_RAM_IPA);
  const highSize = normalRamSize(guest, NORMAL_RAM_HIGH_IPA);
  unlock(LOCK_MEMORY);
  guest.teeHcr = HCR_FOR_TEE;
  const deviceTreeIpa = writeTeeDeviceTree(guest, lowSize, highSize);
  cleanInvalidateRange(guest.teeRamPa, <u64>TEE_RAM_SIZE); // it starts with its caches off
  dsbSy();
  icIalluis();
  isb();
  for (let index: u32 = 0; index < TEE_CORE_MAX; index++) {
    const teeCore = teeCoreAt(guest.slot, index);
    clearTeeCore(teeCore);
    initialiseTeeCore(teeCore, guest, index);
  }
  startTeeCore(teeCoreAt(guest.slot, 0), readPhysical64(guest.profilePa + <u64>TEE_ENTRY_IPA), deviceTreeIpa);
  recordEvent(EVENT_GUEST_CREATED, guest.id, guest.normalVttbr, guest.teeRamPa);
  const sites = readPhysical32(guest.profilePa + <u64>TEE_ADAPTED_SITES);
  const mayRun = refusal === <u64>BOOT_ACCEPTED && guest.adaptedSites === sites;
  lock(LOCK_MEMORY); // whoever finds it under this lock finds it whole
  guest.state = mayRun ? GUEST_STATE_BOOTING : GUEST_STATE_FAULTED;
  unlock(LOCK_MEMORY);
  if (refusal !== <u64>BOOT_ACCEPTED) {
    faultTee(guest, FAULT_IMAGE, refusal);
  } else if (guest.adaptedSites !== sites) {
    faultTee(guest, FAULT_ADAPTED_SITES, <u64>guest.adaptedSites);
  }
  publishMachine();
  publishGuest(guest);
}

/** Image and device tree, as they were signed: BOOT_ACCEPTED, or why the TEE may not run. */
function placeImages(core: CoreArea, guest: Guest, imagePa: u64): u64 {
  const row = teeImage(DEFAULT_TEE);
  const treeRow = teeDeviceTree(DEFAULT_TEE);
  const status = placeImage(core, row, imagePa);
  if (status !== <u64>BOOT_ACCEPTED) {
    reportImage(row, status);
    return status;
  }
  const treeStatus = placeImage(core, treeRow, deviceTreePa(guest));
  if (treeStatus !== <u64>BOOT_ACCEPTED) reportImage(treeRow, treeStatus);
  return treeStatus;
}

export function imagePaOf(guest: Guest): u64 {
  return guest.teeRamPa + readPhysical64(guest.profilePa + <u64>TEE_LOAD_IPA) - <u64>TEE_RAM_IPA;
}

function readProfile(guest: Guest): void {
  const pa = profilePa(DEFAULT_TEE);
  guest.profilePa = pa;
  guest.entryKind = readPhysical32(pa + <u64>TEE_ENTRY_KIND);
  guest.coreCount = readPhysical32(pa + <u64>TEE_CORE_COUNT);
  guest.timer = readPhysical32(pa + <u64>TEE_TIMER);
  guest.foreignInterrupt = readPhysical32(pa + <u64>TEE_FOREIGN_INTERRUPT);
  guest.foreignIntid = readPhysical32(pa + <u64>TEE_FOREIGN_INTID);
  guest.wfi = readPhysical32(pa + <u64>TEE_WFI);
  guest.clock = readPhysical32(pa + <u64>TEE_CLOCK);
  guest.hiddenCapabilities = readPhysical32(pa + <u64>TEE_HIDDEN_CAPABILITIES);
}
