// Mutants of what the monitor says of a guest, and of how a guest gets it.

import type { Mutant } from "./mutate.ts";

const ROWS: readonly Omit<Mutant, "testFile">[] = [
  {
    name: "evidence is made of a guest that has ended",
    file: "attest/attest.ts",
    text: "core.guest === guest && isAlive ? sign",
    replacement: "true ? sign",
    test: "a guest that ends in the middle of its call",
  },
  {
    name: "evidence is made of a TEE that was stopped",
    file: "attest/attest.ts",
    text: " && isAlive ? sign",
    replacement: " ? sign",
    test: "a guest whose TEE was stopped gets none any more",
  },
  {
    name: "evidence of before is left when there is none any more",
    file: "attest/attest.ts",
    text: "evidenceSize = isMade ? result : 0;",
    replacement: "evidenceSize = isMade ? result : changetype<GuestFacts>(factsPtr).evidenceSize;",
    test: "of a guest without an identity there is none",
  },
  {
    name: "a compartment that has lost its memory is told no secret",
    file: "attest/attest.ts",
    text: "  callCompartment(core, it, ATTEST_START, 0, 0, 0);\n",
    replacement: "",
    test: "a compartment that ends by an abort",
  },
  {
    name: "all guests are the first",
    file: "attest/attest.ts",
    text: "const guestFacts = guestFactsPtr(guest.slot);",
    replacement: "const guestFacts = guestFactsPtr(0);",
    test: "each guest has its own",
  },
  {
    name: "the end of a guest leaves what it was",
    file: "guests/destroy.ts",
    text: "  memory.fill(guestFactsPtr(slot), 0, FACTS_GUEST_SIZE);\n",
    replacement: "",
    test: "what a guest was is forgotten with it",
  },
  {
    name: "a piece may begin anywhere",
    file: "attest/evidence-call.ts",
    text: "offset >= size || ",
    replacement: "",
    test: "a piece begins at a word of it",
  },
  {
    name: "a piece may begin within a word",
    file: "attest/evidence-call.ts",
    text: " || (offset & 7) !== 0",
    replacement: "",
    test: "a piece begins at a word of it",
  },
  {
    name: "a piece tells what lies behind the evidence",
    file: "attest/evidence-call.ts",
    text: "offset + at < size ? load<u64>(evidencePtr + <usize>(offset + at)) : 0",
    replacement: "load<u64>(evidencePtr + <usize>(offset + at)) | 1",
    test: "is accepted, and says what the monitor knows",
  },
  {
    name: "the hypervisor's measurement is not kept",
    file: "hypervisor/lockdown.ts",
    text: "  copyMeasurement(changetype<usize>(machineFacts()) + FACTS_HYPERVISOR); // for evidence\n",
    replacement: "",
    test: "is accepted, and says what the monitor knows",
  },
];

export const EVIDENCE_MUTANTS: readonly Mutant[] = ROWS.map((row) => ({
  ...row,
  testFile: "contract/attest.test.ts",
}));
