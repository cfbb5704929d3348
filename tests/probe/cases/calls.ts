// Calls: which world an SMC goes to, what it leaves as it was, and what the TEE is told (SMCCC, Arm DEN 0028; PSCI, Arm DEN 0022).

import * as probe from "../../../abi/probe.ts";
import * as smccc from "../../../abi/smccc.ts";
import * as tee from "../../../abi/tee.ts";
import { encode } from "../../../arm/instructions.ts";
import {
  between,
  type Case,
  call,
  EC_UNKNOWN,
  failsWith,
  fast,
  is,
  join,
  low32,
  MINUS_ONE,
  preserves,
  readsRegister,
  run,
  type Step,
  start,
  succeeds,
  type TeeKind,
  teeIsThere,
  teeReadsRegister,
  teeRuns,
  teeWritesRegister,
  UNKNOWN,
  type Value,
  writesRegister,
  yielding,
} from "../table.ts";
import * as words from "../words.ts";

const OWNER_COUNT = 64;
const FIRST_TEE_OWNER = smccc.SMCCC_OWNER_TRUSTED_APPLICATIONS;
const ofOwner = (owner: number, isFast: boolean) =>
  ((isFast ? smccc.SMCCC_FAST_CALL : 0) + owner * 2 ** smccc.SMCCC_OWNER_SHIFT + UNKNOWN) % 2 ** 32;
const owners = (from: number, to: number) => [...Array(to - from).keys()].map((index) => from + index);
/** What ran before answers UNKNOWN with its number, -1 or what it likes; but it is no TEE. */
const NOT_OURS = is(0, MINUS_ONE, 0xffffffffn);

/** Registers that both worlds have, with bits that can be set without a consequence. */
const SHARED_REGISTERS: readonly (readonly [name: string, bits: bigint])[] = [
  ["TPIDR_EL0", 0xffff_ffff_ffff_ffffn],
  ["TPIDRRO_EL0", 0xffff_ffff_ffff_ffffn],
  ["TPIDR_EL1", 0xffff_ffff_ffff_ffffn],
  ["CONTEXTIDR_EL1", 0xffff_ffffn],
  ["MAIR_EL1", 0xffff_ffff_ffff_ffffn],
  ["TTBR0_EL1", 0x0000_ffff_ffff_f000n],
  ["TTBR1_EL1", 0x0000_ffff_ffff_f000n],
  ["FAR_EL1", 0xffff_ffff_ffff_ffffn],
  ["ELR_EL1", 0x0000_ffff_ffff_fffcn],
  ["SPSR_EL1", 0x0000_03c5n],
  ["SP_EL0", 0xffff_ffff_ffff_fff0n],
  ["CSSELR_EL1", 0x6n],
  ["CNTKCTL_EL1", 0x303n],
];
const ONE = 0xa5a5_5a5a_c3c3_3c3cn;
const OTHER = 0x5a5a_a5a5_3c3c_c3c3n;

function registerSteps(registers: typeof SHARED_REGISTERS): Step[] {
  const each = (action: (name: string, bits: bigint) => Step) =>
    registers.map(([name, bits]) => action(name, bits));
  return [
    ...each((name, bits) => writesRegister(name, ONE & bits)),
    ...each((name, bits) => teeWritesRegister(name, OTHER & bits)),
    ...each((name, bits) => readsRegister(name, ONE & bits)),
    ...each((name, bits) => teeReadsRegister(name, OTHER & bits)),
    ...each((name) => writesRegister(name, 0)),
    ...each((name) => teeWritesRegister(name, 0)),
  ];
}

/** ICC_*_EL1 of each world are virtual; the values that firmware or the kernel has set are put back. */
function interfaceSteps(): Step[] {
  return [
    writesRegister("ICC_PMR_EL1", 0x50),
    writesRegister("ICC_BPR1_EL1", 5),
    teeWritesRegister("ICC_PMR_EL1", 0xa0),
    teeWritesRegister("ICC_BPR1_EL1", 6),
    teeWritesRegister("ICC_IGRPEN1_EL1", 0),
    readsRegister("ICC_PMR_EL1", 0x50),
    readsRegister("ICC_BPR1_EL1", 5),
    teeReadsRegister("ICC_PMR_EL1", 0xa0),
    teeReadsRegister("ICC_BPR1_EL1", 6),
    teeReadsRegister("ICC_IGRPEN1_EL1", 0),
    teeWritesRegister("ICC_IGRPEN1_EL1", 1),
    teeWritesRegister("ICC_PMR_EL1", 0xf8),
    teeWritesRegister("ICC_BPR1_EL1", 0),
    writesRegister("ICC_BPR1_EL1", 0),
  ];
}

function vectorSteps(): Step[] {
  const halves = [...Array(words.VECTOR_COUNT).keys()].flatMap((n) => [
    { n, isHigh: false, value: BigInt(n) * 0x0101_0101_0101_0101n },
    { n, isHigh: true, value: ~BigInt(n) },
  ]);
  const write = (n: number, isHigh: boolean) => words.writeVectorHalf(n, isHigh);
  return [
    ...halves.map(({ n, isHigh, value }) => run(write(n, isHigh), [value])),
    ...halves.map(({ n, isHigh, value }) => teeRuns(write(n, isHigh), [value + 1n])),
    ...halves.map(({ n, isHigh, value }) =>
      run(words.readVectorHalf(n, isHigh), [], [succeeds, is(0, value)]),
    ),
    ...halves.map(({ n, isHigh, value }) => teeRuns(words.readVectorHalf(n, isHigh), [], value + 1n)),
  ];
}

const teeSmc = (x0: Value, answer: Value) => teeRuns(words.SMC, [x0], answer);

export function callCases(kind: TeeKind): Case[] {
  const by = (entry: number) => (kind === "vector" ? entry : probe.PROBE_BY_RESUMING);
  const here = (fid: number, entry: number) => [
    is(0, probe.PROBE_HERE),
    is(1, fid),
    is(2, by(entry)),
    is(3, 0),
  ];
  return [
    {
      name: "fast and yielding calls of owners 48 to 63 reach the TEE by their own entries",
      steps: owners(FIRST_TEE_OWNER, OWNER_COUNT).flatMap((owner) => [
        call(ofOwner(owner, true), [], here(ofOwner(owner, true), probe.PROBE_BY_FAST)),
        call(ofOwner(owner, false), [], here(ofOwner(owner, false), probe.PROBE_BY_YIELDING)),
      ]),
    },
    {
      name: "fast and yielding calls of owners 0 to 47 do not reach the TEE",
      steps: owners(0, FIRST_TEE_OWNER).flatMap((owner) => [
        call(ofOwner(owner, true), [], [NOT_OURS]),
        call(ofOwner(owner, false), [], [NOT_OURS]),
      ]),
    },
    {
      name: "PSCI is the hypervisor's, by SMC and by HVC",
      steps: [words.SMC, words.HVC].flatMap((word) => [
        run(word, [smccc.PSCI_VERSION_FID], [succeeds, preserves, is(0, smccc.PSCI_VERSION_1_1)]),
        run(word, [smccc.PSCI_FEATURES_FID, smccc.PSCI_SYSTEM_OFF_FID], [succeeds, low32(0, 0)]),
        run(word, [smccc.PSCI_CPU_ON_64_FID, 0, 0x40000000, 0], [succeeds, low32(0, -4)]), // ALREADY_ON
        run(word, [smccc.PSCI_MIGRATE_INFO_TYPE_FID], [succeeds, low32(0, smccc.PSCI_MIGRATE_NOT_REQUIRED)]),
      ]),
    },
    {
      name: "SMCCC_VERSION of the normal world is the hypervisor's",
      steps: [
        // Newer than what the monitor has.
        call(smccc.SMCCC_VERSION_FID, [], [between(0, smccc.SMCCC_VERSION_1_1 + 1, SMCCC_VERSION_NEXT - 1)]),
      ],
    },
    {
      name: "a TEE's SMCCC_VERSION is answered 1.1",
      steps: [teeSmc(smccc.SMCCC_VERSION_FID, smccc.SMCCC_VERSION_1_1)],
    },
    {
      name: "a TEE's SMCs that the monitor does not know are answered NOT_SUPPORTED",
      steps: [...[0, 0x84000000, 0xc4000003, 0x84000008, 0xb2000001, 0xbdffffff, 0xbe000010, 0xffffffff]].map(
        (fid) => teeSmc(fid, MINUS_ONE),
      ),
    },
    {
      name: "a call passes x0 to x7 and leaves x4 to x30",
      steps: [
        call(
          fast(probe.PROBE_EXECUTE),
          [words.NOP, 0x1111_2222_3333_4444n, 0x5555_6666_7777_8888n, 3, 4, 5, 6],
          [is(0, 0), is(1, 0x1111_2222_3333_4444n), is(2, 0x5555_6666_7777_8888n)],
        ),
        // x2…x5 of the instruction, by an addition each: add x0, x<n>, #0.
        ...[2, 3, 4, 5].map((n) =>
          call(
            fast(probe.PROBE_EXECUTE),
            [0x91000000 + n * 32, 0, 0, 0x102, 0x103, 0x104, 0x105],
            [is(0, 0), is(1, 0x100 + n)],
          ),
        ),
      ],
    },
    {
      name: "an SMC with an immediate is the hypervisor's, whatever it asks for",
      steps: [run(encode("SMC", { IMM16: 1 }), [fast(UNKNOWN)], failsWith(EC_UNKNOWN)), teeIsThere],
    },
    { name: "the worlds' EL1 registers are their own", steps: registerSteps(SHARED_REGISTERS) },
    { name: "the worlds' interfaces of the GIC are their own", steps: interfaceSteps() },
    { name: "the worlds' FP registers are their own", steps: vectorSteps() },
    {
      name: "a TEE that yields goes on when its caller has executed its SMC again",
      steps: [...Array(5)].map(() =>
        call(fast(probe.PROBE_EXECUTE), [words.SMC, tee.TEE_YIELD, 0x77], [is(0, 0), is(2, 0x77)]),
      ),
    },
    {
      name: "another vCPU's call is answered, too",
      steps: [
        start(words.SMC, [fast(UNKNOWN)]),
        join([succeeds, preserves, is(0, probe.PROBE_HERE), is(3, kind === "vector" ? 1 : 0)]),
        teeIsThere,
      ],
    },
    {
      name: "calls of two vCPUs at the same time both get their own answer",
      steps: [...Array(3)].flatMap((_, turn) => [
        start(words.SMC, [yielding(probe.PROBE_LOOP), LONG_TICKS, 3]),
        ...[...Array(20).keys()].map((index) =>
          call(fast(probe.PROBE_EXECUTE), [words.NOP, turn, index], [is(0, 0), is(1, turn), is(2, index)]),
        ),
        join([succeeds, preserves, is(0, 0)]),
      ]),
    },
    {
      name: "a call of a vCPU meanwhile is repeated until the TEE is free, or served by a core of its own",
      steps: [
        start(words.SMC, [fast(probe.PROBE_LOOP), LONG_TICKS, 0]),
        run(words.NOP),
        call(fast(UNKNOWN), [], [is(0, probe.PROBE_HERE), is(3, 0)]),
        join([succeeds, preserves, is(0, 0)]),
      ],
    },
  ];
}

const SMCCC_VERSION_NEXT = 0x20000;
/** 20 ms at 62.5 MHz. */
const LONG_TICKS = 1_250_000;
