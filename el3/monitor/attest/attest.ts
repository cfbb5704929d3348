// The monitor's calls of the attestation compartment (sel0/attest): what it is told of machine and guest, and what it
// makes of that. The messages stand in abi/attest-compartment.ts.

import { ATTEST_CALL_NONCE_SIZE } from "../../../abi/attest-call";
import {
  ATTEST_EVIDENCE,
  ATTEST_EVIDENCE_SIZE_MAX,
  ATTEST_FLAG_LOCKED_DOWN,
  ATTEST_FLAG_VERIFIED_BOOT,
  ATTEST_GUEST_KEY,
  ATTEST_KEY_GUEST,
  ATTEST_KEY_TEE,
  ATTEST_NO_GUEST,
  ATTEST_NOT_STARTED,
  ATTEST_OK,
  ATTEST_PUBLIC_KEY,
  ATTEST_RECORD_DEBUG,
  ATTEST_RECORD_FLAGS,
  ATTEST_RECORD_GUEST,
  ATTEST_RECORD_HYPERVISOR,
  ATTEST_RECORD_MONITOR,
  ATTEST_RECORD_NONCE,
  ATTEST_RECORD_NONCE_SIZE,
  ATTEST_RECORD_PACKAGE_VERSION,
  ATTEST_RECORD_TEE,
  ATTEST_RECORD_TEE_NAME,
  ATTEST_RECORD_TEE_VERSION,
  ATTEST_RECORD_VIOLATIONS,
  ATTEST_START,
  ATTEST_START_IDENTITY,
  ATTEST_START_SECRET,
} from "../../../abi/attest-compartment";
import {
  BOOT_VERSION,
  IMAGE_NAME,
  IMAGE_NAME_SIZE,
  IMAGE_ROW_BASE,
  IMAGE_ROW_SIZE,
  IMAGE_VERSION,
  IMAGE_VERSION_SIZE,
} from "../../../abi/boot-package";
import { COMPARTMENT_ATTEST, COMPARTMENT_MESSAGE_SIZE } from "../../../abi/compartments";
import {
  DEVICE_IDENTITY,
  DEVICE_IDENTITY_SIZE,
  DEVICE_SECRET,
  DEVICE_SECRET_SIZE,
} from "../../../abi/device";
import { DEVICE_PAGE_PA } from "../../../abi/memory-map";
import { DEFAULT_TEE, packagePa, readBoot64, teeImage } from "../boot-package";
import { callCompartment, closeCompartment, messagePa, openCompartment } from "../compartments/call";
import { Compartment } from "../compartments/compartment";
import { GUEST_STATE_BOOTING, GUEST_STATE_READY, Guest } from "../guests/guest";
import {
  copyPhysical,
  lock,
  readPhysical64,
  unlock,
  writePhysical32,
  writePhysical64,
  zeroPhysical,
} from "../hw";
import { isLockedDown } from "../hypervisor/lockdown";
import { guestFactsPtr, LOCK_GUESTS, machine, machineFacts } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";
import {
  FACT_SIZE,
  FACTS_EVIDENCE,
  FACTS_HYPERVISOR,
  FACTS_IDENTITY,
  FACTS_MONITOR,
  FACTS_TEE,
  GuestFacts,
  MachineFacts,
} from "./facts";

/**
 * Evidence of this guest, with the nonce in x1…x4 of `frame`, into its facts. The compartment's answer. Slots change hands
 * under the same lock: what it says of a guest is never said of two. There is none of a TEE that was stopped.
 */
export function makeEvidence(core: CoreArea, guest: Guest, frame: ExceptionFrame): u64 {
  lock(LOCK_GUESTS);
  const isAlive = guest.state === GUEST_STATE_READY || guest.state === GUEST_STATE_BOOTING;
  const result = core.guest === guest && isAlive ? sign(core, guest, frame) : <u64>ATTEST_NO_GUEST;
  unlock(LOCK_GUESTS);
  return result;
}

function sign(core: CoreArea, guest: Guest, frame: ExceptionFrame): u64 {
  const factsPtr = guestFactsPtr(guest.slot);
  const it = openStarted(core);
  const pa = messagePa(it);
  putRecord(pa, guest, frame);
  const result = callCompartment(core, it, ATTEST_EVIDENCE, 0, 0, 0);
  const isMade = result <= <u64>ATTEST_EVIDENCE_SIZE_MAX;
  if (isMade) fetch(factsPtr + FACTS_EVIDENCE, pa, result);
  changetype<GuestFacts>(factsPtr).evidenceSize = isMade ? result : 0;
  closeCompartment(it);
  return result;
}

/**
 * The first `size` bytes, 32 at most, of the hardware unique key of this guest to `keyPtr`. ATTEST_OK, or the compartment's other answer:
 * nothing has changed then. By the core that has the claim of its TEE's first core, when identity and measurement are among its facts.
 */
export function deriveGuestKey(core: CoreArea, guest: Guest, keyPtr: usize, size: u64): u64 {
  const factsPtr = guestFactsPtr(guest.slot);
  const it = openStarted(core);
  const pa = messagePa(it);
  put(pa + <u64>ATTEST_KEY_GUEST, factsPtr + FACTS_IDENTITY);
  put(pa + <u64>ATTEST_KEY_TEE, factsPtr + FACTS_TEE);
  const result = callCompartment(core, it, ATTEST_GUEST_KEY, 0, 0, 0);
  if (result === <u64>ATTEST_OK) fetch(keyPtr, pa, size);
  zeroPhysical(pa, <u64>FACT_SIZE); // the caller alone has it then
  closeCompartment(it);
  return result;
}

/** One that has lost its memory by a fault is told the device's secret again. */
function openStarted(core: CoreArea): Compartment {
  const it = openCompartment(COMPARTMENT_ATTEST);
  if (callCompartment(core, it, ATTEST_PUBLIC_KEY, 0, 0, 0) !== <u64>ATTEST_NOT_STARTED) return it;
  const pa = messagePa(it);
  const page = <u64>DEVICE_PAGE_PA;
  copyPhysical(pa + <u64>ATTEST_START_SECRET, page + <u64>DEVICE_SECRET, <u64>DEVICE_SECRET_SIZE);
  copyPhysical(pa + <u64>ATTEST_START_IDENTITY, page + <u64>DEVICE_IDENTITY, <u64>DEVICE_IDENTITY_SIZE);
  callCompartment(core, it, ATTEST_START, 0, 0, 0);
  return it;
}

function putRecord(pa: u64, guest: Guest, frame: ExceptionFrame): void {
  const machineFactsPtr = changetype<usize>(machineFacts());
  const guestFacts = guestFactsPtr(guest.slot);
  const facts = changetype<MachineFacts>(machineFactsPtr);
  zeroPhysical(pa, <u64>COMPARTMENT_MESSAGE_SIZE);
  writePhysical64(pa + <u64>ATTEST_RECORD_NONCE, frame.x1);
  writePhysical64(pa + <u64>ATTEST_RECORD_NONCE + 8, frame.x2);
  writePhysical64(pa + <u64>ATTEST_RECORD_NONCE + 16, frame.x3);
  writePhysical64(pa + <u64>ATTEST_RECORD_NONCE + 24, frame.x4);
  writePhysical32(pa + <u64>ATTEST_RECORD_NONCE_SIZE, ATTEST_CALL_NONCE_SIZE);
  const verified = facts.isBootVerified !== 0 ? ATTEST_FLAG_VERIFIED_BOOT : 0;
  const lockedDown = isLockedDown() ? ATTEST_FLAG_LOCKED_DOWN : 0;
  writePhysical32(pa + <u64>ATTEST_RECORD_FLAGS, lockedDown | verified);
  writePhysical32(pa + <u64>ATTEST_RECORD_DEBUG, facts.debugStatus);
  writePhysical64(pa + <u64>ATTEST_RECORD_PACKAGE_VERSION, readBoot64(BOOT_VERSION));
  writePhysical64(pa + <u64>ATTEST_RECORD_VIOLATIONS, machine().violations);
  put(pa + <u64>ATTEST_RECORD_GUEST, guestFacts + FACTS_IDENTITY);
  put(pa + <u64>ATTEST_RECORD_MONITOR, machineFactsPtr + FACTS_MONITOR);
  put(pa + <u64>ATTEST_RECORD_HYPERVISOR, machineFactsPtr + FACTS_HYPERVISOR);
  put(pa + <u64>ATTEST_RECORD_TEE, guestFacts + FACTS_TEE);
  putNames(pa);
}

/** As the boot package calls the TEE that guests get. */
function putNames(pa: u64): void {
  const rowPa = packagePa(<u64>(IMAGE_ROW_BASE + teeImage(DEFAULT_TEE) * IMAGE_ROW_SIZE));
  copyWords(pa + <u64>ATTEST_RECORD_TEE_NAME, rowPa + <u64>IMAGE_NAME, <u64>IMAGE_NAME_SIZE);
  copyWords(pa + <u64>ATTEST_RECORD_TEE_VERSION, rowPa + <u64>IMAGE_VERSION, <u64>IMAGE_VERSION_SIZE);
}

/** `size` bytes, a multiple of 8. */
function copyWords(toPa: u64, fromPa: u64, size: u64): void {
  for (let offset: u64 = 0; offset < size; offset += 8)
    writePhysical64(toPa + offset, readPhysical64(fromPa + offset));
}

function put(pa: u64, ptr: usize): void {
  for (let offset: usize = 0; offset < FACT_SIZE; offset += 8)
    writePhysical64(pa + <u64>offset, load<u64>(ptr + offset));
}

/** `size` bytes, in words; what is behind them in the last one is zero in the message page. */
function fetch(ptr: usize, pa: u64, size: u64): void {
  for (let offset: u64 = 0; offset < size; offset += 8)
    store<u64>(ptr + <usize>offset, readPhysical64(pa + offset));
}
