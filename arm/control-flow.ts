// Where execution goes after an instruction, and which addresses it forms: what a walk over code needs (host/rewriter).
// Arm ARM, C4.1. Words that no extension of A64 has given a meaning are told from code by their top-level group only;
// that is enough to notice data after a few words.

export type FlowKind =
  /** The next instruction follows. */
  | "next"
  /** The next instruction follows if what was called returns. */
  | "call"
  /** The next instruction or the target. */
  | "conditional"
  | "jump"
  /** To an address in a register, or out of this exception level. */
  | "end"
  /** No instruction. */
  | "unallocated";

export interface Flow {
  readonly kind: FlowKind;
  /** Byte offset; absent if it is in a register. */
  readonly target?: number;
}

interface DirectBranch {
  readonly mask: number;
  readonly match: number;
  readonly kind: FlowKind;
  readonly high: number;
  readonly low: number;
}

const DIRECT: readonly DirectBranch[] = [
  { mask: 0xfc000000, match: 0x14000000, kind: "jump", high: 25, low: 0 }, // B
  { mask: 0xfc000000, match: 0x94000000, kind: "call", high: 25, low: 0 }, // BL
  { mask: 0xff000000, match: 0x54000000, kind: "conditional", high: 23, low: 5 }, // B.cond, BC.cond
  { mask: 0x7e000000, match: 0x34000000, kind: "conditional", high: 23, low: 5 }, // CBZ, CBNZ
  { mask: 0x7e000000, match: 0x36000000, kind: "conditional", high: 18, low: 5 }, // TBZ, TBNZ
];
/** Bits 28:25: reserved and unallocated groups. */
const UNALLOCATED_GROUPS = [0b0000, 0b0001, 0b0011];

export function flowOf(word: number, offset: number): Flow {
  const branch = DIRECT.find(({ mask, match }) => (word & mask) >>> 0 === match);
  if (branch !== undefined)
    return { kind: branch.kind, target: offset + signedBits(word, branch.high, branch.low) * 4 };
  if (word >>> 25 === 0xd6 >>> 1) return { kind: ((word >>> 21) & 7) === 1 ? "call" : "end" }; // BLR; BR, RET, ERET
  if (word >>> 24 === 0xd4) return { kind: "call" }; // SVC, HVC, SMC, BRK, HLT: may come back
  if (UNALLOCATED_GROUPS.includes((word >>> 25) & 0xf)) return { kind: "unallocated" };
  return { kind: "next" };
}

/** LDR (literal) of general and SIMD registers, LDRSW, PRFM: the bytes that it reads, if it is one. */
export function literalOf(word: number, offset: number): { offset: number; size: number } | undefined {
  if ((word & 0x3b000000) >>> 0 !== 0x18000000) return undefined;
  const isSimd = (word & 0x4000000) !== 0;
  const size = (isSimd ? [4, 8, 16, 0] : [4, 8, 4, 0])[word >>> 30]!; // PRFM reads nothing
  return { offset: offset + signedBits(word, 23, 5) * 4, size };
}

/** ADR and ADRP: register and what it holds after. */
export function formedAddress(
  word: number,
  offset: number,
): { register: number; value: number; isPage: boolean } | undefined {
  if ((word & 0x1f000000) >>> 0 !== 0x10000000) return undefined;
  const isPage = word >>> 31 === 1;
  const immediate = signedBits(word, 23, 5) * 4 + ((word >>> 29) & 3);
  const value = isPage ? offset - (offset % 0x1000) + immediate * 0x1000 : offset + immediate;
  return { register: word & 0x1f, value, isPage };
}

/** ADD (immediate), 64 bits: the low bits that follow an ADRP. */
export function addedImmediate(word: number): { register: number; value: number } | undefined {
  if ((word & 0xff800000) >>> 0 !== 0x91000000) return undefined;
  const shift = (word & 0x400000) === 0 ? 0 : 12;
  return { register: (word >>> 5) & 0x1f, value: ((word >>> 10) & 0xfff) << shift };
}

function signedBits(word: number, high: number, low: number): number {
  return (word << (31 - high)) >> (31 - high + low);
}
