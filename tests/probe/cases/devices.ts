// The emulated devices, register by register (docs/guest-tee-abi.md, "Emulated devices"; Arm IHI 0069, 12).

import { TEE_GICD_IPA, TEE_GICR_IPA, TEE_INTERRUPT_COUNT, TEE_UART_IPA } from "../../../abi/memory-map.ts";
import * as probe from "../../../abi/probe.ts";
import { deviceRegisters } from "../../../arm/gic.ts";
import {
  type Case,
  call,
  fast,
  is,
  type Step,
  type TeeKind,
  teeReads,
  teeRuns,
  teeWrites,
} from "../table.ts";
import { loadSignedWord } from "../words.ts";

export const deviceOffset = (name: string) => {
  const found = deviceRegisters.find((register) => register.name === name);
  if (found?.offset === undefined) throw new Error(`arm/gic.ts has no ${name}`);
  return found.offset;
};
const gicd = (name: string, word = 0) => TEE_GICD_IPA + deviceOffset(name) + word * 4;
const gicr = (name: string, core = 0) => TEE_GICR_IPA + core * FRAME_SIZE + deviceOffset(name);
const uart = (name: string) => TEE_UART_IPA + deviceOffset(name);

const FRAME_SIZE = 0x20000;
const CORES_MAX = 4;
const ALL_GROUPS_AND_ROUTING = 0x37; // GICD_CTLR: EnableGrp0, EnableGrp1NS, EnableGrp1S, ARE_S, ARE_NS
const SPI_WORDS = TEE_INTERRUPT_COUNT / 32;
const GICV3 = 0x3b;
const ONES = 0xffffffff;
const SECURE_SGIS = 0xff00;
const TYPER_LAST = 0x10;
const UART_FLAGS = 0x90; // TXFE, RXFE
/** "probe", one character a byte: what the host looks for in the TEE's log. */
export const PRINTED = "probe";
const packed = (text: string) => Buffer.from(text.padEnd(8, "\0"), "latin1").readBigUInt64LE();

const timerBit = (kind: TeeKind) => (kind === "vector" ? 1 << 29 : 1 << 27);
const reset = (kind: TeeKind) => SECURE_SGIS | timerBit(kind);
const unsigned = (value: number) => value >>> 0;

/** Reads as zero whatever is written. */
const ignores = (ipa: number): Step[] => [teeReads(ipa, 0), teeWrites(ipa, ONES), teeReads(ipa, 0)];

/** One bit a time is set and cleared, and nothing else changes. */
const setsAndClears = (set: number, clear: number): Step[] => [
  teeReads(set, 0),
  teeWrites(set, 0x80000001),
  teeWrites(set, 0x10),
  teeReads(set, 0x80000011),
  teeReads(clear, 0x80000011),
  teeWrites(clear, 0x80000000),
  teeReads(set, 0x11),
  teeWrites(clear, ONES),
  teeReads(set, 0),
];

function distributorCases(): Case[] {
  const zero = ["GICD_IIDR", "GICD_IGROUPR", "GICD_ISPENDR", "GICD_ICPENDR", "GICD_ISACTIVER"];
  const others = ["GICD_ICACTIVER", "GICD_IPRIORITYR", "GICD_ITARGETSR", "GICD_ICFGR", "GICD_IGRPMODR"];
  const fixed = (name: string, value: number): Case => ({
    name: `${name} reads 0x${value.toString(16)} whatever is written`,
    steps: [teeReads(gicd(name), value), teeWrites(gicd(name), ONES), teeReads(gicd(name), value)],
  });
  return [
    fixed("GICD_CTLR", ALL_GROUPS_AND_ROUTING),
    fixed("GICD_TYPER", SPI_WORDS - 1),
    fixed("GICD_PIDR2", GICV3),
    ...[...zero, ...others, "GICD_NSACR", "GICD_SGIR", "GICD_IROUTER"].map((name) => ({
      name: `${name} reads as zero and ignores writes`,
      steps: [...ignores(gicd(name)), ...ignores(gicd(name, 1))],
    })),
    {
      name: "GICD_ISENABLER1 to 4 and GICD_ICENABLER1 to 4 keep their bits",
      steps: [1, 2, 3, 4].flatMap((word) =>
        setsAndClears(gicd("GICD_ISENABLER", word), gicd("GICD_ICENABLER", word)),
      ),
    },
    {
      name: "GICD_ISENABLER0 and those behind the last SPI ignore writes",
      steps: [0, SPI_WORDS, SPI_WORDS + 1].flatMap((word) => [
        ...ignores(gicd("GICD_ISENABLER", word)),
        ...ignores(gicd("GICD_ICENABLER", word)),
      ]),
    },
    {
      name: "a 64-bit access of a device is two of 32",
      steps: [
        teeWrites(gicd("GICD_ISENABLER", 1), 0x5_0000_0003n, 8),
        teeReads(gicd("GICD_ISENABLER", 1), 0x3),
        teeReads(gicd("GICD_ISENABLER", 2), 0x5),
        teeReads(gicd("GICD_ISENABLER", 1), 0x5_0000_0003n, 8),
        teeWrites(gicd("GICD_ICENABLER", 1), 0xffff_ffff_ffff_ffffn, 8),
        teeReads(gicd("GICD_ISENABLER", 1), 0, 8),
      ],
    },
    {
      name: "narrow and signed loads of a device extend as the instruction says",
      steps: [
        teeWrites(gicd("GICD_ISENABLER", 1), 0x800080f0),
        teeReads(gicd("GICD_ISENABLER", 1), 0xf0, 1),
        teeReads(gicd("GICD_ISENABLER", 1), 0x80f0, 2),
        teeRuns(loadSignedWord(1), [0, gicd("GICD_ISENABLER", 1)], -0x10),
        teeRuns(loadSignedWord(2), [0, gicd("GICD_ISENABLER", 1)], -0x7f10),
        teeRuns(loadSignedWord(4), [0, gicd("GICD_ISENABLER", 1)], -0x7fff7f10),
        teeWrites(gicd("GICD_ICENABLER", 1), ONES),
      ],
    },
  ];
}

function redistributorCases(kind: TeeKind): Case[] {
  const coreCount = kind === "vector" ? 2 : 1;
  const cores = [...Array(CORES_MAX).keys()];
  const keeps = (name: string, value: number): Case => ({
    name: `${name} keeps its bits`,
    steps: [
      teeReads(gicr(name), unsigned(value)),
      teeWrites(gicr(name), 0x12345678),
      teeReads(gicr(name), 0x12345678),
      teeWrites(gicr(name), unsigned(value)),
    ],
  });
  return [
    {
      name: "GICR_TYPER has number and affinity, and marks the last core's",
      steps: cores.flatMap((core) => [
        teeReads(gicr("GICR_TYPER", core), (core << 8) | (core + 1 >= coreCount ? TYPER_LAST : 0)),
        teeReads(gicr("GICR_TYPER", core) + 4, core),
      ]),
    },
    {
      name: "GICR_PIDR2 says GICv3 for every core",
      steps: cores.map((core) => teeReads(gicr("GICR_PIDR2", core), GICV3)),
    },
    keeps("GICR_IGROUPR0", ~reset(kind)),
    keeps("GICR_IGRPMODR0", reset(kind)),
    {
      name: "GICR_ISENABLER0 and GICR_ICENABLER0 keep their bits",
      steps: [
        teeReads(gicr("GICR_ISENABLER0"), reset(kind)),
        teeReads(gicr("GICR_ICENABLER0"), reset(kind)),
        teeWrites(gicr("GICR_ISENABLER0"), 1),
        teeReads(gicr("GICR_ISENABLER0"), unsigned(reset(kind) | 1)),
        teeWrites(gicr("GICR_ICENABLER0"), 1 | 0x100),
        teeReads(gicr("GICR_ISENABLER0"), reset(kind) & ~0x100),
        teeWrites(gicr("GICR_ISENABLER0"), 0x100),
      ],
    },
    {
      name: "GICR_ISPENDR0 and GICR_ICPENDR0 keep their bits",
      steps: setsAndClears(gicr("GICR_ISPENDR0"), gicr("GICR_ICPENDR0")),
    },
    ...[
      ...["GICR_CTLR", "GICR_IIDR", "GICR_WAKER", "GICR_ISACTIVER0", "GICR_ICACTIVER0"],
      ...["GICR_IPRIORITYR", "GICR_ICFGR0", "GICR_ICFGR1", "GICR_NSACR"],
    ].map((name) => ({ name: `${name} reads as zero and ignores writes`, steps: ignores(gicr(name)) })),
    {
      name: "redistributors of cores that the TEE has not are read as zero",
      steps: ["GICR_IGROUPR0", "GICR_ISENABLER0", "GICR_ISPENDR0"].flatMap((name) =>
        ignores(gicr(name, CORES_MAX - 1)),
      ),
    },
  ];
}

function uartCases(): Case[] {
  const zero = ["RSR", "IBRD", "FBRD", "LCR_H", "CR", "IFLS", "IMSC", "RIS", "MIS", "ICR", "DMACR"];
  return [
    { name: "PL011_FR says that the UART is empty", steps: [teeReads(uart("PL011_FR"), UART_FLAGS)] },
    { name: "PL011_DR reads as zero", steps: [teeReads(uart("PL011_DR"), 0)] },
    ...zero.map((name) => ({
      name: `PL011_${name} reads as zero and ignores writes`,
      steps: ignores(uart(`PL011_${name}`)),
    })),
    {
      name: "what a TEE writes to PL011_DR is a line of the machine's secure UART",
      steps: [call(fast(probe.PROBE_PRINT), [packed(PRINTED)], [is(0, 0)])],
    },
  ];
}

export function deviceCases(kind: TeeKind): Case[] {
  return [...distributorCases(), ...redistributorCases(kind), ...uartCases()];
}
