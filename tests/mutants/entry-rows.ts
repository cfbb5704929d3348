// Mutants of what a hypervisor could leave behind, or forge, where EL3 is entered and left: old roots, core numbers, modes.

import type { Mutant } from "./mutate.ts";

const LOCKDOWN_ROOTS = "contract/lockdown-roots.test.ts";
const RETURNS = "contract/exception-returns.test.ts";
const VCPUS = "contract/vcpus.test.ts";

export const ENTRY_MUTANTS: readonly Mutant[] = [
  {
    name: "lockdown leaves cores on the roots that they have",
    file: "hypervisor/lockdown.ts",
    text: "  writeVTTBR_EL2(emptyVttbr(0));\n",
    replacement: "",
    testFile: LOCKDOWN_ROOTS,
    test: "is on the monitor's afterwards",
  },
  {
    name: "lockdown leaves what cores have kept of their old roots",
    file: "hypervisor/lockdown.ts",
    text: "  tlbiAlle1is(); // each core for itself: until here its walks began at that root\n",
    replacement: "",
    testFile: LOCKDOWN_ROOTS,
    test: "has kept no translation of it",
  },
  {
    name: "a root from before lockdown still counts as asked for",
    file: "hypervisor/lockdown.ts",
    text: "  core.requestedVttbrEl2 = 0;\n",
    replacement: "",
    testFile: LOCKDOWN_ROOTS,
    test: "does not get it back from the monitor",
  },
  {
    name: "which state EL1 is in is not looked at before a return to a VM",
    file: "exceptions/exits.ts",
    text: "isLegalBelowEl2(readSPSR_EL2(), readHCR_EL2())",
    replacement: "(isLegalBelowEl2(readSPSR_EL2(), HCR_FOR_TEE) || isLegalBelowEl2(readSPSR_EL2(), 0))",
    testFile: RETURNS,
    test: "is the hypervisor's own exception in any other mode with EL1 in AArch64",
  },
  {
    name: "every number with bit 4 set is a mode of AArch32",
    file: "arm/values.ts",
    text: "mode === SPSR_EL3_M_USR32 || isEl1Aarch32(mode)",
    replacement: "isAarch32(spsr)",
    testFile: RETURNS,
    test: "is the hypervisor's own exception in any other mode with EL1 in AArch32",
  },
  {
    name: "a TEE goes on in whatever state it is said to be",
    file: "exceptions/exits.ts",
    text: "vector < VECTOR_LOWER || !isLegalBelowEl2(frame.spsrEl3, HCR_FOR_TEE)",
    replacement: "vector < VECTOR_LOWER",
    testFile: RETURNS,
    test: "cannot be, mode 0x13, is stopped",
  },
  {
    name: "a TEE sees the core number that the hypervisor has written",
    file: "worlds/switch.ts",
    text: "readVMPIDR_EL2() !== vmpidrOf(teeCore)",
    replacement: "core.isElsewhere !== 0",
    testFile: VCPUS,
    test: "is not shown to a TEE",
  },
  {
    name: "the hypervisor does not find its core number again",
    file: "worlds/switch.ts",
    text: "  if (core.vmpidrSwitched !== 0) hideTeeCore(core, guest, teeCore);\n",
    replacement: "  if (guest.coreCount === 1) hideTeeCore(core, guest, teeCore);\n",
    testFile: VCPUS,
    test: "is not shown to a TEE",
  },
  {
    name: "only Aff0 says which vCPU calls",
    file: "worlds/call.ts",
    text: "return readVMPIDR_EL2() ^ VMPIDR_EL2_RES1;",
    replacement: "return (readVMPIDR_EL2() ^ VMPIDR_EL2_RES1) & 0xff;",
    testFile: VCPUS,
    test: "names no core of a TEE",
  },
  {
    name: "a TEE is told of interrupts by an SPI that it has not enabled",
    file: "worlds/foreign-interrupt.ts",
    text: "return isSpiOn(guest, guest.foreignIntid);",
    replacement: "return true;",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "not while that interrupt is disabled",
  },
  {
    name: "a TEE that yields counts as one that never leaves",
    file: "exceptions/from-tee.ts",
    text: "      teeCore.preemptionsInARow = 0; // it has not hung\n",
    replacement: "",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "a TEE that yields now and then",
  },
  {
    name: "a profile may have any clock",
    file: "boot-package.ts",
    text: "    readPhysical32(rowPa + <u64>TEE_CLOCK) <= CLOCK_RUNS &&\n",
    replacement: "",
    testFile: "contract/fatal.test.ts",
    test: "a profile with a clock that there is not",
  },
];
