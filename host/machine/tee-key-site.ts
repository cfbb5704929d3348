// Finds in an OP-TEE image the function that gives its kernel the hardware unique key: the weak
// `tee_otp_get_hw_unique_key` of core/kernel/otp_stubs.c, which clears 16 bytes and says TEE_SUCCESS. The monitor lets
// it ask for the guest's own key instead (docs/decisions/0032-hardware-unique-key.md). A platform that has a function of
// its own has none of this shape; then there is no site.
//
// What identifies it is what it does, in any order in which a compiler puts it: a frame, memset(x0, 0, 16) by BL, the
// frame taken down, 0 returned; and who calls it: one place in the image, that has asked for an HMAC-SHA-256 just before
// (huk_subkey_derive, core/kernel/huk_subkey.c).

import { TEE_KEY_WORD_COUNT } from "../../abi/boot-package.ts";
import { encode, fieldOf, instruction, isInstruction } from "../../arm/instructions.ts";

export interface KeySite {
  /** Of the function's first instruction in the image. */
  readonly offset: number;
  /** What stands there: the words that the monitor replaces. */
  readonly words: readonly number[];
}

const INSTRUCTION_SIZE = 4;
const SP = 31;
const ZERO = 31;
const FRAME_POINTER = 29;
const LINK = 30;
/** CFG_HW_UNIQUE_KEY_LENGTH, unless a platform says otherwise. */
const KEY_SIZE = 16;
/** TEE_ALG_HMAC_SHA256 of the TEE Internal Core API (GPD_SPE_010), table 6-4. */
const ALGORITHM_LOW = 0x0004;
const ALGORITHM_HIGH = 0x3000;
/** Instructions before the call in which the caller has named the algorithm; it is 10 in the images that were looked at. */
const CALLER_WINDOW = 32;

/** IMM7 of a pair counts in 8 bytes and is signed. */
const FRAME = { RT: FRAME_POINTER, RT2: LINK, RN: SP };
const PUSH_FRAME = encode("STP_X_PRE", { ...FRAME, IMM7: 0x80 - 2 });
const POP_FRAME = encode("LDP_X_POST", { ...FRAME, IMM7: 2 });
const SET_FRAME_POINTER = encode("MOV_X_FROM_SP", { RD: FRAME_POINTER });
const RET = encode("RET", { RN: LINK });
const PACIASP = encode("PACIASP", {});
const AUTIASP = encode("AUTIASP", {});
const BTI_C = encode("BTI_C", {});
const BL = instruction("BL");
const IMM26_BITS = 26;

/** A register set to a small number, as compilers write it. */
function movesOf(register: number, value: number): number[] {
  const wide = { RD: register, IMM16: value, HW: 0 };
  const moves = [encode("MOVZ_W", wide), encode("MOVZ_X", wide)];
  if (value === 0)
    moves.push(encode("MOV_W", { RD: register, RM: ZERO }), encode("MOV_X", { RD: register, RM: ZERO }));
  return moves;
}

const ARGUMENTS = [movesOf(1, 0), movesOf(2, KEY_SIZE), [SET_FRAME_POINTER]];
const SUCCESS = movesOf(0, 0);
const ALGORITHM = [
  encode("MOVZ_W", { RD: 1, IMM16: ALGORITHM_LOW, HW: 0 }),
  encode("MOVK_W", { RD: 1, IMM16: ALGORITHM_HIGH, HW: 1 }),
];

/** Undefined if the image has no such function. Throws a RangeError if more than one could be it. */
export function findKeySite(image: Uint8Array): KeySite | undefined {
  const words = wordsOf(image);
  const starts = [...words.keys()]
    .map((at) => functionStart(words, at))
    .filter((start) => start !== undefined);
  const callers = starts.map((start) => callersOf(words, start));
  const found = starts.filter((_, index) => {
    const [caller, ...others] = callers[index]!;
    return caller !== undefined && others.length === 0 && hasNamedAlgorithm(words, caller);
  });
  if (found.length > 1) {
    const places = found.map((start) => `0x${(start * INSTRUCTION_SIZE).toString(16)}`).join(" ");
    throw new RangeError(`${found.length} functions could be the one of its hardware unique key: ${places}`);
  }
  const [start] = found;
  if (start === undefined) return undefined;
  return {
    offset: start * INSTRUCTION_SIZE,
    words: [...words.subarray(start, start + TEE_KEY_WORD_COUNT)],
  };
}

/** The index of the first instruction of a function of this shape whose frame is made at `frame`. */
function functionStart(words: Uint32Array, frame: number): number | undefined {
  if (words[frame] !== PUSH_FRAME) return undefined;
  const isSigned = words[frame - 1] === PACIASP;
  const call = frame + 1 + ARGUMENTS.length;
  const ending = isSigned ? [[POP_FRAME], [AUTIASP], SUCCESS] : [[POP_FRAME], SUCCESS];
  const end = call + 1 + ending.length;
  const isIt =
    areInAnyOrder(words.subarray(frame + 1, call), ARGUMENTS) &&
    isInstruction(words[call] ?? 0, BL) &&
    areInAnyOrder(words.subarray(call + 1, end), ending) &&
    words[end] === RET;
  if (!isIt) return undefined;
  return isSigned || words[frame - 1] === BTI_C ? frame - 1 : frame;
}

/** Each of `words` is one of another of `choices`. No word is in two of them. */
function areInAnyOrder(words: Uint32Array, choices: readonly (readonly number[])[]): boolean {
  return (
    words.length === choices.length && choices.every((choice) => words.some((word) => choice.includes(word)))
  );
}

/** Indices of the BL instructions whose target is `start`. */
function callersOf(words: Uint32Array, start: number): number[] {
  const callers: number[] = [];
  words.forEach((word, at) => {
    if (isInstruction(word, BL) && at + signed(fieldOf(word, BL, "IMM26"), IMM26_BITS) === start)
      callers.push(at);
  });
  return callers;
}

function hasNamedAlgorithm(words: Uint32Array, caller: number): boolean {
  const before = words.subarray(Math.max(0, caller - CALLER_WINDOW), caller);
  return ALGORITHM.every((word) => before.includes(word));
}

function wordsOf(image: Uint8Array): Uint32Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const words = new Uint32Array(Math.floor(image.length / INSTRUCTION_SIZE));
  return words.map((_, index) => view.getUint32(index * INSTRUCTION_SIZE, true));
}

const signed = (value: number, width: number) => (value << (32 - width)) >> (32 - width);
