// The language of the probe's cases: a case is steps of the probe guest, most of them calls by which it has its TEE do
// something; each says what must come of it (abi/probe-cases.ts).

import * as probe from "../../abi/probe.ts";
import * as abi from "../../abi/probe-cases.ts";
import * as words from "./words.ts";

export type TeeKind = "vector" | "resume";

export interface Check {
  readonly source: number;
  readonly mask: bigint;
  readonly low: bigint;
  readonly high: bigint;
}

export interface Step {
  readonly kind: number;
  readonly word: number;
  readonly x: readonly bigint[];
  readonly checks: readonly Check[];
}

export interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** A case that ends its TEE: in a guest of its own. */
export interface StopCase extends Case {
  /** What the TEE executes when it boots, instead of steps before. */
  readonly boot?: { readonly word: number; readonly x0: bigint; readonly x1?: bigint };
  /** FAULT_* and its detail, or undefined where this kind of TEE goes on. */
  readonly fault: { readonly reason: number; readonly detail?: bigint } | undefined;
}

export type Value = bigint | number;
const ALL = 2n ** 64n - 1n;
const LOW_WORD = 0xffffffffn;
const ESR_EC_SHIFT = 26n;
export const EC_UNKNOWN = 0n;
export const EC_INSTRUCTION_ABORT = 0x21n;
export const EC_DATA_ABORT = 0x25n;
/** SMCCC NOT_SUPPORTED. */
export const MINUS_ONE = ALL;
/** x4…x30: what an answer leaves as it was (SMCCC 1.1 leaves x18…x30; a guest's are left from x4 on). */
const PRESERVED = 0x7ffffff0n;

export const is = (source: number, value: Value, mask: bigint = ALL): Check => ({
  source,
  mask,
  low: BigInt.asUintN(64, BigInt(value)) & mask,
  high: BigInt.asUintN(64, BigInt(value)) & mask,
});
export const between = (source: number, low: Value, high: Value = ALL): Check => ({
  source,
  mask: ALL,
  low: BigInt(low),
  high: BigInt(high),
});
export const low32 = (source: number, value: Value) => is(source, value, LOW_WORD);
export const succeeds = is(abi.CHECK_OF_OUTCOME, 0);
export const failsWith = (exceptionClass: bigint): Check[] => [
  is(abi.CHECK_OF_OUTCOME, 1),
  is(abi.CHECK_OF_ESR, exceptionClass << ESR_EC_SHIFT, 0x3fn << ESR_EC_SHIFT),
];
export const preserves = is(abi.CHECK_OF_CHANGED, 0, PRESERVED);

const step = (kind: number, word: number, x: readonly Value[], checks: readonly Check[]): Step => ({
  kind,
  word,
  x: x.map((value) => BigInt.asUintN(64, BigInt(value))),
  checks,
});

/** The guest executes an instruction; without checks it must only succeed. */
export const run = (word: number, x: readonly Value[] = [], checks: readonly Check[] = [succeeds]): Step =>
  step(abi.STEP_RUN, word, x, checks);
export const start = (word: number, x: readonly Value[]): Step => step(abi.STEP_START, word, x, []);
export const join = (checks: readonly Check[]): Step => step(abi.STEP_JOIN, words.NOP, [], checks);
export const wait = (ticks: number): Step => step(abi.STEP_WAIT, words.NOP, [ticks], []);
export const period = (ticks: number): Step => step(abi.STEP_PERIOD, words.NOP, [ticks], []);

export const fast = (command: number) => probe.PROBE_FAST_CALL + command;
export const yielding = (command: number) => probe.PROBE_YIELDING_CALL + command;

/** What every answered call leaves as it was. */
const ANSWERED = [succeeds, preserves];
export const call = (fid: number, args: readonly Value[], checks: readonly Check[]): Step =>
  run(words.SMC, [fid, ...args], [...ANSWERED, ...checks]);

/** The TEE executes an instruction that succeeds; x0 behind it is what is checked. */
export const teeRuns = (word: number, args: readonly Value[], x0?: Value, mask?: bigint): Step =>
  call(
    fast(probe.PROBE_EXECUTE),
    [word, ...args],
    [is(0, 0), ...(x0 === undefined ? [] : [is(1, x0, mask)])],
  );
/** … that causes an exception which the TEE itself takes. */
export const teeFails = (word: number, args: readonly Value[], exceptionClass: bigint): Step =>
  call(
    fast(probe.PROBE_EXECUTE),
    [word, ...args],
    [is(0, 1), is(3, exceptionClass << ESR_EC_SHIFT, 0x3fn << ESR_EC_SHIFT)],
  );
export const teeReads = (ipa: Value, value: Value, width: words.Width = 4, mask?: bigint) =>
  teeRuns(words.loadWord(width), [0, ipa], value, mask);
export const teeWrites = (ipa: Value, value: Value, width: words.Width = 4) =>
  teeRuns(words.storeWord(width), [value, ipa]);
export const teeReadsRegister = (name: string, value: Value, mask?: bigint) =>
  teeRuns(words.readRegisterWord(name), [], value, mask);
export const teeWritesRegister = (name: string, value: Value) =>
  teeRuns(words.writeRegisterWord(name), [value]);
export const timer = { TVAL: 0, CTL: 1, CVAL: 2 } as const;
export const teeReadsTimer = (register: number, ...checks: readonly Check[]) =>
  call(fast(probe.PROBE_READ_TIMER), [register], [is(0, 0), ...checks]);
export const teeWritesTimer = (register: number, value: Value) =>
  call(fast(probe.PROBE_WRITE_TIMER), [register, value], [is(0, 0)]);

/** The guest itself. */
export const reads = (ipa: Value, value: Value, width: words.Width = 4) =>
  run(words.loadWord(width), [0, ipa], [succeeds, is(0, value)]);
export const writes = (ipa: Value, value: Value, width: words.Width = 4) =>
  run(words.storeWord(width), [value, ipa]);
export const cannot = (word: number, ipa: Value) =>
  run(word, [0x6e6f, ipa], [...failsWith(EC_DATA_ABORT), is(0, 0x6e6f)]);
export const readsRegister = (name: string, value: Value, mask?: bigint) =>
  run(words.readRegisterWord(name), [], [succeeds, is(0, value, mask)]);
export const writesRegister = (name: string, value: Value) => run(words.writeRegisterWord(name), [value]);

/** A TEE that is there answers a command that it does not know. */
export const UNKNOWN = 0x7777;
export const teeIsThere = call(fast(UNKNOWN), [], [is(0, probe.PROBE_HERE), is(1, fast(UNKNOWN))]);
export const teeIsGone = call(fast(UNKNOWN), [], [is(0, MINUS_ONE), is(1, 0)]);
