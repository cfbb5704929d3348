// A TEE kernel's profile from a file: what `vtz up --profile FILE.json` takes (docs/guest-tee-abi.md). Every word is checked here, so
// that the monitor, which stops the machine at a row that it does not understand, never sees a wrong one.

import { readFile } from "node:fs/promises";
import * as abi from "../../abi/boot-package.ts";
import { TEE_DEVICE_TREE_IPA, TEE_INTERRUPT_COUNT, TEE_RAM_IPA, TEE_RAM_SIZE } from "../../abi/memory-map.ts";
import { OPTEE_NODE, type TeeNode, type TeeProfile } from "../../el1/tees/profiles.ts";
import { UserError } from "../errors.ts";

const KINDS = { vector: abi.ENTRY_KIND_VECTOR, resume: abi.ENTRY_KIND_RESUME };
const TIMERS = { cntps: abi.TIMER_CNTPS, cntv: abi.TIMER_CNTV };
const FOREIGN = { fiq: abi.FOREIGN_VFIQ, none: abi.FOREIGN_NONE };
const CLOCKS = { stops: abi.CLOCK_STOPS, runs: abi.CLOCK_RUNS };
const WFI = { faults: abi.WFI_FAULTS, leaves: abi.WFI_LEAVES };

const WORDS = [
  "name",
  "load",
  "entry",
  "kind",
  "cores",
  "timer",
  "foreignInterrupts",
  "wfi",
  "clock",
  "adaptedSites",
  "hiddenCapabilities",
  "deviceTree",
  "node",
] as const;
type Word = (typeof WORDS)[number];
type Words = Readonly<Partial<Record<Word, unknown>>>;

const NAME = /^[a-z0-9][a-z0-9._-]{0,14}$/i;
const FIRST_SPI = 32;
const CORES_MAX = 4;
const U32_MAX = 0xffffffff;
const INSTRUCTION_SIZE = 4;
/** The monitor lends the image page by page to be verified. */
const LOAD_ALIGNMENT = 0x1000;

export async function readTeeProfile(path: string): Promise<TeeProfile> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UserError("no-file", `the profile ${path} cannot be read (${error.code})`, HINT);
  });
  try {
    return parseTeeProfile(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) throw refusal(`it is not JSON: ${error.message}`, path);
    if (error instanceof RangeError) throw refusal(error.message, path);
    throw error;
  }
}

/** Throws a RangeError that says which word is wrong. */
export function parseTeeProfile(value: unknown): TeeProfile {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError("it must be one object");
  const words = value as Words;
  const unknown = Object.keys(words).find((key) => !(WORDS as readonly string[]).includes(key));
  if (unknown !== undefined) throw new RangeError(`there is no word “${unknown}”; known: ${WORDS.join(" ")}`);

  const ramEnd = TEE_RAM_IPA + TEE_RAM_SIZE;
  const load = number(words, "load", TEE_RAM_IPA, ramEnd - LOAD_ALIGNMENT, undefined, LOAD_ALIGNMENT);
  const kind = choice(words, "kind", KINDS);
  const profile: TeeProfile = {
    name: nameOf(words),
    loadIpa: load,
    entryIpa: number(words, "entry", load, ramEnd - INSTRUCTION_SIZE, load, INSTRUCTION_SIZE),
    entryKind: kind,
    coreCount: number(words, "cores", 1, CORES_MAX, 1),
    timer: choice(words, "timer", TIMERS),
    ...foreignOf(words),
    adaptedSites: number(words, "adaptedSites", 0, U32_MAX, 0),
    wfi: choice(words, "wfi", WFI, "faults"),
    clock: choice(words, "clock", CLOCKS, "stops"),
    hiddenCapabilities: number(words, "hiddenCapabilities", 0, U32_MAX, 0),
    hasDeviceTree: deviceTreeOf(words),
    ...nodeOf(words),
  };
  checkTogether(profile);
  return profile;
}

/** What each word allows and all of them together do not. */
function checkTogether(profile: TeeProfile): void {
  if (profile.coreCount > 1 && profile.entryKind === abi.ENTRY_KIND_RESUME)
    throw new RangeError("“kind” resume needs “cores” 1: one context, entered behind its own SMC");
  if (profile.coreCount > 1 && profile.timer === abi.TIMER_CNTV)
    throw new RangeError("“timer” cntv needs “cores” 1: its clock stands still while it is away");
  if (profile.adaptedSites > 0 && profile.timer === abi.TIMER_CNTV)
    throw new RangeError("“adaptedSites” counts instructions of “timer” cntps; with cntv it must be 0");
  if (profile.clock === abi.CLOCK_RUNS && profile.timer !== abi.TIMER_CNTV)
    throw new RangeError("“clock” runs needs “timer” cntv: with cntps it is the normal world's");
  if (profile.hasDeviceTree && profile.loadIpa === TEE_DEVICE_TREE_IPA)
    throw new RangeError(`a “deviceTree” lies at ${hex(TEE_DEVICE_TREE_IPA)}: “load” must be behind it`);
}

function nameOf({ name }: Words): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw new RangeError("“name” must be a text of 1 to 15 letters, digits, dots and dashes");
}

/** As the guest-boot compartment takes them (sel0/guest-boot/message.ts). */
const NODE_TEXTS = {
  name: [/^[\w,.+-]+$/, abi.TEE_NODE_COMPATIBLE - abi.TEE_NODE_NAME],
  compatible: [/^[!-~]+$/, abi.TEE_NODE_METHOD - abi.TEE_NODE_COMPATIBLE],
  method: [/^[!-~]+$/, abi.TEE_NODE_END - abi.TEE_NODE_METHOD],
} as const;

/** OP-TEE's if nothing is said: the guests' Linux has that driver. */
function nodeOf({ node = OPTEE_NODE }: Words): { node?: TeeNode } {
  if (node === false) return {};
  const keys = Object.keys(NODE_TEXTS) as (keyof TeeNode)[];
  const texts = (node ?? {}) as Readonly<Record<string, unknown>>;
  const isLawful = keys.every((key) => {
    const [pattern, size] = NODE_TEXTS[key];
    const text = texts[key];
    return typeof text === "string" && pattern.test(text) && text.length < size;
  });
  if (!isLawful || Object.keys(texts).length !== keys.length)
    throw new RangeError(
      `“node” must be false, or have ${keys.join(", ")}, as a device tree can${found(node)}`,
    );
  return { node: texts as unknown as TeeNode };
}

function deviceTreeOf({ deviceTree = false }: Words): boolean {
  if (typeof deviceTree === "boolean") return deviceTree;
  throw new RangeError("“deviceTree” must be true or false");
}

/** A word of a few, or the number of an SPI. */
function foreignOf(words: Words): Pick<TeeProfile, "foreignInterrupt" | "foreignIntid"> {
  if (typeof words.foreignInterrupts !== "number")
    return { foreignInterrupt: choice(words, "foreignInterrupts", FOREIGN), foreignIntid: 0 };
  const foreignIntid = number(words, "foreignInterrupts", FIRST_SPI, TEE_INTERRUPT_COUNT - 1);
  return { foreignInterrupt: abi.FOREIGN_VIRQ, foreignIntid };
}

function choice<Name extends string>(
  words: Words,
  word: Word,
  values: Record<Name, number>,
  fallback?: Name,
): number {
  const value = words[word] ?? fallback;
  if (typeof value === "string" && Object.hasOwn(values, value)) return values[value as Name];
  const other = word === "foreignInterrupts" ? `, or the number of an SPI` : "";
  throw new RangeError(`“${word}” must be ${Object.keys(values).join(" or ")}${other}${found(value)}`);
}

/** A number, or a text that JavaScript reads as one: addresses are written in hexadecimal. */
function number(words: Words, word: Word, min: number, max: number, fallback?: number, step = 1): number {
  const given = words[word] ?? fallback;
  const value = typeof given === "string" && /^(0x[0-9a-f]+|\d+)$/i.test(given) ? Number(given) : given;
  if (
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= min &&
    value <= max &&
    value % step === 0
  )
    return value;
  const range = max > U32_MAX / 2 || min < TEE_RAM_IPA ? `${min} to ${max}` : `${hex(min)} to ${hex(max)}`;
  const multiple = step === 1 ? "" : `, a multiple of ${step}`;
  throw new RangeError(`“${word}” must be a number from ${range}${multiple}${found(given)}`);
}

const found = (value: unknown) =>
  value === undefined ? "; it is missing" : `, not ${JSON.stringify(value)}`;
const hex = (value: number) => `0x${value.toString(16)}`;
const HINT = "the words of a profile: docs/guest-tee-abi.md";
const refusal = (what: string, path: string) =>
  new UserError("bad-profile", `the profile ${path}: ${what}`, HINT);
