// Mutants of how a store of the hypervisor's to its tables is performed.

import type { Mutant } from "./mutate.ts";

const STORES = "contract/table-store.test.ts";
const SEVERAL = "contract/table-store-several.test.ts";

export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: "an instruction is fetched from where anybody writes",
    file: "memory/table-store.ts",
    text: "isRam(pa) && isExecutable(treeWalk().entry)",
    replacement: "isRam(pa)",
    testFile: STORES,
    test: "an instruction outside of the text",
  },
  {
    name: "the first of two entries stays when the second is refused",
    file: "memory/table-store.ts",
    text: "    undo(state, pa, it, done);\n",
    replacement: "",
    testFile: SEVERAL,
    test: "a pair whose second is refused gives the first back",
  },
  {
    name: "a store of several entries may be refused in its middle",
    file: "memory/table-store.ts",
    text: "  if (it.count > 1 && !isWhole(state, pa, it)) return STORE_REFUSED;\n",
    replacement: "",
    testFile: SEVERAL,
    test: "a root that a core has loaded: its only entry stays",
  },
  {
    name: "a table is put back as another core has changed it",
    file: "memory/table-store.ts",
    text: "    if (isValid(old)) onlyAdds = false;\n",
    replacement: "",
    testFile: SEVERAL,
    test: "a table that the first removes is not put back",
  },
  {
    name: "a table of stage 1 is unlinked by a store of several",
    file: "memory/stage1-store.ts",
    text: "  return !isTableEntry(old, level);\n}\n\n/** Nothing executable",
    replacement: "  return old !== 0 || level < 4;\n}\n\n/** Nothing executable",
    testFile: SEVERAL,
    test: "a table is unlinked by a store of its own only",
  },
  {
    name: "violations of several cores are counted without a lock",
    file: "hypervisor/refuse.ts",
    text: "  lock(LOCK_EVENTS); // several cores may be refused at once\n  machine().violations++;\n",
    replacement: "  machine().violations++;\n  lock(LOCK_EVENTS);\n",
    testFile: "contract/violations.test.ts",
    test: "an SMC that nobody wrote",
  },
  {
    name: "two halves of an entry are two stores of it",
    file: "memory/table-store.ts",
    text: "  joinHalves(it, pa);\n",
    replacement: "",
    testFile: SEVERAL,
    test: "a pair of words that fills one entry",
  },
];
