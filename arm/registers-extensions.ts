// EL2's translation registers of extensions that the platform's cores may lack. vTZ uses none of them; they are here
// because nobody below EL3 may write them (arm/forbidden.ts), and so that a refusal can name them. Arm ARM, D24.2.

import { at, bit, bits, register } from "./describe.ts";

const BADDR = bits(51, 12, "address of a structure that the MMU itself reads or writes");

export const extensionRegisters = [
  register("SCTLR2_EL2", "System Control 2, EL2 (FEAT_SCTLR2)", at(3, 4, 1, 0, 3)),
  register("HCRX_EL2", "Extended Hypervisor Configuration (FEAT_HCX)", at(3, 4, 1, 2, 2), {
    TCR2EN: bit(14, "EL1 may use TCR2_EL1"),
    SCTLR2EN: bit(15, "EL1 may use SCTLR2_EL1"),
    D128EN: bit(17, "EL1 may use 128-bit registers"),
  }),
  register("TTBR1_EL2", "Translation Table Base 1, EL2 (FEAT_VHE)", at(3, 4, 2, 0, 1)),
  register("TCR2_EL2", "Translation Control 2, EL2 (FEAT_TCR2)", at(3, 4, 2, 0, 3), {
    PIE: bit(1, "permissions are indirect (PIR_EL2)"),
    POE: bit(3, "permissions are overlaid (POR_EL2)"),
    D128: bit(5, "descriptors have 128 bits"),
  }),
  register("VNCR_EL2", "Virtual Nested Control (FEAT_NV2)", at(3, 4, 2, 2, 0)),
  register("HDBSSBR_EL2", "Hardware Dirty State Tracking Base (FEAT_HDBSS)", at(3, 4, 2, 3, 2), { BADDR }),
  register("HDBSSPROD_EL2", "Hardware Dirty State Tracking Producer (FEAT_HDBSS)", at(3, 4, 2, 3, 3)),
  register("HACDBSBR_EL2", "Hardware Dirty State Cleaning Base (FEAT_HACDBS)", at(3, 4, 2, 3, 4), { BADDR }),
  register("HACDBSCONS_EL2", "Hardware Dirty State Cleaning Consumer (FEAT_HACDBS)", at(3, 4, 2, 3, 5)),
  register("VSTTBR_EL2", "Secure Stage 2 Translation Table Base (FEAT_SEL2)", at(3, 4, 2, 6, 0)),
  register("VSTCR_EL2", "Secure Stage 2 Translation Control (FEAT_SEL2)", at(3, 4, 2, 6, 2)),
  register("MAIR2_EL2", "Memory Attribute Indirection 2, EL2 (FEAT_AIE)", at(3, 4, 10, 1, 1)),
  register("PIRE0_EL2", "Permission Indirection of EL0, EL2 (FEAT_S1PIE)", at(3, 4, 10, 2, 2)),
  register("PIR_EL2", "Permission Indirection, EL2 (FEAT_S1PIE)", at(3, 4, 10, 2, 3)),
  register("POR_EL2", "Permission Overlay, EL2 (FEAT_S1POE)", at(3, 4, 10, 2, 4)),
  register("S2PIR_EL2", "Stage 2 Permission Indirection (FEAT_S2PIE)", at(3, 4, 10, 2, 5)),
  register("S2POR_EL1", "Stage 2 Permission Overlay (FEAT_S2POE)", at(3, 0, 10, 2, 5)),
  register("AMAIR2_EL2", "Auxiliary Memory Attributes 2, EL2 (FEAT_AIE)", at(3, 4, 10, 3, 1)),
];
