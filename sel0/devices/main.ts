// The compartment of devices: the register files of what a TEE finds beside GIC and UART (abi/devices-compartment.ts). It
// computes what a register reads as and what a write means; it acts on nothing. Whatever it answers concerns the guest
// whose state lies in the message page: there is no other guest's.

import {
  DEVICE_TZC400,
  DEVICE_TZPC,
  DEVICES_ACTION_NONE,
  DEVICES_READ,
  DEVICES_REFUSED,
  DEVICES_WRITE,
} from "../../abi/devices-compartment";
import { readTzc400, refusedTzc400, writeTzc400 } from "./tzc400";
import { readTzpc, writeTzpc } from "./tzpc";

const DEVICE_SHIFT: u64 = 32;
/** Registers are words; another access is none. */
const WORD_SIZE: u64 = 4;

export function call(operation: u32, a: u64, b: u64, c: u64): u64 {
  const device = <u32>(a >> DEVICE_SHIFT);
  switch (operation) {
    case DEVICES_READ:
      return isRegister(a, c) ? <u64>read(device, <u32>a) : 0;
    case DEVICES_WRITE:
      return isRegister(a, c) ? <u64>write(device, <u32>a, <u32>b) : <u64>DEVICES_ACTION_NONE;
    case DEVICES_REFUSED:
      refusedTzc400(<u32>a, b);
      return 0;
    default:
      return unreachable();
  }
}

function isRegister(a: u64, size: u64): bool {
  return size === WORD_SIZE && a % WORD_SIZE === 0;
}

function read(device: u32, offset: u32): u32 {
  if (device === DEVICE_TZC400) return readTzc400(offset);
  return device === DEVICE_TZPC ? readTzpc(offset) : 0;
}

function write(device: u32, offset: u32, value: u32): u32 {
  if (device === DEVICE_TZC400) return writeTzc400(offset, value);
  return device === DEVICE_TZPC ? writeTzpc(offset, value) : DEVICES_ACTION_NONE;
}
