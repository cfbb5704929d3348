// The checks of lockdown, each taken away once.

import type { Mutant } from "./mutate.ts";

const LOCKDOWN = "contract/lockdown.test.ts";

export const LOCKDOWN_MUTANTS: readonly Mutant[] = [
  {
    name: "writable and executable pages get past lockdown",
    file: "memory/lockdown.ts",
    text: "  if (isWritable(walk.entry)) fatal(FATAL_STAGE1, walk.entryPa, walk.entry);\n",
    replacement: "",
    testFile: LOCKDOWN,
    test: "a hypervisor that is not as it must be at lockdown stops the machine",
  },
  {
    name: "WXN may be off at lockdown",
    file: "memory/lockdown.ts",
    text: "(sctlr & (SCTLR_EL2_M | SCTLR_EL2_WXN)) === (SCTLR_EL2_M | SCTLR_EL2_WXN)",
    replacement: "(sctlr & SCTLR_EL2_M) === SCTLR_EL2_M",
    testFile: LOCKDOWN,
    test: "a hypervisor that is not as it must be at lockdown stops the machine",
  },
  {
    name: "the other cores' controls are not looked at",
    file: "hypervisor/lockdown.ts",
    text: "  if (!isSame) fatal(FATAL_STAGE1_CONTROL, readSCTLR_EL2(), readTCR_EL2());\n",
    replacement: "",
    testFile: LOCKDOWN,
    test: "a hypervisor that is not as it must be at lockdown stops the machine",
  },
];
