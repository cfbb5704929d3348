// Checks of the monitor and of compartments that matter, each taken away once: the test named with it must notice.

import { ENTRY } from "../drivers/dma.ts";
import { ATTEST_MUTANTS } from "./attest-rows.ts";
import { BOOT_MUTANTS } from "./boot-rows.ts";
import { COMPARTMENT_MUTANTS } from "./compartment-rows.ts";
import { CRYPTO_MUTANTS } from "./crypto-rows.ts";
import { ENTRY_MUTANTS } from "./entry-rows.ts";
import { EVIDENCE_MUTANTS } from "./evidence-rows.ts";
import { GUEST_BOOT_MUTANTS } from "./guest-boot-rows.ts";
import { GUEST_MUTANTS } from "./guest-rows.ts";
import { KEY_MUTANTS } from "./key-rows.ts";
import { LOCKDOWN_MUTANTS } from "./lockdown-rows.ts";
import { MEMORY_MUTANTS } from "./memory-rows.ts";
import type { Mutant } from "./mutate.ts";
import { PARTITION_MUTANTS } from "./partition-rows.ts";
import { RANDOM_MUTANTS } from "./random-rows.ts";
import { STORE_MUTANTS } from "./store-rows.ts";
import { SWITCH_MUTANTS } from "./switch-rows.ts";

/** In the ordinary run; all others with `vtz test --full`. */
export const QUICK_COUNT = 3;

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the claim on a TEE core is always given",
    file: "worlds/claim.ts",
    text: "compareAndSwap32(claimPtr(teeCore), 0, 1) === 0",
    replacement: "compareAndSwap32(claimPtr(teeCore), 0, 1) <= 1",
    testFile: "contract/races.test.ts",
    test: "two vCPUs call a TEE that has one core",
  },
  {
    name: "FP is not put back when a TEE leaves",
    file: "worlds/switch.ts",
    text: "if (core.fpSwitched !== 0) putBackFp(core, teeCore);",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "no register of the TEE is left anywhere",
  },
  {
    name: "a gone guest's RAM is not zeroed",
    file: "guests/destroy.ts",
    text: "zeroPhysical(guest.teeRamPa, <u64>TEE_RAM_SIZE);",
    replacement: "",
    testFile: "contract/guest-life.test.ts",
    test: "flushing its emptied root gives its RAM back",
  },
  {
    name: "the normal world's EL1 registers are not put back",
    file: "worlds/switch.ts",
    text: "loadEl1Context(changetype<usize>(core) + WORLD_EL1);",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "the normal world finds its registers",
  },
  {
    name: "the interrupt interface is not put back",
    file: "worlds/switch.ts",
    text: "if (core.gicSwitched !== 0) putBackGic(core, teeCore);",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "no register of the TEE is left anywhere",
  },
  {
    name: "a TEE runs with the hypervisor's vectors",
    file: "worlds/switch.ts",
    text: "writeVBAR_EL2(trappingVectorsVa());",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "the normal world finds its registers",
  },
  {
    name: "HCR_EL2.TSC is left to the hypervisor",
    file: "hypervisor/registers.ts",
    text: "writeHCR_EL2(value & ~HCR_EL2_TSC);",
    replacement: "writeHCR_EL2(value);",
    testFile: "contract/hypervisor-calls.test.ts",
    test: "HCR_EL2.TSC is never set",
  },
  {
    name: "a new VM keeps its memory while it waits for its TEE",
    file: "worlds/normal-world.ts",
    text: "writeVTTBR_EL2(emptyVttbr(core.requestedVttbrEl2));",
    replacement: "writeVTTBR_EL2(core.requestedVttbrEl2);",
    testFile: "contract/guest-life.test.ts",
    test: "before its TEE has booted, a VM has no memory",
  },
  {
    name: "an SMC with an immediate other than 0 goes to the TEE",
    file: "exceptions/from-normal-world.ts",
    text: " && imm16 === 0 && core.guest !== null",
    replacement: " && core.guest !== null",
    testFile: "contract/dispatch.test.ts",
    test: "an immediate other than 0 is the hypervisor's",
  },
  {
    name: "a guest is taken apart while its TEE runs",
    file: "guests/destroy.ts",
    text: "if (guest.normalVttbr !== normalVttbr || !claimAllCores(guest)) {",
    replacement: "if (guest.normalVttbr !== normalVttbr) {",
    testFile: "contract/guest-life.test.ts",
    test: "while a core runs its TEE a guest is not taken apart",
  },
  {
    name: "the S world's translations survive its guest",
    file: "guests/stage2.ts",
    text: "  tlbiVmalls12e1is();\n",
    replacement: "",
    testFile: "contract/guest-life.test.ts",
    test: "flushing its emptied root gives its RAM back",
  },
  {
    name: "any number of adapted instructions will do",
    file: "guests/create.ts",
    text: "faultTee(guest, FAULT_ADAPTED_SITES, <u64>guest.adaptedSites);",
    replacement: "",
    testFile: "contract/tee-faults.test.ts",
    test: "has another number of secure-timer instructions",
  },
  {
    name: "a TEE's RAM is not cleaned out of the caches before it starts",
    file: "guests/create.ts",
    text: "cleanInvalidateRange(guest.teeRamPa, <u64>TEE_RAM_SIZE);",
    replacement: "",
    testFile: "contract/guest-life.test.ts",
    test: "its RAM is clean in the caches",
  },
  {
    name: "the syndrome of a TEE's exit stays in EL2's registers",
    file: "exceptions/exits.ts",
    text: "  writeELR_EL2(0);\n",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "no exit of a TEE leaves its syndrome",
  },
  {
    name: "a TEE may stay as long as it likes",
    file: "exceptions/fiq.ts",
    text: "    preemptTee(core, guest, teeCore);\n    return;",
    replacement: "    return;",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "a TEE that leaves in time is not preempted",
  },
  {
    name: "the timer takes a TEE apart between an exit and its trapping vector",
    file: "exceptions/fiq.ts",
    text: "if (isEl2(frameOf(changetype<usize>(teeCore)).spsrEl3)) {",
    replacement: "if (false) {",
    testFile: "contract/tee-timer.test.ts",
    test: "between an exit and its trapping vector",
  },
  {
    name: "physical interrupts are not held back while a TEE is asked to leave",
    file: "worlds/foreign-interrupt.ts",
    text: "writeICC_PMR_EL1(PRIORITY_MASK_MONITOR_ONLY);",
    replacement: "",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "as a virtual FIQ",
  },
  {
    name: "the normal world's first GiB is shared with the TEE",
    file: "guests/stage2.ts",
    text: "(let offset: u64 = 8; offset < TABLE_ENTRIES * 8; offset += 8)\n    if (shareEntry(guest, toPa",
    replacement:
      "(let offset: u64 = 0; offset < TABLE_ENTRIES * 8; offset += 8)\n    if (shareEntry(guest, toPa",
    testFile: "unit/stage2.test.ts",
    test: "below 1 GiB: the TEE's RAM, whole",
  },
  {
    name: "a preempted call's answer goes to whoever calls next",
    file: "worlds/caller.ts",
    text: "    teeCore.callerElr === caller.elrEl3 &&\n    teeCore.callerSp === readSP_EL1() &&",
    replacement: "    true ||",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "another call on the vCPU does not get the first one's answer",
  },
  {
    name: "a narrow load of a device leaves what was above it",
    file: "devices/stage2-abort.ts",
    text: "    value = extend(value, size, (esrEl2 & ESR_EL2_ISS_DATA_ABORT_SSE) !== 0);\n",
    replacement: "",
    testFile: "contract/tee-devices.test.ts",
    test: "a narrow load has zeros or the sign",
  },
  {
    name: "a 32-bit register gets the sign in its upper half",
    file: "devices/stage2-abort.ts",
    text: "    if ((esrEl2 & ESR_EL2_ISS_DATA_ABORT_SF) === 0) value = <u64>(<u32>value);\n",
    replacement: "",
    testFile: "contract/tee-devices.test.ts",
    test: "a narrow load has zeros or the sign",
  },
  {
    name: "a narrow store of a device writes the whole register",
    file: "devices/stage2-abort.ts",
    text: "extend(readRegister(frame, register), size, false)",
    replacement: "readRegister(frame, register)",
    testFile: "contract/tee-devices.test.ts",
    test: "a narrow store writes no more",
  },
  {
    name: "a guest may have a redistributor beyond its TEE's cores",
    file: "devices/secure-gic.ts",
    text: "  if (index >= guest.coreCount) return;\n",
    replacement: "",
    testFile: "contract/tee-devices.test.ts",
    test: "registers that nobody knows, and those beyond",
  },
  {
    name: "the hypervisor's vectors are not put back",
    file: "worlds/switch.ts",
    text: "writeVBAR_EL2(core.vbarEl2);",
    replacement: "",
    testFile: "contract/world-switch.test.ts",
    test: "the normal world finds its registers",
  },
  {
    name: "a full pool's VM may get a TEE in the middle of its life",
    file: "hypervisor/stage2-root.ts",
    text: "  else if (isRefused(vttbr)) load(core, vttbr);\n",
    replacement: "",
    testFile: "contract/guest-life.test.ts",
    test: "it gets none later either",
  },
  {
    name: "two cores may make two guests of one VM",
    file: "guests/create.ts",
    text: "let guest = guestWithVttbr(normalVttbr);",
    replacement: "let guest: Guest | null = null;",
    testFile: "contract/races.test.ts",
    test: "two vCPUs of a new VM start at once",
  },
  {
    name: "a call that goes on without its caller is not found by it on another vCPU",
    file: "worlds/detached.ts",
    text: "|| teeCore.isCallerAway !== 0) return true;",
    replacement: ") return true;",
    testFile: "contract/foreign-interrupts.test.ts",
    test: "the caller comes back on another vCPU while its call goes on without it",
  },
  {
    name: "a TEE image may be larger than the TEE's RAM",
    file: "boot-package.ts",
    text: "loadIpa - <u64>TEE_RAM_IPA <= <u64>TEE_RAM_SIZE - imageSize &&",
    replacement: "",
    testFile: "contract/fatal.test.ts",
    test: "a TEE image that does not fit its RAM",
  },
  {
    name: "only every other word of a page is scanned",
    file: "measure/forbidden.ts",
    text: "    if (isForbidden(<u32>(pair >> 32))) return <i32>offset + 4;\n",
    replacement: "",
    testFile: "unit/forbidden.test.ts",
    test: "a page is searched from its first to its last word",
  },
  {
    name: "128-bit writes of the stage-2 root are let through",
    file: "arm/forbidden.gen.ts",
    text: "if ((instruction & 0xfffff000) === 0xd55c2000) return true;",
    replacement: "",
    testFile: "unit/forbidden.test.ts",
    test: "of all system instructions, in every form",
  },
  {
    name: "a page is measured but for its last block",
    file: "measure/measurement.ts",
    text: "BOOT_MEASURE_PART, size, 0, 0)",
    replacement: "BOOT_MEASURE_PART, size - 64, 0, 0)",
    testFile: "contract/verified-boot.test.ts",
    test: "the measurement is SHA-256",
  },
  {
    name: "the normal world's virtual timer is not put back",
    file: "worlds/virtual-timer.ts",
    text: "  loadTimer(core.normalCntvCtl, core.normalCntvCval, core.normalCntvoff);\n",
    replacement: "",
    testFile: "contract/virtual-timer.test.ts",
    test: "a call's end: the normal world finds its own",
  },
  {
    name: "the clock of a TEE goes on while it is away",
    file: "worlds/virtual-timer.ts",
    text: "if (teeCore.stoppedTicks !== 0) teeCore.virtualOffset += readCNTPCT_EL0() - teeCore.stoppedTicks;",
    replacement: "",
    testFile: "contract/virtual-timer.test.ts",
    test: "the TEE finds its own, and its clock as it left it",
  },
  {
    name: "the normal world's virtual timer is not watched while its TEE runs",
    file: "worlds/virtual-timer.ts",
    text: "  loadTimer(<u64>teeCore.timerControl, teeCore.virtualCompare, teeCore.virtualOffset);\n  watchNormalTimer(core);\n",
    replacement: "  loadTimer(<u64>teeCore.timerControl, teeCore.virtualCompare, teeCore.virtualOffset);\n",
    testFile: "contract/virtual-timer.test.ts",
    test: "as an SPI: the TEE is told",
  },
  {
    name: "a timer interrupt that a TEE does not serve is handed to it again and again",
    file: "worlds/virtual-timer.ts",
    text: "if (!isDue) teeCore.timerPending = 0;",
    replacement: "teeCore.timerPending = 0;",
    testFile: "contract/virtual-timer.test.ts",
    test: "one that it does not serve does not keep",
  },
  {
    name: "the TEE's timer interrupt stays active in the normal world",
    file: "worlds/virtual-timer.ts",
    text: "  setInterruptActive(core, core.normalTimerActive !== 0);\n",
    replacement: "",
    testFile: "contract/virtual-timer.test.ts",
    test: "preempted in its handler",
  },
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
  ...MEMORY_MUTANTS,
  ...STORE_MUTANTS,
  ...LOCKDOWN_MUTANTS,
  ...SWITCH_MUTANTS,
  ...GUEST_MUTANTS,
  ...COMPARTMENT_MUTANTS,
  ...GUEST_BOOT_MUTANTS,
  ...KEY_MUTANTS,
  ...ENTRY_MUTANTS,
  ...PARTITION_MUTANTS,
  ...BOOT_MUTANTS,
  ...CRYPTO_MUTANTS,
  ...RANDOM_MUTANTS,
  ...ATTEST_MUTANTS,
  ...EVIDENCE_MUTANTS,
];

type DmaMutant = Omit<Mutant, "testFile" | "entry">;

function dma(rows: readonly DmaMutant[]): Mutant[] {
  return rows.map((row) => ({ ...row, testFile: "contract/dma.test.ts", entry: ENTRY }));
}

function dmaEvents(rows: readonly DmaMutant[]): Mutant[] {
  return rows.map((row) => ({ ...row, testFile: "contract/dma-events.test.ts", entry: ENTRY }));
}
