// Which words of an image are code: those that execution can reach, by a walk from the image's entries along branches,
// calls and the addresses that code or data mention. An entry is believed; a mentioned address may be that of data, so
// it counts only if everything that is reached from it decodes. What is not reached is data, or code that nothing was
// seen to refer to: the caller must not touch either (docs/decisions/0011-forbidden-instructions.md).

import { addedImmediate, flowOf, formedAddress, literalOf } from "../../arm/control-flow.ts";

const PAGE_SIZE = 0x1000;
/** Hypervisors are linked at a multiple of this; pointers in their data tell which. */
const LINK_ALIGNMENT_SHIFT = 21n;

export interface ReachableCode {
  /** Offsets of reached instructions. */
  readonly code: ReadonlySet<number>;
  /** Offsets of words that reached code loads as literals. */
  readonly literals: ReadonlySet<number>;
  /** Numbers of 4 KiB pages that hold reached code: those that can be executable. */
  readonly pages: ReadonlySet<number>;
}

export function reachableCode(image: Uint8Array, entries: readonly number[]): ReachableCode {
  const words = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const code = new Set<number>();
  const literals = new Set<number>();
  const believed = new Set(entries);
  const seen = new Set<number>();
  const queue = [...entries, ...pointersInto(words)];
  for (let start = queue.pop(); start !== undefined; start = queue.pop()) {
    if (seen.has(start)) continue;
    seen.add(start);
    const found = walk(words, start, code);
    if (!found.isCode && !believed.has(start)) continue;
    for (const offset of found.code) code.add(offset);
    for (const offset of found.literals) literals.add(offset);
    queue.push(...found.addresses);
  }
  return { code, literals, pages: new Set([...code].map((offset) => Math.floor(offset / PAGE_SIZE))) };
}

interface Walk {
  readonly code: Set<number>;
  readonly literals: Set<number>;
  /** Addresses in the image that this code forms. */
  readonly addresses: Set<number>;
  /** False if execution would run into something that is no instruction, or out of the image. */
  isCode: boolean;
}

function walk(words: DataView, start: number, known: ReadonlySet<number>): Walk {
  const found: Walk = { code: new Set(), literals: new Set(), addresses: new Set(), isCode: true };
  const starts = [start];
  for (let next = starts.pop(); next !== undefined; next = starts.pop())
    starts.push(...walkStraight(words, next, known, found));
  return found;
}

/** From one instruction to the next until execution goes elsewhere; returns where else it may go. */
function walkStraight(words: DataView, start: number, known: ReadonlySet<number>, found: Walk): number[] {
  const targets: number[] = [];
  const pages = new Map<number, number>();
  let mayHaveEnded = false;
  for (let offset = start; !known.has(offset) && !found.code.has(offset); offset += 4) {
    const isInside = offset % 4 === 0 && offset >= 0 && offset + 4 <= words.byteLength;
    const word = isInside ? words.getUint32(offset, true) : 0;
    const { kind, target } = flowOf(word, offset);
    if (kind === "unallocated") {
      // Behind a call that does not return there may be anything.
      if (!mayHaveEnded) found.isCode = false;
      return targets;
    }
    found.code.add(offset);
    noteMentions(word, offset, pages, words.byteLength, found);
    if (target !== undefined) targets.push(target);
    if (kind === "jump" || kind === "end") return targets;
    mayHaveEnded = kind === "call";
  }
  return targets;
}

function noteMentions(
  word: number,
  offset: number,
  pages: Map<number, number>,
  imageSize: number,
  { literals, addresses }: Walk,
): void {
  const mention = (address: number) => {
    if (address % 4 === 0 && address >= 0 && address < imageSize) addresses.add(address);
  };
  const literal = literalOf(word, offset);
  for (let part = 0; literal !== undefined && part < literal.size; part += 4)
    literals.add(literal.offset + part);
  const formed = formedAddress(word, offset);
  if (formed?.isPage) pages.set(formed.register, formed.value);
  else if (formed !== undefined) mention(formed.value);
  const added = addedImmediate(word);
  const page = added === undefined ? undefined : pages.get(added.register);
  if (added !== undefined && page !== undefined) mention(page + added.value);
}

/** Offsets that aligned 64-bit words of the image name, by the address that it was linked for. */
function pointersInto(words: DataView): number[] {
  const values: bigint[] = [];
  for (let offset = 0; offset + 8 <= words.byteLength; offset += 8)
    values.push(words.getBigUint64(offset, true));
  const counts = new Map<bigint, number>();
  for (const value of values) {
    const window = value >> LINK_ALIGNMENT_SHIFT;
    if (window !== 0n && value % 4n === 0n) counts.set(window, (counts.get(window) ?? 0) + 1);
  }
  const [commonest] = [...counts].sort(([, left], [, right]) => right - left);
  if (commonest === undefined) return [];
  const base = commonest[0] << LINK_ALIGNMENT_SHIFT;
  return values
    .map((value) => value - base)
    .filter((offset) => offset >= 0n && offset < BigInt(words.byteLength) && offset % 4n === 0n)
    .map(Number);
}
