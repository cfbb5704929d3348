// The lines that el1/attest/attest.c writes into a guest's kernel log, as what they mean:
//
//   TAG size 00000000000001f3                  the answer of the first call: a size, or a negative code
//   TAG 0038 0123456789abcdef … (7 numbers)    a piece: its offset, and x1…x7
//
// busybox's insmod tries a module that has failed a second time, by another system call: the last answer counts.

import { ATTEST_CALL_PIECE_SIZE } from "../../abi/attest-call.ts";
import { ATTEST_EVIDENCE_SIZE_MAX } from "../../abi/attest-compartment.ts";

export type EvidenceAnswer =
  | { readonly evidence: Uint8Array }
  /** Why there is none (abi/attest-call.ts). */
  | { readonly code: bigint };

const WORD_SIZE = 8;
const WORDS = `((?: [0-9a-f]{16}){${ATTEST_CALL_PIECE_SIZE / WORD_SIZE}})`;

/** Undefined if the log does not have the whole answer. */
export function readEvidenceLog(log: string, tag: string): EvidenceAnswer | undefined {
  const last = lastSizeIn(log, tag);
  if (last === undefined) return undefined;
  const { size, end } = last;
  if (size <= 0n) return { code: size };
  if (size > BigInt(ATTEST_EVIDENCE_SIZE_MAX)) return undefined;
  const evidence = piecesIn(log.slice(end), tag, Number(size));
  return evidence === undefined ? undefined : { evidence };
}

function lastSizeIn(log: string, tag: string): { size: bigint; end: number } | undefined {
  const match = [...log.matchAll(new RegExp(`\\b${tag} size ([0-9a-f]{16})$`, "gm"))].at(-1);
  if (match === undefined) return undefined;
  return { size: BigInt.asIntN(64, BigInt(`0x${match[1]}`)), end: match.index + match[0].length };
}

/** Each piece must be there, at its place, and nothing behind the end of the last. */
function piecesIn(log: string, tag: string, size: number): Uint8Array | undefined {
  const rows = [...log.matchAll(new RegExp(`\\b${tag} ([0-9a-f]{4})${WORDS}$`, "gm"))];
  const count = Math.ceil(size / ATTEST_CALL_PIECE_SIZE);
  const areInOrder = rows.every(([, offset], at) => Number(`0x${offset}`) === at * ATTEST_CALL_PIECE_SIZE);
  if (rows.length !== count || !areInOrder) return undefined;
  const bytes = Buffer.concat(rows.map(([, , words]) => bytesOf(words!)));
  return bytes.subarray(size).every((byte) => byte === 0)
    ? new Uint8Array(bytes.subarray(0, size))
    : undefined;
}

function bytesOf(words: string): Buffer {
  const numbers = words.trim().split(" ");
  const bytes = Buffer.alloc(numbers.length * WORD_SIZE);
  for (const [at, number] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(`0x${number}`), at * WORD_SIZE);
  return bytes;
}
