// Mutants of the short way that a switch of vCPUs takes.

import type { Mutant } from "./mutate.ts";

const FILE = "hypervisor/vcpu-switch.ts";
const TESTS = "contract/vcpu-switch.test.ts";

export const SWITCH_MUTANTS: readonly Mutant[] = [
  ...["CD", "ID"].map((bit) => ({
    name: `HCR_EL2.${bit} is left to the hypervisor`,
    file: "hypervisor/hcr.ts",
    text: ` | HCR_EL2_${bit}`,
    replacement: "",
    testFile: "contract/hypervisor-calls.test.ts",
    test: "HCR_EL2.CD and ID are never set",
  })),
  {
    name: "a guest writes translation registers by the hypervisor's SMC",
    file: "main.ts",
    text: " && isEl2(spsrOf(areaPtr))) {",
    replacement: ") {",
    testFile: TESTS,
    test: "a guest's SMC with such an immediate writes nothing",
  },
  {
    name: "a TEE writes translation registers by the hypervisor's SMC",
    file: "main.ts",
    text: "if (isSmc && changetype<usize>(runningTeeOf(core)) === 0 && isEl2(spsrOf(areaPtr))) {",
    replacement: "if (isSmc && (changetype<usize>(runningTeeOf(core)) !== 0 || isEl2(spsrOf(areaPtr)))) {",
    testFile: TESTS,
    test: "nor does a TEE's",
  },
  {
    name: "any exception is a replaced write if its syndrome looks like one",
    file: "main.ts",
    text: "const isSmc = (esrEl3 & ESR_EL3_EC_MASK) >> ESR_EL3_EC_SHIFT === ESR_EL3_EC_SMC64;\n",
    replacement: "const isSmc = true;\n",
    testFile: TESTS,
    test: "an exception of another class with bit 15 in its syndrome",
  },
  {
    name: "a switch may turn on what HCR_EL2 forbids",
    file: FILE,
    text: "register !== HARDENED_HCR_EL2 || (value & HCR_FORBIDDEN) !== 0",
    replacement: "register !== HARDENED_HCR_EL2",
    testFile: TESTS,
    test: "HCR_EL2 keeps what isolation rests on",
  },
  {
    name: "a switch may turn stage 2 off",
    file: FILE,
    text: "writeHCR_EL2(enforcedHcr(value));",
    replacement: "writeHCR_EL2(value);",
    testFile: TESTS,
    test: "HCR_EL2 keeps what isolation rests on",
  },
  {
    name: "a switch to a guest that is gone does not end it",
    file: FILE,
    text: "if (mayBeEmpty(vttbr) || ",
    replacement: "if (",
    testFile: TESTS,
    test: "to a guest whose root was emptied",
  },
  {
    name: "after a switch calls go to the TEE of the guest before",
    file: "guests/show.ts",
    text: "    core.guest = guest;\n",
    replacement: "",
    testFile: TESTS,
    test: "to another guest: its calls reach its own TEE",
  },
  {
    name: "a root that was left still counts as loaded",
    file: FILE,
    text: "  core.requestedVttbrEl2 = 0;\n",
    replacement: "",
    testFile: TESTS,
    test: "to no guest: no page of the hypervisor's is a root then",
  },
  {
    name: "a guest whose TEE is due is not watched after a switch",
    file: FILE,
    text: "  watchGuest(core, guest);\n",
    replacement: "",
    testFile: TESTS,
    test: "with the timer of a guest long past",
  },
  {
    name: "a guest that is switched to is looked at again and again, though no TEE core is due",
    file: "worlds/timer.ts",
    text: "lookAt(core, guest.watchTicks)",
    replacement: "lookAt(core, 0)",
    testFile: TESTS,
    test: "with the timer of a guest far ahead",
  },
];
