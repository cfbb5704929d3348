// The instructions that no code at EL2 may contain: those by which it could change what an address means to it or its
// guests, or where its own exceptions go, without asking the monitor. One list for the rewriter (host/rewriter), the
// scanner at EL3 (generated: el3/monitor/arm/forbidden.gen.ts) and the documents. Why these and no others:
// docs/decisions/0011-forbidden-instructions.md.
//
// A row is a pattern: `word & mask === match`. Whole groups rather than single registers where the architecture keeps
// a group for translation, so that the registers of extensions to come are in it.

import { encodingName, type SystemEncoding } from "./describe.ts";
import { encode, fieldOf, instruction, isInstruction } from "./instructions.ts";
import { findRegister, systemRegisters } from "./registers.ts";

export interface ForbiddenPattern {
  /** As one would write it, e.g. `msr HCR_EL2, xt`. */
  readonly assembly: string;
  readonly mask: number;
  readonly match: number;
  /** What its execution by a hostile hypervisor would reach. */
  readonly reason: string;
}

type Operand = keyof SystemEncoding;

const ANY_RT_MASK = 0xffffffe0;
const OPERAND_FIELD: Record<Operand, string> = { op0: "O0", op1: "OP1", crn: "CRN", crm: "CRM", op2: "OP2" };

/** Written by these names at EL2; the pair form (MSRR) of each is forbidden too, whether there is one today or not. */
const REGISTERS: readonly [name: string, reason: string][] = [
  ["SCTLR_EL2", "stage 1 off, WXN off, other endianness of walks"],
  ["SCTLR2_EL2", "further controls of stage 1"],
  ["HCR_EL2", "stage 2 off, E2H: other registers behind the names, SMCs kept from the monitor"],
  ["HCRX_EL2", "further controls of stage 2 and of what a guest may turn on"],
  ["VBAR_EL2", "exits of a guest's secure world seen by the hypervisor"],
  ["S2POR_EL1", "other permissions in the same stage 2"],
];

/** Groups of which EL2's registers are all translation's, but a few that only restrict or partition. */
const GROUPS: readonly [crn: number, registers: string, reason: string][] = [
  [
    2,
    "TTBR0 TTBR1 TCR TCR2 VTTBR VTCR VNCR HDBSS* HACDBS* VSTTBR VSTCR",
    "other tables, or read differently",
  ],
  [10, "MAIR MAIR2 AMAIR AMAIR2 PIR PIRE0 POR S2PIR", "other memory types or permissions in the same tables"],
];

/** Op0 3 with these CRn is the implementation's own, op0 1 likewise: no manual of the architecture bounds them. */
const IMPLEMENTATION_DEFINED_CRN = [11, 15];

export const forbiddenPatterns: readonly ForbiddenPattern[] = [
  ...REGISTERS.flatMap(([name, reason]) => {
    const encoding = findRegister(name)?.encoding;
    if (encoding === undefined) throw new Error(`arm/registers.ts has no ${name}`);
    return bothWidths(name, encoding, reason);
  }),
  ...GROUPS.flatMap(([crn, registers, reason]) =>
    bothWidths(`S3_4_C${crn}_*`, { op0: 3, op1: 4, crn }, `${registers}: ${reason}`),
  ),
  ...IMPLEMENTATION_DEFINED_CRN.flatMap((crn) => [
    {
      ...pattern("MSR", { op0: 3, crn }),
      assembly: `msr S3_*_C${crn}_*, xt`,
      reason: "implementation defined: may control caches, TLBs and coherency",
    },
    {
      ...pattern("SYS", { crn }),
      assembly: `sys #*, C${crn}, *, #*, xt`,
      reason: "implementation defined: may read or change caches and TLBs directly",
    },
  ]),
  ...[2, 4, 6].map((op2) => ({
    ...pattern("SYS", { op1: 0, crn: 7, crm: 6, op2 }),
    assembly: `dc ${["isw", "igsw", "igdsw"][op2 / 2 - 1]}, xt`,
    reason: "discards dirty cache lines of memory that is not the hypervisor's",
  })),
];

export function forbiddenPattern(word: number): ForbiddenPattern | undefined {
  return forbiddenPatterns.find(({ mask, match }) => (word & mask) >>> 0 === match);
}

/** The instruction itself, as an assembler would write it, as far as we know its register: `msr TTBR1_EL2, x3`. */
export function forbiddenAssembly(word: number): string | undefined {
  const found = forbiddenPattern(word);
  if (found === undefined) return undefined;
  const rt = (operand: number) => (operand % 32 === 31 ? "xzr" : `x${operand % 32}`);
  for (const name of ["MSR", "MSRR"]) {
    const row = instruction(name);
    if (!isInstruction(word, row)) continue;
    const [op1, crn, crm, op2, first] = ["OP1", "CRN", "CRM", "OP2", "RT"].map((field) =>
      fieldOf(word, row, field),
    ) as [number, number, number, number, number];
    const encoding = encodingName({ op0: 3, op1, crn, crm, op2 });
    const known = systemRegisters.find((register) => encodingName(register.encoding!) === encoding);
    const second = name === "MSRR" ? `, ${rt(first + 1)}` : "";
    return `${name.toLowerCase()} ${known?.name ?? encoding}, ${rt(first)}${second}`;
  }
  return found.assembly;
}

function bothWidths(name: string, operands: Partial<SystemEncoding>, reason: string): ForbiddenPattern[] {
  return [
    { ...pattern("MSR", operands), assembly: `msr ${name}, xt`, reason },
    { ...pattern("MSRR", operands), assembly: `msrr ${name}, xt, xt+1`, reason },
  ];
}

/** Any Rt; operands that are not named may be anything. */
function pattern(name: string, operands: Partial<SystemEncoding>): Pick<ForbiddenPattern, "mask" | "match"> {
  const { mask, fields } = instruction(name);
  const values: Record<string, number> = {};
  let fixed = mask;
  for (const [operand, field] of Object.entries(OPERAND_FIELD) as [Operand, string][]) {
    const value = operands[operand];
    const range = fields[field];
    if (value === undefined || range === undefined) continue;
    values[field] = operand === "op0" ? value - 2 : value;
    fixed |= ((1 << (range.high - range.low + 1)) - 1) << range.low;
  }
  return { mask: (fixed & ANY_RT_MASK) >>> 0, match: encode(name, values) };
}
