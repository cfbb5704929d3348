// The probe guest's console: the hypervisor's emulated SBSA UART (xen/include/public/arch-arm.h, GUEST_VPL011_BASE).

import { readPhysical32, waitForEvent, writePhysical32 } from "../kernel/hw";

const UART_IPA: u64 = 0x22000000;
const UART_DATA: u64 = 0x00;
const UART_FLAGS: u64 = 0x18;
const UART_FLAGS_TXFF: u32 = 1 << 5;
/** Of one character: whoever reads is gone. */
const FULL_TURNS_MAX: u32 = 1 << 24;

export function printByte(character: u32): void {
  for (let turn: u32 = 0; turn < FULL_TURNS_MAX; turn++) {
    if ((readPhysical32(UART_IPA + UART_FLAGS) & UART_FLAGS_TXFF) === 0) break;
    waitForEvent();
  }
  writePhysical32(UART_IPA + UART_DATA, character);
}

/** Up to 8 ASCII characters, the first one lowest. */
export function printWord(packed: u64): void {
  for (let rest = packed; rest !== 0; rest >>= 8) printByte(<u32>(rest & 0xff));
}

export function printHex(value: u64): void {
  printByte(0x30);
  printByte(0x78);
  let shift: i32 = 60;
  while (shift > 0 && ((value >> <u64>shift) & 0xf) === 0) shift -= 4;
  for (; shift >= 0; shift -= 4) {
    const digit = <u32>((value >> <u64>shift) & 0xf);
    printByte(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

export function printNewline(): void {
  printByte(0x0d);
  printByte(0x0a);
}
