// Mutants of what the monitor does around a compartment's call. Those of its address space are tried on QEMU.

import type { Mutant } from "./mutate.ts";

const ON_QEMU = "../host/toolchain/compartments.test.ts";
const TRNG = "contract/trng.test.ts";
const onQemu = { testFile: ON_QEMU, entry: "el3/fixture/compartments/main.ts" };

export const COMPARTMENT_MUTANTS: readonly Mutant[] = [
  {
    name: "EL1's registers are not put back after a compartment",
    file: "compartments/call.ts",
    text: "  loadEl1Context(displacedPtr);\n",
    replacement: "",
    testFile: TRNG,
    test: "a call changes x0 to x3 and nothing else",
  },
  {
    name: "the priority mask is not put back after a compartment",
    file: "compartments/call.ts",
    text: "  writeICC_PMR_EL1(priorityMask);\n",
    replacement: "",
    testFile: TRNG,
    test: "a call changes x0 to x3 and nothing else",
  },
  {
    name: "the core's timer is not put back after a compartment",
    file: "compartments/call.ts",
    text: "  armAt(core, timerTicks);\n",
    replacement: "",
    testFile: TRNG,
    test: "a TEE's timer that the core waits for is still armed",
  },
  {
    name: "a compartment that has failed keeps what it had",
    file: "compartments/call.ts",
    text: "  it.isStale = 1;\n  machine().compartmentFaults++;",
    replacement: "  machine().compartmentFaults++;",
    testFile: TRNG,
    test: "a compartment that fails (abort)",
  },
  {
    name: "a guest's generators live on when it ends",
    file: "guests/destroy.ts",
    text: "  forgetRandom(core, guest.slot);\n",
    replacement: "",
    testFile: TRNG,
    test: "a guest that comes after another in its slot",
  },
  {
    name: "random bits stay in the compartment's message",
    file: "random/random.ts",
    text: "  writePhysical64(pa, 0);\n",
    replacement: "",
    testFile: TRNG,
    test: "nothing of an answer is left",
  },
  {
    name: "a compartment can write its own code",
    file: "compartments/tables.ts",
    text: "const TEXT: u64 = MEMORY | STAGE1_AP_RO |",
    replacement: "const TEXT: u64 = MEMORY | STAGE1_AP_RW |",
    ...onQemu,
    test: "its code can be read",
  },
  {
    name: "a compartment can execute the page of S-EL1",
    file: "compartments/tables.ts",
    text: "const VECTORS: u64 = MEMORY | STAGE1_AP_RO_PRIVILEGED | STAGE1_XN;",
    replacement: "const VECTORS: u64 = MEMORY | STAGE1_AP_RO_PRIVILEGED;",
    ...onQemu,
    test: "the page of S-EL1 cannot be executed",
  },
  {
    name: "a compartment can read the page of S-EL1",
    file: "compartments/tables.ts",
    text: "const VECTORS: u64 = MEMORY | STAGE1_AP_RO_PRIVILEGED |",
    replacement: "const VECTORS: u64 = MEMORY | STAGE1_AP_RO |",
    ...onQemu,
    test: "the page of S-EL1 cannot be read",
  },
  {
    name: "what is lent to be read can be written",
    file: "compartments/lend.ts",
    text: "(isWritable ? COMPARTMENT_READ_WRITE : COMPARTMENT_READ_ONLY)",
    replacement: "COMPARTMENT_READ_WRITE",
    ...onQemu,
    test: "what is lent to be read cannot be written",
  },
  {
    name: "what was lent is not taken back",
    file: "compartments/call.ts",
    text: "  takeBack(it);\n",
    replacement: "",
    ...onQemu,
    test: "what one call was lent the next one does not have",
  },
  {
    name: "anything is lent",
    file: "compartments/lend.ts",
    text: "if (!isLendable(pa, size) || offset",
    replacement: "if (offset",
    ...onQemu,
    test: "secure RAM, devices, and more than fits are not lent",
  },
  {
    name: "a compartment has no time limit",
    file: "compartments/call.ts",
    text: "  armAt(core, readCNTPCT_EL0() + it.boundTicks);\n",
    replacement: "",
    ...onQemu,
    test: "a call that does not end is stopped",
  },
  {
    name: "an SVC of any number ends a call",
    file: "compartments/call.ts",
    text: "if (imm16 === COMPARTMENT_SVC_DONE) return",
    replacement: "if (imm16 !== COMPARTMENT_SVC_TRAP) return",
    ...onQemu,
    test: "an SVC that is none of the two is refused",
  },
];
