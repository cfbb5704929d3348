// Registers of the TrustZone Address Space Controller TZC-400 (Arm DDI 0504, chapter 3), as the compartment of devices
// emulates it. Offsets in bytes from its base; those of region n are TZC400_REGION_STRIDE × n further on.

import { bit, bits, deviceRegister } from "./describe.ts";

export const tzc400Registers = [
  deviceRegister("TZC400_BUILD_CONFIG", "What was built", 0x000, {
    REGIONS: bits(4, 0, "regions - 1"),
    ADDRESS_WIDTH: bits(13, 8, "bits of an address - 1"),
    FILTERS: bits(25, 24, "filter units - 1"),
  }),
  deviceRegister("TZC400_ACTION", "What a refused access gets", 0x004, {
    REACTION: bits(1, 0, "error response (bit 0), interrupt (bit 1)"),
  }),
  deviceRegister("TZC400_GATE_KEEPER", "Gates of the filter units", 0x008, {
    OPEN_REQUEST: bits(3, 0, "a bit a unit"),
    OPEN_STATUS: bits(19, 16, "a bit a unit"),
  }),
  deviceRegister("TZC400_SPECULATION_CTRL", "Speculative accesses", 0x00c, {
    READ_DISABLE: bit(0, "no speculative reads"),
    WRITE_DISABLE: bit(1, "no speculative writes"),
  }),
  deviceRegister("TZC400_INT_STATUS", "Interrupt status", 0x010, {
    STATUS: bits(3, 0, "a bit a unit: something was refused"),
    OVERRUN: bits(11, 8, "a bit a unit: more than once"),
    OVERLAP: bits(19, 16, "a bit a unit: regions overlap"),
  }),
  deviceRegister("TZC400_INT_CLEAR", "Interrupt clear", 0x014, { CLEAR: bits(3, 0, "a bit a unit") }),
  deviceRegister("TZC400_FAIL_ADDRESS_LOW", "Refused address, bits 31:0", 0x020),
  deviceRegister("TZC400_FAIL_ADDRESS_HIGH", "Refused address, bits 63:32", 0x024),
  deviceRegister("TZC400_FAIL_CONTROL", "Refused access", 0x028, {
    PRIVILEGED: bit(20, "privileged"),
    NON_SECURE: bit(21, "non-secure"),
    WRITE: bit(24, "a write"),
  }),
  deviceRegister("TZC400_FAIL_ID", "Refused master", 0x02c, {
    ID: bits(23, 0, "AXI ID"),
    VNET: bits(27, 24, "virtual network"),
  }),
  deviceRegister("TZC400_REGION_BASE_LOW", "First address, bits 31:12", 0x100),
  deviceRegister("TZC400_REGION_BASE_HIGH", "First address, bits 63:32", 0x104),
  deviceRegister("TZC400_REGION_TOP_LOW", "Last address, bits 31:12; bits 11:0 are ones", 0x108),
  deviceRegister("TZC400_REGION_TOP_HIGH", "Last address, bits 63:32", 0x10c),
  deviceRegister("TZC400_REGION_ATTRIBUTES", "Filter units and the secure world", 0x110, {
    FILTER_EN: bits(3, 0, "a bit a unit: the region counts there"),
    S_RD_EN: bit(30, "the secure world reads"),
    S_WR_EN: bit(31, "the secure world writes"),
  }),
  deviceRegister("TZC400_REGION_ID_ACCESS", "The normal world, by its 16 NSAIDs", 0x114, {
    NSAID_RD_EN: bits(15, 0, "a bit a NSAID: reads"),
    NSAID_WR_EN: bits(31, 16, "a bit a NSAID: writes"),
  }),
  deviceRegister("TZC400_PID4", "Peripheral ID 4; 5 to 7 follow", 0xfd0),
  deviceRegister("TZC400_PID0", "Peripheral ID 0; 1 to 3 follow", 0xfe0),
  deviceRegister("TZC400_CID0", "Component ID 0; 1 to 3 follow", 0xff0),
];

export const tzc400Constants = {
  TZC400_REGION_STRIDE: 0x20,
  /** Region 0, which is everything, and eight more. */
  TZC400_REGION_COUNT: 9,
  // The ID registers, a byte each, the first one lowest (DDI 0504, 3.3): part 0x460, designer Arm, revision 0.
  TZC400_PIDS_4_TO_7: 0x00000004,
  TZC400_PIDS_0_TO_3: 0x000bb460,
  TZC400_CIDS: 0xb105f00d,
};
