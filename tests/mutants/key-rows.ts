// Mutants of the hardware unique key's way into a TEE.

import type { Mutant } from "./mutate.ts";

const FAULTS = "contract/tee-faults.test.ts";
const FATAL = "contract/fatal.test.ts";
const KEY = "contract/hardware-key.test.ts";

export const KEY_MUTANTS: readonly Mutant[] = [
  {
    name: "what stands at the key's site does not matter",
    file: "guests/key-site.ts",
    text: "if (readPhysical32(sitePa + offset) !== expected)",
    replacement: "if (false)",
    testFile: FAULTS,
    test: "has another instruction 0 where its key is to be put",
  },
  {
    name: "the last word at the key's site does not matter",
    file: "guests/key-site.ts",
    text: "index < <u64>TEE_KEY_WORD_COUNT; index++",
    replacement: "index + 1 < <u64>TEE_KEY_WORD_COUNT; index++",
    testFile: FAULTS,
    test: "has another instruction 6 where its key is to be put",
  },
  {
    name: "a TEE with other words at its key's site runs",
    file: "guests/create.ts",
    text: "    faultTee(guest, FAULT_KEY_SITE, otherWordIpa);\n",
    replacement: "",
    testFile: FAULTS,
    test: "has another instruction 6 where its key is to be put",
  },
  {
    name: "a key site may lie behind its image",
    file: "boot-package.ts",
    text: " && site + sizeBehind <= imageSize",
    replacement: "",
    testFile: FATAL,
    test: "a profile with a key site that ends behind its image",
  },
  {
    name: "a key site may lie between instructions",
    file: "boot-package.ts",
    text: "site % INSTRUCTION_SIZE === 0 && ",
    replacement: "",
    testFile: FATAL,
    test: "a profile with a key site between two instructions",
  },
  {
    name: "a key that there is not is given",
    file: "guests/key.ts",
    text: "if (guest.hasKey === 0) {",
    replacement: "if (false) {",
    testFile: KEY,
    test: "the call of a TEE is answered NOT_SUPPORTED",
  },
];
