// The monitor's calls of the compartment of random numbers (sel0/random): seeded once at boot from what the platform
// gives, asked on behalf of one world of one guest, and told when a guest has ended.

import { COMPARTMENT_RANDOM } from "../../../abi/compartments";
import { DEVICE_BOOT_SEED, DEVICE_BOOT_SEED_SIZE } from "../../../abi/device";
import { DEVICE_PAGE_PA } from "../../../abi/memory-map";
import {
  RANDOM_DONE,
  RANDOM_FORGET,
  RANDOM_GENERATE,
  RANDOM_SEED,
  RANDOM_WORLD_SECURE,
} from "../../../abi/random-compartment";
import { callCompartment, closeCompartment, messagePa, openCompartment } from "../compartments/call";
import { Compartment } from "../compartments/compartment";
import { Guest } from "../guests/guest";
import { copyPhysical, readCNTPCT_EL0, readPhysical64, writePhysical64 } from "../hw";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame } from "../worlds/exception-frame";

/** Once, before anything of the normal world runs. Without it no request is served. */
export function seedRandom(core: CoreArea): void {
  const it = openCompartment(COMPARTMENT_RANDOM);
  const size = <u64>DEVICE_BOOT_SEED_SIZE;
  copyPhysical(messagePa(it), <u64>DEVICE_PAGE_PA + <u64>DEVICE_BOOT_SEED, size);
  callCompartment(core, it, RANDOM_SEED, size, readCNTPCT_EL0(), 0);
  closeCompartment(it);
}

/** `bits` random bits, 1 to 192, in x1 (the highest) to x3 of `frame`. False, and nothing has changed, if there are none. */
export function random64(core: CoreArea, guest: Guest, frame: ExceptionFrame, bits: u64, world: u32): bool {
  const it = openCompartment(COMPARTMENT_RANDOM);
  const pa = messagePa(it);
  // A guest that has ended meanwhile has no generator any more, and its slot may be another's.
  const isStillGuest = world === RANDOM_WORLD_SECURE || core.guest === guest;
  const isDone = isStillGuest && generate(core, it, bits, guest.slot, world);
  if (isDone) {
    frame.x1 = takeWord(pa + 16);
    frame.x2 = takeWord(pa + 8);
    frame.x3 = takeWord(pa);
  }
  closeCompartment(it);
  return isDone;
}

/** 16 random bytes to `ptr`. False, and nothing has changed, if there are none. */
export function random128(core: CoreArea, ptr: usize, slot: u32, world: u32): bool {
  const it = openCompartment(COMPARTMENT_RANDOM);
  const pa = messagePa(it);
  const isDone = generate(core, it, 128, slot, world);
  if (isDone) {
    store<u64>(ptr, takeWord(pa));
    store<u64>(ptr + 8, takeWord(pa + 8));
  }
  closeCompartment(it);
  return isDone;
}

function generate(core: CoreArea, it: Compartment, bits: u64, slot: u32, world: u32): bool {
  writePhysical64(messagePa(it), readCNTPCT_EL0());
  return callCompartment(core, it, RANDOM_GENERATE, bits, <u64>slot, <u64>world) === RANDOM_DONE;
}

/** The caller alone has it then. */
function takeWord(pa: u64): u64 {
  const value = readPhysical64(pa);
  writePhysical64(pa, 0);
  return value;
}

export function forgetRandom(core: CoreArea, slot: u32): void {
  const it = openCompartment(COMPARTMENT_RANDOM);
  callCompartment(core, it, RANDOM_FORGET, <u64>slot, 0, 0);
  closeCompartment(it);
}
