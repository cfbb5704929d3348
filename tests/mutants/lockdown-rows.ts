// The checks of lockdown, each taken away once.

import type { Mutant } from "./mutate.ts";

const LOCKDOWN = "contract/lockdown.test.ts";
const PROTECTED = "contract/protected-pages.test.ts";

export const LOCKDOWN_MUTANTS: readonly Mutant[] = [
  {
    name: "text is scanned while a device can write it",
    file: "memory/lockdown.ts",
    text: "  settle(pa);\n  const offset = findForbidden(pa);\n",
    replacement: "  const offset = findForbidden(pa);\n",
    testFile: PROTECTED,
    test: "no device reaches a page when it is read: text",
  },
  {
    name: "a table is read at lockdown while a device can write it",
    file: "memory/lockdown.ts",
    text: "  settle(pa);\n  recordTable(",
    replacement: "  recordTable(",
    testFile: PROTECTED,
    test: "no device reaches a page when it is read: a table of the last level",
  },
  {
    name: "a table that was replaced is kept from devices for ever",
    file: "memory/pages.ts",
    text: "  releaseToDma(pa);\n",
    replacement: "",
    testFile: PROTECTED,
    test: "a table that the monitor's direct map has replaced",
  },
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
