// What is not verified does not boot: a line on the secure UART that a person can read, and the epitaph.
//
//   [vtz] boot refused: unsigned (3)
//   [vtz] boot refused: dom0 initrd: changed (13)

import {
  BOOT_REFUSED_IMAGE_HASH,
  BOOT_REFUSED_IMAGE_SIZE,
  BOOT_REFUSED_MAGIC,
  BOOT_REFUSED_MISSING,
  BOOT_REFUSED_PADDING,
  BOOT_REFUSED_SIGNATURE,
  BOOT_REFUSED_SIZE,
  BOOT_REFUSED_VERSION,
} from "../../../abi/boot-compartment";
import { IMAGE_NAME_SIZE } from "../../../abi/boot-package";
import { imageNamePa } from "../boot-package";
import { COMPARTMENT_FAULTED } from "../compartments/call";
import { fatal, lock, readPhysical64, unlock } from "../hw";
import { LOCK_CONSOLE } from "../storage";
import { printByte, printDecimal, printNewline, printWord } from "../trace/console";
import { FATAL_BOOT_IMAGE, FATAL_BOOT_REFUSED } from "../trace/epitaph";

// ASCII, the first character lowest.
const BOOT_REFUSED_0: u64 = 0x6f62205d7a74765b; // "[vtz] bo"
const BOOT_REFUSED_1: u64 = 0x737566657220746f; // "ot refus"
const BOOT_REFUSED_2: u64 = 0x203a6465; // "ed: "
const COLON: u64 = 0x203a; // ": "
const NO_MAGIC: u64 = 0x636967616d206f6e; // "no magic"
const CUT_OFF: u64 = 0x66666f20747563; // "cut off"
const UNSIGNED: u64 = 0x64656e6769736e75; // "unsigned"
const TOO_OLD: u64 = 0x646c6f206f6f74; // "too old"
const MISSING: u64 = 0x676e697373696d; // "missing"
const CHANGED: u64 = 0x6465676e616863; // "changed"
const PADDING: u64 = 0x676e6964646170; // "padding"
const CRASHED: u64 = 0x64656873617263; // "crashed"
const PARENTHESIS: u32 = 0x28;
const PARENTHESIS_END: u32 = 0x29;
const SPACE: u32 = 0x20;

/** The package of `size` bytes, as it says itself. */
export function refusePackage(status: u64, size: u64): void {
  lock(LOCK_CONSOLE);
  printBeginning();
  printReason(status);
  unlock(LOCK_CONSOLE);
  fatal(FATAL_BOOT_REFUSED, status, size);
}

/** An image of a package that was accepted, so that its name is text. */
export function refuseImage(row: u32, status: u64): void {
  reportImage(row, status);
  fatal(FATAL_BOOT_IMAGE, <u64>row, status);
}

/** The line alone: for a TEE, whose guest goes on without it. */
export function reportImage(row: u32, status: u64): void {
  lock(LOCK_CONSOLE);
  printBeginning();
  for (let offset: u64 = 0; offset < <u64>IMAGE_NAME_SIZE; offset += 8)
    printWord(readPhysical64(imageNamePa(row) + offset));
  printWord(COLON);
  printReason(status);
  unlock(LOCK_CONSOLE);
}

function printBeginning(): void {
  printWord(BOOT_REFUSED_0);
  printWord(BOOT_REFUSED_1);
  printWord(BOOT_REFUSED_2);
}

function printReason(status: u64): void {
  const reason = reasonOf(status);
  if (reason !== 0) {
    printWord(reason);
    printByte(SPACE);
  }
  if (status !== COMPARTMENT_FAULTED) {
    printByte(PARENTHESIS);
    printDecimal(status);
    printByte(PARENTHESIS_END);
  }
  printNewline();
}

/** 0 for what a signer alone can do wrong: the number says which. */
function reasonOf(status: u64): u64 {
  if (status === COMPARTMENT_FAULTED) return CRASHED;
  switch (<u32>status) {
    case BOOT_REFUSED_MAGIC:
      return NO_MAGIC;
    case BOOT_REFUSED_SIZE:
    case BOOT_REFUSED_IMAGE_SIZE:
      return CUT_OFF;
    case BOOT_REFUSED_SIGNATURE:
      return UNSIGNED;
    case BOOT_REFUSED_VERSION:
      return TOO_OLD;
    case BOOT_REFUSED_MISSING:
      return MISSING;
    case BOOT_REFUSED_PADDING:
      return PADDING;
    case BOOT_REFUSED_IMAGE_HASH:
      return CHANGED;
    default:
      return 0;
  }
}
