// The probe TEE: a kernel that does what its normal world tells it to (abi/probe.ts), for tests at the granularity of an
// instruction. The same module for both kinds of entry; entry-vector.S and entry-resume.S call the exports.

import { NORMAL_RAM_IPA, TEE_UART_IPA } from "../../abi/memory-map";
import {
  PROBE_BY_FAST,
  PROBE_BY_RESUMING,
  PROBE_BY_YIELDING,
  PROBE_ORDER_MAGIC,
  PROBE_ORDER_OFFSET,
  PROBE_ORDER_VALID,
  PROBE_ORDER_WORD,
  PROBE_ORDER_X0,
  PROBE_ORDER_X1,
} from "../../abi/probe";
import { FRAME_SIZE, runWith } from "../kernel/frame";
import { readPhysical32, readPhysical64, writePhysical32 } from "../kernel/hw";
import { obey } from "./commands";

export { FRAME_ELR, FRAME_ESR, FRAME_FAR, FRAME_OUTCOME, FRAME_SIZE, FRAME_WORD } from "../kernel/frame";
export { enteredForInterrupt, interrupt } from "./interrupts";

const BOOT_FRAME: usize = memory.data(FRAME_SIZE, 16);
const DIED: u64 = 0x20_64656964; // "died "

/** The normal world has executed nothing yet, but its image is there: it may say what is executed here first. */
export function boot(): void {
  const order = <u64>NORMAL_RAM_IPA + <u64>PROBE_ORDER_OFFSET;
  if (readPhysical32(order + <u64>PROBE_ORDER_MAGIC) !== PROBE_ORDER_VALID) return;
  const word = <u32>readPhysical64(order + <u64>PROBE_ORDER_WORD);
  if (word === 0) return;
  const x0 = readPhysical64(order + <u64>PROBE_ORDER_X0);
  runWith(BOOT_FRAME, word, x0, readPhysical64(order + <u64>PROBE_ORDER_X1));
}

export function fastCall(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64): void {
  obey(PROBE_BY_FAST, x0, x1, x2, x3, x4, x5, x6, x7);
}

export function yieldingCall(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64): void {
  obey(PROBE_BY_YIELDING, x0, x1, x2, x3, x4, x5, x6, x7);
}

export function resumedCall(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64): void {
  obey(PROBE_BY_RESUMING, x0, x1, x2, x3, x4, x5, x6, x7);
}

/** An exception that nobody asked for: says where. */
export function died(esr: u64, elr: u64, far: u64): void {
  printText(DIED);
  printHex(esr);
  printHex(elr);
  printHex(far);
  writePhysical32(<u64>TEE_UART_IPA, 0x0a);
}

function printText(packed: u64): void {
  for (let rest = packed; rest !== 0; rest >>= 8) writePhysical32(<u64>TEE_UART_IPA, <u32>(rest & 0xff));
}

function printHex(value: u64): void {
  for (let shift: i32 = 60; shift >= 0; shift -= 4) {
    const digit = <u32>((value >> <u64>shift) & 0xf);
    writePhysical32(<u64>TEE_UART_IPA, digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  writePhysical32(<u64>TEE_UART_IPA, 0x20);
}
