// What evidence and key of a guest depend on, as its facts (attest/facts.ts): its identity and the measurement of its
// TEE. They are told before the TEE runs, by the core that has the claim of its first core, and stay until the guest ends.

import { IMAGE_HASH, IMAGE_ROW_BASE, IMAGE_ROW_SIZE } from "../../../abi/boot-package";
import { RANDOM_WORLD_SECURE } from "../../../abi/random-compartment";
import { packagePa } from "../boot-package";
import { Guest } from "../guests/guest";
import { readPhysical64 } from "../hw";
import { random128 } from "../random/random";
import { guestFactsPtr } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { FACT_SIZE, FACTS_IDENTITY, FACTS_TEE } from "./facts";

/** The 32 bytes at `pa`. */
export function tellIdentity(guest: Guest, pa: u64): void {
  copyFact(guestFactsPtr(guest.slot) + FACTS_IDENTITY, pa);
}

/** The image of this row of the accepted package is what was found in the guest's RAM. */
export function tellTee(guest: Guest, row: u32): void {
  copyFact(
    guestFactsPtr(guest.slot) + FACTS_TEE,
    packagePa(<u64>(IMAGE_ROW_BASE + row * IMAGE_ROW_SIZE + IMAGE_HASH)),
  );
}

/**
 * A guest that nobody has named is a new one: 16 random bytes, then zeros. What depends on that is no other guest's, and is
 * never found again. Without random numbers it stays without an identity.
 */
export function nameUnknown(core: CoreArea, guest: Guest): void {
  const ptr = guestFactsPtr(guest.slot) + FACTS_IDENTITY;
  if (!hasIdentity(ptr)) random128(core, ptr, guest.slot, RANDOM_WORLD_SECURE);
}

function hasIdentity(ptr: usize): bool {
  let bits: u64 = 0;
  for (let offset: usize = 0; offset < FACT_SIZE; offset += 8) bits |= load<u64>(ptr + offset);
  return bits !== 0;
}

function copyFact(ptr: usize, pa: u64): void {
  for (let offset: usize = 0; offset < FACT_SIZE; offset += 8)
    store<u64>(ptr + offset, readPhysical64(pa + <u64>offset));
}
