// How a TEE finds its core when it is booted (docs/guest-tee-abi.md, "State at entry" and "The device tree").

import { NORMAL_RAM_IPA, TEE_DEVICE_TREE_IPA } from "../../../abi/memory-map.ts";
import * as probe from "../../../abi/probe.ts";
import { teeDeviceTree } from "../../../host/machine/tee-device-tree.ts";
import {
  type Case,
  call,
  fast,
  is,
  type Step,
  type TeeKind,
  teeReads,
  teeReadsRegister,
  teeRuns,
  type Value,
} from "../table.ts";
import { readVectorHalf, VECTOR_COUNT } from "../words.ts";

const REGISTER_COUNT = 31;
const DEVICE_TREE_REGISTER = 2;
const MMU_AND_CACHES = 0x1005n; // SCTLR_EL1.{I, C, M}
const EL1H_ALL_MASKED = 0x3c5;
const FDT_MAGIC_LITTLE_ENDIAN = 0xedfe0dd0;
const FDT_NOP_LITTLE_ENDIAN = 0x04000000;
const FIRST_CORE = 0x80000000; // MPIDR_EL1.RES1
const PRIORITY_OPEN = 0xf8;
/** Those that the kernel itself does not set at once. */
const ZERO_REGISTERS = [
  ...["TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "MAIR_EL1", "CONTEXTIDR_EL1", "TPIDR_EL0", "TPIDR_EL1"],
  ...["ESR_EL1", "FAR_EL1", "PAR_EL1", "SP_EL0", "CNTKCTL_EL1", "ELR_EL1", "SPSR_EL1"],
];

const entered = (index: number, value: Value, mask?: bigint): Step =>
  call(fast(probe.PROBE_ENTRY), [index], [is(0, 0), is(1, value, mask)]);

/** A 64-bit number of the device tree, read as two words in the other order of bytes. */
function readsBigEndian(ipa: number, value: bigint): Step[] {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return [teeReads(ipa, bytes.readUInt32LE(0)), teeReads(ipa + 4, bytes.readUInt32LE(4))];
}

export function entryCases(_kind: TeeKind, memoryMib: number): Case[] {
  const memory = TEE_DEVICE_TREE_IPA + teeDeviceTree().memoryOffset;
  const indices = [...Array(REGISTER_COUNT).keys()];
  return [
    // First: later cases change them.
    {
      name: "EL1 registers are zero when a TEE is booted",
      steps: ZERO_REGISTERS.map((name) => teeReadsRegister(name, 0)),
    },
    {
      name: "FP registers are zero when a TEE is booted",
      steps: [...Array(VECTOR_COUNT).keys()].flatMap((n) => [
        teeRuns(readVectorHalf(n, false), [], 0),
        teeRuns(readVectorHalf(n, true), [], 0),
      ]),
    },
    {
      name: "the GIC's CPU interface is open when a TEE is booted",
      steps: [teeReadsRegister("ICC_PMR_EL1", PRIORITY_OPEN), teeReadsRegister("ICC_IGRPEN1_EL1", 1)],
    },
    {
      name: "x0 to x30 are zero when a TEE is booted, but x2",
      steps: indices.filter((index) => index !== DEVICE_TREE_REGISTER).map((index) => entered(index, 0)),
    },
    {
      name: "x2 is the address of a device tree",
      steps: [
        entered(DEVICE_TREE_REGISTER, TEE_DEVICE_TREE_IPA),
        teeReads(TEE_DEVICE_TREE_IPA, FDT_MAGIC_LITTLE_ENDIAN),
      ],
    },
    {
      name: "the device tree has the normal world's memory",
      steps: [
        ...readsBigEndian(memory, BigInt(NORMAL_RAM_IPA)),
        ...readsBigEndian(memory + 8, BigInt(memoryMib) << 20n),
        // It has no second bank.
        ...[16, 20, 24, 28].map((offset) => teeReads(memory + offset, FDT_NOP_LITTLE_ENDIAN)),
      ],
    },
    {
      name: "a TEE is booted at EL1h, all masked, MMU and caches off",
      steps: [
        entered(probe.PROBE_ENTRY_PSTATE, EL1H_ALL_MASKED),
        entered(probe.PROBE_ENTRY_SCTLR, 0, MMU_AND_CACHES),
      ],
    },
    { name: "MPIDR_EL1 is that of vCPU 0", steps: [teeReadsRegister("MPIDR_EL1", FIRST_CORE)] },
  ];
}
