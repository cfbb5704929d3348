// The secure UART (PL011): what the monitor says at boot and death, and the TEEs' consoles, line by line.
// Nothing is printed on a hot path; events go to the ring (events.ts).

import { SECURE_UART_PA } from "../../../abi/memory-map";
import { PL011_DR, PL011_FR, PL011_FR_TXFF } from "../arm/gic.gen";
import { readPhysical32, writePhysical32 } from "../hw";

const UART_PA: u64 = <u64>SECURE_UART_PA;

/** Bounded: a UART that never drains loses the character instead of holding the core. */
const FULL_POLLS_MAX: u32 = 1000000;

export function printByte(character: u32): void {
  for (let polls: u32 = 0; polls < FULL_POLLS_MAX; polls++) {
    if ((readPhysical32(UART_PA + <u64>PL011_FR) & PL011_FR_TXFF) === 0) break;
  }
  writePhysical32(UART_PA + <u64>PL011_DR, character);
}

/** Prints 8 ASCII characters packed into a word, first one lowest; zero bytes are skipped. */
export function printWord(packed: u64): void {
  for (let rest = packed; rest !== 0; rest >>= 8) {
    const character = <u32>(rest & 0xff);
    if (character !== 0) printByte(character);
  }
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

export function printDecimal(value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor > 0; divisor /= 10) printByte(0x30 + <u32>((value / divisor) % 10));
}

export function printNewline(): void {
  printByte(0x0d);
  printByte(0x0a);
}
