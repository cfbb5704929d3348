// Mutants of what a hypervisor could leave behind, or forge, where EL3 is entered and left: old roots, core numbers, modes.

import type { Mutant } from "./mutate.ts";

const LOCKDOWN_ROOTS = "contract/lockdown-roots.test.ts";

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
];
