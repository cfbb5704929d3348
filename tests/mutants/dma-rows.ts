// Mutants of what the monitor does about devices: the SMMU, its table, and its events.

import { ENTRY } from "../drivers/dma.ts";
import type { Mutant } from "./mutate.ts";

export const DMA_MUTANTS: readonly Mutant[] = [
  ...dma([
    {
      name: "the pool is mapped in the DMA table",
      file: "dma/table.ts",
      text: "pa < it.poolPa; pa += BLOCK_L2_SIZE",
      replacement: "pa < it.poolPa + it.poolSize; pa += BLOCK_L2_SIZE",
      test: "no stream reaches the pool",
    },
    {
      name: "a protected page stays in the SMMU's TLB",
      file: "dma/protect.ts",
      text: "  removeTranslations(pa);\n",
      replacement: "",
      test: "is out of every stream's reach when the call returns",
    },
    {
      name: "nobody waits until the SMMU has forgotten",
      file: "dma/commands.ts",
      text: "  post(SMMU_CMD0_OPCODE_SYNC, 0);\n",
      replacement: "",
      test: "is out of every stream's reach when the call returns",
    },
    {
      name: "a range stays in the SMMU's TLB",
      file: "dma/protect.ts",
      text: "  removeAllTranslations();\n",
      replacement: "",
      test: "a range takes one invalidation",
    },
    {
      name: "a block in use becomes a table without a break",
      file: "dma/table.ts",
      text: "if (smmu().replacesBlocks === 0) {",
      replacement: "if (false) {",
      test: "is out of every stream's reach when the call returns",
    },
    {
      name: "a block that is broken stays in the SMMU's TLB",
      file: "dma/table.ts",
      text: "    removeAllTranslations();\n",
      replacement: "",
      test: "is out of every stream's reach when the call returns",
    },
    {
      name: "the rest of a block goes with its protected page",
      file: "dma/table.ts",
      text: "index < TABLE_ENTRIES; index++",
      replacement: "index < TABLE_ENTRIES / 2; index++",
      test: "leaves all others of its block",
    },
    {
      name: "whoever asks gets a page of the pool mapped for devices",
      file: "dma/table.ts",
      text: "if (!isOutsidePool(pa) || isBlock(pa)) return;",
      replacement: "if (isBlock(pa)) return;",
      test: "what is not RAM of the hypervisor stays out",
    },
    {
      name: "an SMMU that goes off lets everything through",
      file: "dma/initialise.ts",
      text: "readSmmu(SMMU_GBPA) | SMMU_GBPA_ABORT | SMMU_GBPA_UPDATE",
      replacement: "readSmmu(SMMU_GBPA) | SMMU_GBPA_UPDATE",
      test: "an SMMU that goes off aborts",
    },
    {
      name: "the command queue does not wrap",
      file: "dma/commands.ts",
      text: "const INDEX_MASK: u32 = 2 * ENTRIES - 1;",
      replacement: "const INDEX_MASK: u32 = ENTRIES - 1;",
      test: "more commands than the queue has entries",
    },
  ]),
  ...dmaEvents([
    {
      name: "what comes while the event queue is read is left behind",
      file: "dma/blocked.ts",
      text: "produced = readSmmu(SMMU_EVENTQ_PROD); // more",
      replacement: "// more",
      test: "an access that is refused while the queue is read",
    },
    {
      name: "an overflow is not acknowledged",
      file: "dma/blocked.ts",
      text: "it.eventIndex | (produced & SMMU_EVENTQ_PROD_OVERFLOW)",
      replacement: "it.eventIndex",
      test: "a queue that overflows loses records",
    },
    {
      name: "the normal world has the SMMU's interrupts",
      file: "boot/gic.ts",
      text: "readPhysical32(groupPa) & ~bit",
      replacement: "readPhysical32(groupPa)",
      test: "an access that is refused interrupts the monitor",
    },
  ]),
];

type DmaMutant = Omit<Mutant, "testFile" | "entry">;

function dma(rows: readonly DmaMutant[]): Mutant[] {
  return rows.map((row) => ({ ...row, testFile: "contract/dma.test.ts", entry: ENTRY }));
}

function dmaEvents(rows: readonly DmaMutant[]): Mutant[] {
  return rows.map((row) => ({ ...row, testFile: "contract/dma-events.test.ts", entry: ENTRY }));
}
