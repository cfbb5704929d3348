// Replaces the hypervisor's writes of translation registers by calls of the monitor. AArch64 instructions are aligned
// words, so the set of candidates is exact; which of them are code is decided by reachable-code.ts, and what is not
// understood is refused. The monitor does not trust this: it scans what is executable, and checks what it is asked.

import { HARDENED_REGISTER_SHIFT, HARDENED_RT_MASK, HARDENING_CALL } from "../../abi/hardening.ts";
import { forbiddenAssembly, forbiddenPattern } from "../../arm/forbidden.ts";
import { encode, fieldOf, instruction, isInstruction } from "../../arm/instructions.ts";
import { findRegister } from "../../arm/registers.ts";
import { type HardeningRule, hardeningRules } from "../../el2/rules/translation-registers.ts";
import { UserError } from "../errors.ts";
import { IMAGE_HEADER_SIZE, imageEntries } from "./image-header.ts";
import { type ReachableCode, reachableCode } from "./reachable-code.ts";

export interface HardenedSite {
  /** In the image, in bytes. */
  offset: number;
  register: string;
  /** The general register that is written; 31 is XZR. */
  rt: number;
  original: number;
  replacement: number;
}

/** Data outside executable pages that happens to look like a forbidden instruction. */
export interface LookAlike {
  offset: number;
  word: number;
  assembly: string;
}

export interface HardenedXen {
  image: Uint8Array;
  sites: HardenedSite[];
  lookAlikes: LookAlike[];
  /** Pages of 4 KiB in which code was seen. */
  codePageCount: number;
  /** True when the image had been hardened before, and is what it was. */
  wasHardened: boolean;
}

const PAGE_SIZE = 0x1000;
const SMC = instruction("SMC");

/** A copy with every site replaced, and the sites in the order of their offsets. */
export function hardenXen(image: Uint8Array): HardenedXen {
  const reached = reachableCode(image, imageEntries(image));
  const hardened = new Uint8Array(image); // a copy; slice() of a Buffer is none
  const words = new DataView(hardened.buffer, hardened.byteOffset, hardened.byteLength);
  const sites: HardenedSite[] = [];
  const lookAlikes: LookAlike[] = [];
  for (let offset = IMAGE_HEADER_SIZE; offset + 4 <= hardened.length; offset += 4) {
    const word = words.getUint32(offset, true);
    const assembly = isCall(word) ? "smc #imm of ours" : forbiddenAssembly(word);
    if (assembly === undefined) continue;
    if (isCode(reached, offset, assembly))
      sites.push(isCall(word) ? knownSite(offset, word) : newSite(offset, word));
    else if (!isCall(word)) lookAlikes.push({ offset, word, assembly });
  }
  if (sites.length === 0) throw noSites();
  const wasHardened = sites.every(({ offset, replacement }) => words.getUint32(offset, true) === replacement);
  for (const { offset, replacement } of sites) words.setUint32(offset, replacement, true);
  return { image: hardened, sites, lookAlikes, codePageCount: reached.pages.size, wasHardened };
}

/** False for data in a page without code. Throws for what may be either, in a page that must be executable. */
function isCode({ code, literals, pages }: ReachableCode, offset: number, assembly: string): boolean {
  if (code.has(offset) && !literals.has(offset)) return true;
  if (!pages.has(Math.floor(offset / PAGE_SIZE)) && !literals.has(offset)) return false;
  const what = literals.has(offset)
    ? "is loaded as data by an instruction of the image"
    : "is not reached by any code that could be followed, but lies in a page with code";
  throw new UserError(
    "data-in-code",
    `the word at ${hex(offset)} looks like \`${assembly}\` and ${what}`,
    "the monitor would refuse the page as it is, and a replacement might change data; this image cannot be hardened",
  );
}

function noSites(): UserError {
  return new UserError(
    "no-sites",
    "the image has no write of a translation register: it is not a hypervisor for AArch64",
    "give the Xen image itself, e.g. /boot/xen-4.20-arm64 of Debian's xen-hypervisor-4.20-arm64",
  );
}

const ruleOfWrite = new Map(hardeningRules.map((rule) => [writeOf(rule, 0), rule]));

/** `msr REGISTER, xRT`. */
function writeOf({ register }: HardeningRule, rt: number): number {
  const encoding = findRegister(register)?.encoding;
  if (encoding === undefined) throw new Error(`arm/registers.ts has no ${register}`);
  const { op0, op1, crn, crm, op2 } = encoding;
  return encode("MSR", { O0: op0 - 2, OP1: op1, CRN: crn, CRM: crm, OP2: op2, RT: rt });
}

function newSite(offset: number, word: number): HardenedSite {
  const rule = ruleOfWrite.get((word & ~HARDENED_RT_MASK) >>> 0);
  if (rule !== undefined) return siteOf(offset, rule, word & HARDENED_RT_MASK);
  const reason = forbiddenPattern(word)?.reason;
  throw new UserError(
    "no-call-for-it",
    `the image has \`${forbiddenAssembly(word)}\` at ${hex(offset)} (${reason}), for which the monitor has no call`,
    "the monitor would not let this hypervisor past lockdown; use a Xen without it, e.g. Debian's 4.17 or 4.20",
  );
}

function siteOf(offset: number, rule: HardeningRule, rt: number): HardenedSite {
  const imm16 = HARDENING_CALL | (rule.index << HARDENED_REGISTER_SHIFT) | rt;
  return {
    offset,
    register: rule.register,
    rt,
    original: writeOf(rule, rt),
    replacement: encode("SMC", { IMM16: imm16 }),
  };
}

function isCall(word: number): boolean {
  return isInstruction(word, SMC) && (fieldOf(word, SMC, "IMM16") & HARDENING_CALL) !== 0;
}

/** A call that stands there already: ours from an earlier run, or an image that nobody should boot. */
function knownSite(offset: number, word: number): HardenedSite {
  const imm16 = fieldOf(word, SMC, "IMM16");
  const index = (imm16 & ~HARDENING_CALL) >> HARDENED_REGISTER_SHIFT;
  const rule = hardeningRules.find((candidate) => candidate.index === index);
  if (rule === undefined) {
    throw new UserError(
      "foreign-call",
      `the image has an SMC of its own with an immediate of ours (#0x${imm16.toString(16)} at ${hex(offset)})`,
      "the monitor could not tell the two apart; this image cannot be hardened",
    );
  }
  return siteOf(offset, rule, imm16 & HARDENED_RT_MASK);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
