// The probe guest: a kernel that runs the cases that the host has put behind its image (abi/probe-cases.ts) and says of
// each whether all was as expected. What is tried and expected stands in tests/probe/, once for every kind of TEE.

import { NORMAL_RAM_IPA } from "../../abi/memory-map";
import { PROBE_ORDER_GROUP, PROBE_ORDER_OFFSET } from "../../abi/probe";
import {
  CASE_GROUP,
  CASE_NAME,
  CASE_NAME_SIZE,
  CASE_SIZE,
  CASE_STEPS,
  CASES_FIRST,
  CASES_MAGIC,
} from "../../abi/probe-cases";
import { readPhysical8, readPhysical32 } from "../kernel/hw";
import { printByte, printHex, printNewline, printWord } from "./console";
import { casesAddress } from "./hw";
import { failure, forgetFailure, runStep } from "./steps";

export { FRAME_ELR, FRAME_ESR, FRAME_FAR, FRAME_OUTCOME, FRAME_SIZE, FRAME_WORD } from "../kernel/frame";
export { interrupt } from "./interrupts";
export { second } from "./second";

const PROBE: u64 = 0x203a_65626f7270; // "probe: "
const DONE: u64 = 0x656e6f64; // "done"
const NO_CASES: u64 = 0x7365736163206f6e; // "no cases"
const EXCEPTION: u64 = 0x6f69747065637865; // "exceptio"
const OK: u64 = 0x206b6f; // "ok "
const NOT: u64 = 0x20746f6e; // "not "
const STEP: u64 = 0x207065747320_3a; // ": step "
const OF: u64 = 0x20666f20; // " of "
const GOT: u64 = 0x20746f6720; // " got "
const EXPECTED: u64 = 0x64657463657078_65; // "expected"

/** Of cases and of steps: what ends a loop over a damaged table. */
const COUNT_MAX: u32 = 4096;

export function main(): void {
  printWord(PROBE);
  const table = casesAddress();
  if (readPhysical32(table) !== CASES_MAGIC) {
    printWord(NO_CASES);
    printNewline();
    return;
  }
  const group = readPhysical32(<u64>NORMAL_RAM_IPA + <u64>PROBE_ORDER_OFFSET + <u64>PROBE_ORDER_GROUP);
  printHex(<u64>group);
  printNewline();
  const count = readPhysical32(table + 4);
  let address = table + <u64>CASES_FIRST;
  for (let index: u32 = 0; index < count && index < COUNT_MAX; index++) {
    if (readPhysical32(address + <u64>CASE_GROUP) === group) runCase(address);
    address += <u64>readPhysical32(address + <u64>CASE_SIZE);
  }
  printWord(PROBE);
  printWord(DONE);
  printNewline();
}

/** All steps, even behind one that failed: the later ones put things back. The first failure is told. */
function runCase(address: u64): void {
  const nameSize = readPhysical32(address + <u64>CASE_NAME_SIZE);
  const stepCount = readPhysical32(address + <u64>CASE_STEPS);
  let step = address + <u64>CASE_NAME + <u64>((nameSize + 7) & ~7);
  forgetFailure();
  for (let index: u32 = 0; index < stepCount && index < COUNT_MAX; index++) step = runStep(step, index);
  const failed = changetype<usize>(failure());
  if (load<u32>(failed) !== 0) printWord(NOT);
  printWord(OK);
  for (let at: u32 = 0; at < nameSize; at++) printByte(readPhysical8(address + <u64>CASE_NAME + <u64>at));
  if (load<u32>(failed) !== 0) tell(failed);
  printNewline();
}

function tell(failed: usize): void {
  printWord(STEP);
  printHex(<u64>load<u32>(failed, 4));
  printWord(OF);
  printHex(<u64>load<u32>(failed, 8));
  printWord(GOT);
  printHex(load<u64>(failed, 16));
  printByte(0x20);
  printWord(EXPECTED);
  printByte(0x20);
  printHex(load<u64>(failed, 24));
  if (load<u64>(failed, 24) === load<u64>(failed, 32)) return;
  printByte(0x2d); // "-"
  printHex(load<u64>(failed, 32));
}

/** An exception that no step has caused. */
export function died(esr: u64, elr: u64, far: u64): void {
  printWord(PROBE);
  printWord(EXCEPTION);
  printByte(0x6e); // "n"
  printByte(0x20);
  printHex(esr);
  printByte(0x20);
  printHex(elr);
  printByte(0x20);
  printHex(far);
  printNewline();
}
