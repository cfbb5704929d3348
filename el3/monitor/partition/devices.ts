// The devices of an S world whose registers a compartment computes (sel0/devices): the monitor keeps each guest's state,
// shows the compartment that one state and no other, and performs what a write asks for if it may be. The compartment is
// not believed: what it answers is checked as if the TEE had asked, and concerns that TEE's guest only. One that fails
// has changed nothing.

import { COMPARTMENT_DEVICES } from "../../../abi/compartments";
import {
  DEVICE_TZC400,
  DEVICE_TZPC,
  DEVICES_ACTION_IPA,
  DEVICES_ACTION_MASK,
  DEVICES_ACTION_NONE,
  DEVICES_ACTION_RELEASE,
  DEVICES_ACTION_RELEASE_PERIPHERALS,
  DEVICES_ACTION_SECURE,
  DEVICES_ACTION_SECURE_PERIPHERALS,
  DEVICES_ACTION_SIZE,
  DEVICES_PRESENT,
  DEVICES_READ,
  DEVICES_REFUSED,
  DEVICES_WRITE,
  PARTITION_DONE,
  PARTITION_FAILED,
} from "../../../abi/devices-compartment";
import { TEE_TZC400_IPA, TEE_TZPC_IPA } from "../../../abi/memory-map";
import { PAGE_SIZE } from "../arm/page-tables.gen";
import {
  COMPARTMENT_FAULTED,
  callCompartment,
  closeCompartment,
  messagePa,
  openCompartment,
} from "../compartments/call";
import { Compartment } from "../compartments/compartment";
import { GUEST_STATE_FAULTED, Guest } from "../guests/guest";
import { copyPhysical, lock, readPhysical32, readPhysical64, unlock, writePhysical32 } from "../hw";
import { LOCK_MEMORY, partitionAt } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { returnToNormalWorld } from "./give-back";
import { devicesPa } from "./partition";
import { presentPeripherals, returnPeripherals, takePeripherals } from "./peripherals";
import { takeFromNormalWorld } from "./take";

const DEVICE_SHIFT: u64 = 32;

function isAt(ipa: u64, deviceIpa: u32): bool {
  return ipa - <u64>deviceIpa < PAGE_SIZE;
}

/** Whether one of these devices lies there. */
export function isCompartmentDevice(ipa: u64): bool {
  return isAt(ipa, TEE_TZC400_IPA) || isAt(ipa, TEE_TZPC_IPA);
}

function registerAt(ipa: u64): u64 {
  const device = <u64>(isAt(ipa, TEE_TZPC_IPA) ? DEVICE_TZPC : DEVICE_TZC400);
  return (device << DEVICE_SHIFT) | (ipa & (PAGE_SIZE - 1));
}

/** An access of `size` bytes. */
export function readCompartmentDevice(core: CoreArea, guest: Guest, ipa: u64, size: u64): u32 {
  const it = openCompartment(COMPARTMENT_DEVICES);
  show(it, guest);
  const answer = callCompartment(core, it, DEVICES_READ, registerAt(ipa), 0, size);
  closeCompartment(it);
  return answer === COMPARTMENT_FAULTED ? 0 : <u32>answer;
}

/** Whoever changes a partition has the lock before the state is read, so that no write is lost. */
export function writeCompartmentDevice(core: CoreArea, guest: Guest, ipa: u64, value: u32, size: u64): void {
  lock(LOCK_MEMORY);
  const it = openCompartment(COMPARTMENT_DEVICES);
  show(it, guest);
  const action = callCompartment(core, it, DEVICES_WRITE, registerAt(ipa), <u64>value, size);
  const code = action === COMPARTMENT_FAULTED ? PARTITION_DONE : perform(it, guest, action);
  if (code !== PARTITION_DONE) {
    show(it, guest); // as before the write
    if (isAt(ipa, TEE_TZC400_IPA))
      // the other one has no register that would say why
      callCompartment(core, it, DEVICES_REFUSED, <u64>code, partitionAt(guest.slot).refusedIpa, 0);
  }
  if (it.isStale === 0) copyPhysical(devicesPa(guest.slot), messagePa(it), PAGE_SIZE);
  closeCompartment(it);
  unlock(LOCK_MEMORY);
}

function show(it: Compartment, guest: Guest): void {
  copyPhysical(messagePa(it), devicesPa(guest.slot), PAGE_SIZE);
  writePhysical32(messagePa(it) + <u64>DEVICES_PRESENT, presentPeripherals(guest.slot));
}

/** PARTITION_*. A TEE that is stopped may still run on another core; its partition stays as it is. */
function perform(it: Compartment, guest: Guest, action: u64): u32 {
  if (action === DEVICES_ACTION_NONE) return PARTITION_DONE;
  const ipa = readPhysical64(messagePa(it) + <u64>DEVICES_ACTION_IPA);
  const size = readPhysical64(messagePa(it) + <u64>DEVICES_ACTION_SIZE);
  partitionAt(guest.slot).refusedIpa = ipa;
  if (guest.state === GUEST_STATE_FAULTED) return PARTITION_FAILED;
  const mask = readPhysical32(messagePa(it) + <u64>DEVICES_ACTION_MASK);
  if (action === DEVICES_ACTION_SECURE_PERIPHERALS) return takePeripherals(guest, mask);
  if (action === DEVICES_ACTION_RELEASE_PERIPHERALS) return returnPeripherals(guest, mask);
  if (action === DEVICES_ACTION_SECURE) return takeFromNormalWorld(guest, ipa, size);
  if (action === DEVICES_ACTION_RELEASE) return returnToNormalWorld(guest, ipa, size);
  return PARTITION_FAILED;
}
