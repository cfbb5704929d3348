// Registers of the TrustZone Protection Controller BP147 (Arm DTO 0015), as the compartment of devices emulates it. The
// three of each protection register follow each other, those of the next one 12 bytes on. A bit that is set: the
// peripheral is non-secure.

import { bits, deviceRegister } from "./describe.ts";

const PERIPHERALS = { BITS: bits(7, 0, "a bit a peripheral; 1 = non-secure") };

export const tzpcRegisters = [
  deviceRegister("TZPC_R0SIZE", "Secure RAM, in units of 4 KiB", 0x000),
  deviceRegister("TZPC_DECPROT0_STAT", "Which are non-secure", 0x800, PERIPHERALS),
  deviceRegister("TZPC_DECPROT0_SET", "Make non-secure", 0x804, PERIPHERALS),
  deviceRegister("TZPC_DECPROT0_CLR", "Make secure", 0x808, PERIPHERALS),
  deviceRegister("TZPC_PERIPHID0", "Peripheral ID 0; 1 to 3 follow", 0xfe0),
  deviceRegister("TZPC_PCELLID0", "Component ID 0; 1 to 3 follow", 0xff0),
];

export const tzpcConstants = {
  TZPC_DECPROT_STRIDE: 12,
  TZPC_DECPROT_COUNT: 3,
  /** Peripherals of one protection register. */
  TZPC_DECPROT_WIDTH: 8,
  // The ID registers, a byte each, the first one lowest: part 0x870 of Arm.
  TZPC_PERIPHIDS: 0x00041870,
  TZPC_PCELLIDS: 0xb105f00d,
};
