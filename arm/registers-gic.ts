// The GIC's CPU interface (ICC_*) and its virtualisation (ICH_*), as system registers. GICv3 (IHI 0069), 12.

import { at, bit, bits, type Fields, register } from "./describe.ts";

const SYSTEM_REGISTER_ENABLE: Fields = {
  SRE: bit(0, "the system register interface is on"),
  DFB: bit(1, "FIQ bypass off"),
  DIB: bit(2, "IRQ bypass off"),
  ENABLE: bit(3, "lower levels may use ICC_SRE"),
};
const INTERRUPT: Fields = { INTID: bits(23, 0, "interrupt", { NONE: 1023 }) };

const LIST_REGISTER: Fields = {
  VINTID: bits(31, 0, "virtual interrupt"),
  PINTID: bits(44, 32, "physical interrupt, when HW"),
  PRIORITY: bits(55, 48, "priority"),
  GROUP: bit(60, "group 1"),
  HW: bit(61, "deactivation reaches the physical interrupt"),
  STATE: bits(63, 62, "state", { INVALID: 0, PENDING: 1, ACTIVE: 2, BOTH: 3 }),
};

const SOFTWARE_INTERRUPT: Fields = {
  TARGETS: bits(15, 0, "cores of the cluster"),
  AFF1: bits(23, 16, "cluster"),
  INTID: bits(27, 24, "SGI"),
  AFF2: bits(39, 32, "affinity level 2"),
  IRM: bit(40, "all cores but this one"),
  RS: bits(47, 44, "range of core numbers, in 16s"),
  AFF3: bits(55, 48, "affinity level 3"),
};

export const gicRegisters = [
  register("ICC_PMR_EL1", "Priority Mask", at(3, 0, 4, 6, 0), {
    PRIORITY: bits(7, 0, "only higher priorities (lower numbers) pass"),
  }),
  register("ICC_IAR0_EL1", "Acknowledge group 0", at(3, 0, 12, 8, 0), INTERRUPT),
  register("ICC_EOIR0_EL1", "End of interrupt, group 0", at(3, 0, 12, 8, 1), INTERRUPT),
  register("ICC_HPPIR0_EL1", "Highest pending, group 0", at(3, 0, 12, 8, 2), INTERRUPT),
  register("ICC_BPR0_EL1", "Binary Point, group 0", at(3, 0, 12, 8, 3)),
  register("ICC_DIR_EL1", "Deactivate", at(3, 0, 12, 11, 1), INTERRUPT),
  register("ICC_RPR_EL1", "Running Priority", at(3, 0, 12, 11, 3)),
  register("ICC_SGI1R_EL1", "Generate SGI, group 1", at(3, 0, 12, 11, 5), SOFTWARE_INTERRUPT),
  register(
    "ICC_ASGI1R_EL1",
    "Generate SGI, group 1 of the other state",
    at(3, 0, 12, 11, 6),
    SOFTWARE_INTERRUPT,
  ),
  register("ICC_SGI0R_EL1", "Generate SGI, group 0", at(3, 0, 12, 11, 7), SOFTWARE_INTERRUPT),
  register("ICC_IAR1_EL1", "Acknowledge group 1", at(3, 0, 12, 12, 0), INTERRUPT),
  register("ICC_EOIR1_EL1", "End of interrupt, group 1", at(3, 0, 12, 12, 1), INTERRUPT),
  register("ICC_HPPIR1_EL1", "Highest pending, group 1", at(3, 0, 12, 12, 2), INTERRUPT),
  register("ICC_BPR1_EL1", "Binary Point, group 1", at(3, 0, 12, 12, 3)),
  register("ICC_CTLR_EL1", "CPU interface control", at(3, 0, 12, 12, 4), {
    CBPR: bit(0, "BPR0 serves both groups"),
    EOIMODE: bit(1, "EOIR drops priority only"),
    PMHE: bit(6, "priority mask hint"),
    PRIBITS: bits(10, 8, "priority bits - 1"),
  }),
  register("ICC_SRE_EL1", "System Register Enable, EL1", at(3, 0, 12, 12, 5), SYSTEM_REGISTER_ENABLE),
  register("ICC_IGRPEN0_EL1", "Group 0 enable", at(3, 0, 12, 12, 6), { ENABLE: bit(0, "on") }),
  register("ICC_IGRPEN1_EL1", "Group 1 enable", at(3, 0, 12, 12, 7), { ENABLE: bit(0, "on") }),
  register("ICC_SRE_EL2", "System Register Enable, EL2", at(3, 4, 12, 9, 5), SYSTEM_REGISTER_ENABLE),
  register("ICC_CTLR_EL3", "CPU interface control, EL3", at(3, 6, 12, 12, 4), {
    CBPR_EL1S: bit(0, "BPR0 serves both groups, secure"),
    CBPR_EL1NS: bit(1, "BPR0 serves both groups, non-secure"),
    EOIMODE_EL3: bit(2, "EOIR drops priority only, EL3"),
    EOIMODE_EL1S: bit(3, "EOIR drops priority only, secure"),
    EOIMODE_EL1NS: bit(4, "EOIR drops priority only, non-secure"),
    RM: bit(5, "routing modifier"),
    PMHE: bit(6, "priority mask hint"),
  }),
  register("ICC_SRE_EL3", "System Register Enable, EL3", at(3, 6, 12, 12, 5), SYSTEM_REGISTER_ENABLE),
  register("ICC_IGRPEN1_EL3", "Group 1 enable, EL3", at(3, 6, 12, 12, 7), {
    NS: bit(0, "non-secure group 1"),
    S: bit(1, "secure group 1"),
  }),
  register("ICH_HCR_EL2", "Hypervisor Control of the virtual CPU interface", at(3, 4, 12, 11, 0), {
    EN: bit(0, "virtual CPU interface on"),
    UIE: bit(1, "underflow interrupt"),
    LRENPIE: bit(2, "interrupt on an EOI without a list register"),
    NPIE: bit(3, "interrupt when nothing is pending"),
    VGRP0EIE: bit(4, "interrupt when group 0 gets enabled"),
    VGRP0DIE: bit(5, "interrupt when group 0 gets disabled"),
    VGRP1EIE: bit(6, "interrupt when group 1 gets enabled"),
    VGRP1DIE: bit(7, "interrupt when group 1 gets disabled"),
    TC: bit(10, "registers common to both groups trap"),
    TALL0: bit(11, "group 0 registers trap"),
    TALL1: bit(12, "group 1 registers trap"),
    TSEI: bit(13, "locally generated SEIs trap"),
    TDIR: bit(14, "ICV_DIR_EL1 traps"),
    EOICOUNT: bits(31, 27, "EOIs without a list register"),
  }),
  register("ICH_VTR_EL2", "VGIC Type", at(3, 4, 12, 11, 1), {
    LISTREGS: bits(4, 0, "list registers - 1"),
    TDS: bit(19, "ICV_DIR_EL1 can trap by TDIR"),
    NV4: bit(20, "no direct injection"),
    A3V: bit(21, "affinity level 3 valid"),
    SEIS: bit(22, "SEIs supported"),
    IDBITS: bits(25, 23, "0 = 16, 1 = 24 bits of INTID"),
    PREBITS: bits(28, 26, "preemption bits - 1"),
    PRIBITS: bits(31, 29, "priority bits - 1"),
  }),
  register("ICH_MISR_EL2", "Maintenance Interrupt Status", at(3, 4, 12, 11, 2)),
  register("ICH_EISR_EL2", "End of Interrupt Status", at(3, 4, 12, 11, 3)),
  register("ICH_ELRSR_EL2", "Empty List Registers", at(3, 4, 12, 11, 5)),
  register("ICH_VMCR_EL2", "Virtual Machine Control", at(3, 4, 12, 11, 7), {
    VENG0: bit(0, "virtual group 0 on"),
    VENG1: bit(1, "virtual group 1 on"),
    VACKCTL: bit(2, "group 1 may be acknowledged through group 0"),
    VFIQEN: bit(3, "group 0 as virtual FIQ"),
    VCBPR: bit(4, "BPR0 serves both groups"),
    VEOIM: bit(9, "EOIR drops priority only"),
    VBPR1: bits(20, 18, "binary point, group 1"),
    VBPR0: bits(23, 21, "binary point, group 0"),
    VPMR: bits(31, 24, "virtual priority mask"),
  }),
  ...[0, 1, 2, 3].map((n) =>
    register(`ICH_AP0R${n}_EL2`, `Active Priorities, group 0, ${n}`, at(3, 4, 12, 8, n)),
  ),
  ...[0, 1, 2, 3].map((n) =>
    register(`ICH_AP1R${n}_EL2`, `Active Priorities, group 1, ${n}`, at(3, 4, 12, 9, n)),
  ),
  ...Array.from({ length: 16 }, (_, n) =>
    register(
      `ICH_LR${n}_EL2`,
      `List Register ${n}`,
      at(3, 4, 12, 12 + (n >> 3), n & 7),
      LIST_REGISTER,
      "ICH_LR_EL2",
    ),
  ),
];
