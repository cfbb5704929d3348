// The secure UART of a guest, a PL011 that only transmits: a TEE's console. Whole lines come out on the machine's secure UART, each
// headed by the guest's id.

import { PL011_DR, PL011_FR, PL011_FR_RXFE, PL011_FR_TXFE } from "../arm/gic.gen";
import { GUEST_CONSOLE, GUEST_CONSOLE_SIZE, Guest } from "../guests/guest";
import { lock, unlock } from "../hw";
import { LOCK_CONSOLE } from "../storage";
import { printByte, printDecimal, printNewline, printWord } from "../trace/console";

export const SECURE_UART_SIZE: u64 = 0x1000;

const LINE_FEED: u32 = 0x0a;
const CARRIAGE_RETURN: u32 = 0x0d;
const PREFIX: u64 = 0x20656574_5b; // "[tee "
const PREFIX_END: u64 = 0x205d; // "] "

export function readSecureUart(offset: u32): u32 {
  return offset === PL011_FR ? PL011_FR_TXFE | PL011_FR_RXFE : 0;
}

export function writeSecureUart(guest: Guest, offset: u32, value: u32): void {
  if (offset !== PL011_DR) return; // line control and baud rate: nothing to set
  const character = value & 0xff;
  const linePtr = changetype<usize>(guest) + GUEST_CONSOLE;
  let length = guest.consoleLength; // read once: other cores of the TEE write too
  if (character === LINE_FEED || length >= GUEST_CONSOLE_SIZE) {
    printLine(guest, linePtr, length);
    length = 0;
  }
  if (character !== LINE_FEED && character !== CARRIAGE_RETURN) {
    store<u8>(linePtr + <usize>length, <u8>character);
    length++;
  }
  guest.consoleLength = length;
}

function printLine(guest: Guest, linePtr: usize, length: u32): void {
  lock(LOCK_CONSOLE);
  printWord(PREFIX);
  printDecimal(guest.id);
  printWord(PREFIX_END);
  for (let index: u32 = 0; index < length && index < GUEST_CONSOLE_SIZE; index++) {
    printByte(<u32>load<u8>(linePtr + <usize>index));
  }
  printNewline();
  unlock(LOCK_CONSOLE);
}
