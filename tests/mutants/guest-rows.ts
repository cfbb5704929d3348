// Mutants of the end of a guest while others use it.

import type { Mutant } from "./mutate.ts";

const RACES = "contract/guest-races.test.ts";
const ROOTS = "contract/emptied-roots.test.ts";

export const GUEST_MUTANTS: readonly Mutant[] = [
  {
    name: "a guest that is gone is still some core's",
    file: "guests/destroy.ts",
    text: "      compareAndSwap32(guestPtr, <u32>changetype<usize>(guest), 0);\n",
    replacement: "",
    testFile: RACES,
    test: "a guest calls its TEE while its slot becomes another's",
  },
  {
    name: "a claim is enough for a call, whoever's TEE it is by now",
    file: "worlds/call.ts",
    text: "if (core.guest !== guest) {",
    replacement: "if (false) {",
    testFile: RACES,
    test: "a guest calls its TEE while its slot becomes another's",
  },
  {
    name: "a guest that was found may be another's when its root is loaded",
    file: "guests/show.ts",
    text: "guest.normalVttbr === vttbr && guest.state !== GUEST_STATE_NONE && !isTeeAwaited(guest)",
    replacement: "!isTeeAwaited(guest)",
    testFile: RACES,
    test: "a guest is switched to while its slot becomes another's",
  },
  {
    name: "a guest is destroyed though its root is not empty",
    file: "guests/destroy.ts",
    text: "  const isEmpty = hasNoEntry(rootPaOf(guest.normalVttbr));\n",
    replacement: "  const isEmpty = true;\n",
    testFile: RACES,
    test: "the end of a guest is asked for while its root is filled",
  },
  {
    name: "the sizes of a VM's memory are read without the lock",
    file: "guests/create.ts",
    text: "  const highSize = normalRamSize(guest, NORMAL_RAM_HIGH_IPA);\n  unlock(LOCK_MEMORY);\n",
    replacement: "  unlock(LOCK_MEMORY);\n  const highSize = normalRamSize(guest, NORMAL_RAM_HIGH_IPA);\n",
    testFile: RACES,
    test: "a VM's birth reads its tables under the lock only",
  },
  {
    name: "the VM of a TEE that boots elsewhere is shown",
    file: "guests/show.ts",
    text: " && !isTeeAwaited(guest);",
    replacement: ";",
    testFile: ROOTS,
    test: "a VM whose root is emptied and filled while its TEE boots elsewhere",
  },
  {
    name: "a root is given up for one that is refused then",
    file: "memory/roots.ts",
    text: "  if (!acceptStage2(rootPa, 0, 0, <u32>vmid)) return false;\n  if (bound",
    replacement:
      "  if (bound !== 0 && !releaseRoot(bound)) return false;\n  if (!acceptStage2(rootPa, 0, 0, <u32>vmid)) return false;\n  if (bound",
    testFile: ROOTS,
    test: "a root that is refused has not taken the place",
  },
  {
    name: "a root that is refused for the one before stays protected",
    file: "memory/roots.ts",
    text: "    releaseStage2(rootPa, 0, 0);\n",
    replacement: "",
    testFile: ROOTS,
    test: "while the hypervisor's root of the VMID cannot be given back",
  },
  {
    name: "the empty root may have got an entry",
    file: "memory/roots.ts",
    text: "  if (!hasNoEntry(pa)) {\n    releaseStage2(pa, 0, 0);\n    return false;\n  }\n  machine()",
    replacement: "  machine()",
    testFile: ROOTS,
    test: "a root that gets an entry while it is taken for the empty one",
  },
];
