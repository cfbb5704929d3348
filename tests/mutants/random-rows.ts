// The checks of the compartment of random numbers (sel0/random), each taken away once.

import { guardedBy, type Row } from "./crypto-rows.ts";
import type { Mutant } from "./mutate.ts";

const RANDOM: readonly Row[] = [
  {
    name: "a seed may be short",
    file: "random/main.ts",
    text: "size < <u64>RANDOM_SEED_SIZE_MIN || size",
    replacement: "size",
    test: "what it refuses changes nothing",
  },
  {
    name: "a seed may be longer than the message",
    file: "random/main.ts",
    text: " || size > <u64>RANDOM_SEED_SIZE_MAX) return RANDOM_INVALID;",
    replacement: ") return RANDOM_INVALID;",
    test: "what it refuses changes nothing",
  },
  {
    name: "the seed stays in the message",
    file: "random/main.ts",
    text: "  memory.fill(MESSAGE, 0, <usize>size);\n",
    replacement: "",
    test: "neither output nor the state",
  },
  {
    name: "numbers are made before there is a seed",
    file: "random/main.ts",
    text: "  if (!rootIsReady()) return RANDOM_UNSEEDED;\n  const sample",
    replacement: "  const sample",
    test: "before it is seeded it gives nothing",
  },
  {
    name: "more bits than TRNG_RND has",
    file: "random/main.ts",
    text: "bits === 0 || bits > <u64>RANDOM_BITS_MAX",
    replacement: "bits === 0",
    test: "what it refuses changes nothing",
  },
  {
    name: "a slot too many",
    file: "random/main.ts",
    text: "slot >= <u64>RANDOM_SLOT_COUNT || world",
    replacement: "slot > <u64>RANDOM_SLOT_COUNT || world",
    test: "what it refuses changes nothing",
  },
  {
    name: "a third world",
    file: "random/main.ts",
    text: " || world >= <u64>RANDOM_WORLD_COUNT) return",
    replacement: "|| world > <u64>RANDOM_WORLD_COUNT) return",
    test: "what it refuses changes nothing",
  },
  {
    name: "a slot that is none is forgotten",
    file: "random/main.ts",
    text: "  if (slot >= <u64>RANDOM_SLOT_COUNT) return RANDOM_INVALID;\n",
    replacement: "",
    test: "what it refuses changes nothing",
  },
  {
    name: "bits that nobody asked for",
    file: "random/main.ts",
    text: "  store<u8>(lastPtr, load<u8>(lastPtr) & (0xff >> unwantedBits));\n",
    replacement: "",
    test: "as many bits as are asked for",
  },
  {
    name: "a guest that ended leaves its generator",
    file: "random/main.ts",
    text: "drbgForget(generatorOf(<u32>slot, world));",
    replacement: "generatorOf(<u32>slot, world);",
    test: "of a guest that has ended no state is left",
  },
  {
    name: "both worlds share a generator",
    file: "random/generators.ts",
    text: "<usize>(slot * RANDOM_WORLD_COUNT + world) *",
    replacement: "<usize>(slot * RANDOM_WORLD_COUNT) *",
    test: "any history of operations",
  },
  {
    name: "what goes into the root does not reach the guests",
    file: "random/generators.ts",
    text: " || load<u64>(generatorPtr, INPUT_COUNT) !== rootInputCount()",
    replacement: "",
    test: "a seed and a sample change",
  },
  {
    name: "what comes from the root stays behind",
    file: "random/generators.ts",
    text: "  memory.fill(SEED, 0, SEED_SIZE);\n",
    replacement: "",
    test: "neither output nor the state",
  },
  {
    name: "the sample is not used",
    file: "random/generators.ts",
    text: "  store<u64>(SAMPLE, sample);\n",
    replacement: "",
    test: "no two generators, worlds, guests",
  },
];

export const RANDOM_MUTANTS: readonly Mutant[] = guardedBy("unit/random.test.ts", RANDOM);
