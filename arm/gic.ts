// Registers of the devices that the monitor drives itself: GICv3 distributor and redistributor (IHI 0069, 12.8 to
// 12.11), PL011 UART (DDI 0183), PL061 GPIO (DDI 0190). Offsets in bytes from the frame's base.

import { bit, bits, deviceRegister, layout } from "./describe.ts";

export const deviceRegisters = [
  deviceRegister("GICD_CTLR", "Distributor control, secure view", 0x0000, {
    GRP0: bit(0, "group 0 on"),
    GRP1NS: bit(1, "non-secure group 1 on"),
    GRP1S: bit(2, "secure group 1 on"),
    ARE_S: bit(4, "affinity routing, secure"),
    ARE_NS: bit(5, "affinity routing, non-secure"),
    DS: bit(6, "security disabled"),
    RWP: bit(31, "a write is pending"),
  }),
  deviceRegister("GICD_TYPER", "Distributor type", 0x0004, {
    ITLINES: bits(4, 0, "INTIDs / 32 - 1"),
    CPUNUMBER: bits(7, 5, "cores - 1, without affinity routing"),
    SECURITY: bit(10, "two security states"),
    IDBITS: bits(23, 19, "INTID bits - 1"),
  }),
  deviceRegister("GICD_IIDR", "Distributor implementer", 0x0008),
  deviceRegister("GICD_IGROUPR", "Group, a bit an INTID", 0x0080),
  deviceRegister("GICD_ISENABLER", "Enable, a bit an INTID", 0x0100),
  deviceRegister("GICD_ICENABLER", "Disable, a bit an INTID", 0x0180),
  deviceRegister("GICD_ISPENDR", "Make pending, a bit an INTID", 0x0200),
  deviceRegister("GICD_ICPENDR", "Not pending, a bit an INTID", 0x0280),
  deviceRegister("GICD_ISACTIVER", "Make active, a bit an INTID", 0x0300),
  deviceRegister("GICD_ICACTIVER", "Not active, a bit an INTID", 0x0380),
  deviceRegister("GICD_IPRIORITYR", "Priority, a byte an INTID", 0x0400),
  deviceRegister("GICD_ITARGETSR", "Target, a byte an INTID", 0x0800),
  deviceRegister("GICD_ICFGR", "Edge or level, two bits an INTID", 0x0c00),
  deviceRegister("GICD_IGRPMODR", "Group modifier, a bit an INTID", 0x0d00),
  deviceRegister("GICD_NSACR", "Non-secure access, two bits an INTID", 0x0e00),
  deviceRegister("GICD_SGIR", "Generate SGI", 0x0f00),
  deviceRegister("GICD_IROUTER", "Route, 8 bytes an INTID, from INTID 32 at 0x6100", 0x6000, {}, 64),
  deviceRegister("GICD_PIDR2", "Distributor ID 2", 0xffe8, { ARCHREV: bits(7, 4, "GIC version") }),

  deviceRegister("GICR_CTLR", "Redistributor control", 0x0000, { RWP: bit(3, "a write is pending") }),
  deviceRegister("GICR_IIDR", "Redistributor implementer", 0x0004),
  deviceRegister(
    "GICR_TYPER",
    "Redistributor type",
    0x0008,
    {
      LAST: bit(4, "the last one of its region"),
      NUMBER: bits(23, 8, "processor number"),
      AFFINITY: bits(63, 32, "the core's affinity"),
    },
    64,
  ),
  deviceRegister("GICR_WAKER", "Redistributor wake", 0x0014, {
    PROCESSOR_SLEEP: bit(1, "the core sleeps"),
    CHILDREN_ASLEEP: bit(2, "the interface is quiet"),
  }),
  deviceRegister("GICR_PIDR2", "Redistributor ID 2", 0xffe8, { ARCHREV: bits(7, 4, "GIC version") }),
  // The second frame of a redistributor, for SGIs and PPIs.
  deviceRegister("GICR_IGROUPR0", "Group", 0x10080),
  deviceRegister("GICR_ISENABLER0", "Enable", 0x10100),
  deviceRegister("GICR_ICENABLER0", "Disable", 0x10180),
  deviceRegister("GICR_ISPENDR0", "Make pending", 0x10200),
  deviceRegister("GICR_ICPENDR0", "Not pending", 0x10280),
  deviceRegister("GICR_ISACTIVER0", "Make active", 0x10300),
  deviceRegister("GICR_ICACTIVER0", "Not active", 0x10380),
  deviceRegister("GICR_IPRIORITYR", "Priority, a byte an INTID", 0x10400),
  deviceRegister("GICR_ICFGR0", "SGIs: edge or level", 0x10c00),
  deviceRegister("GICR_ICFGR1", "PPIs: edge or level", 0x10c04),
  deviceRegister("GICR_IGRPMODR0", "Group modifier", 0x10d00),
  deviceRegister("GICR_NSACR", "Non-secure access", 0x10e00),

  deviceRegister("PL011_DR", "Data", 0x00, {
    DATA: bits(7, 0, "character"),
    FE: bit(8, "framing error"),
    OE: bit(11, "overrun"),
  }),
  deviceRegister("PL011_RSR", "Receive status", 0x04),
  deviceRegister("PL011_FR", "Flags", 0x18, {
    CTS: bit(0, "clear to send"),
    BUSY: bit(3, "transmitting"),
    RXFE: bit(4, "receive FIFO empty"),
    TXFF: bit(5, "transmit FIFO full"),
    RXFF: bit(6, "receive FIFO full"),
    TXFE: bit(7, "transmit FIFO empty"),
  }),
  deviceRegister("PL011_IBRD", "Integer baud rate", 0x24),
  deviceRegister("PL011_FBRD", "Fractional baud rate", 0x28),
  deviceRegister("PL011_LCR_H", "Line control", 0x2c, {
    FEN: bit(4, "FIFOs on"),
    WLEN: bits(6, 5, "word length - 5"),
  }),
  deviceRegister("PL011_CR", "Control", 0x30, {
    UARTEN: bit(0, "UART on"),
    TXE: bit(8, "transmit on"),
    RXE: bit(9, "receive on"),
  }),
  deviceRegister("PL011_IFLS", "Interrupt FIFO level", 0x34),
  deviceRegister("PL011_IMSC", "Interrupt mask", 0x38, {
    RXIM: bit(4, "receive"),
    TXIM: bit(5, "transmit"),
    RTIM: bit(6, "receive timeout"),
  }),
  deviceRegister("PL011_RIS", "Raw interrupt status", 0x3c),
  deviceRegister("PL011_MIS", "Masked interrupt status", 0x40),
  deviceRegister("PL011_ICR", "Interrupt clear", 0x44),
  deviceRegister("PL011_DMACR", "DMA control", 0x48),

  deviceRegister("PL061_DATA", "Data; address bits 9:2 are a mask", 0x000),
  deviceRegister("PL061_DIR", "Direction, 1 = output", 0x400),
  deviceRegister("PL061_AFSEL", "Alternate function", 0x420),
];

export const deviceLayouts = [
  layout("GICD_IROUTER_VALUE", "A route", {
    AFF0: bits(7, 0, "core"),
    AFF1: bits(15, 8, "cluster"),
    AFF2: bits(23, 16, "affinity level 2"),
    IRM: bit(31, "any core"),
    AFF3: bits(39, 32, "affinity level 3"),
  }),
];

export const deviceConstants = {
  PL061_DATA_ALL: 0x3fc, // all eight lines at once
  // The lines of the secure PL061 of the `virt` machine.
  PL061_LINE_POWER_OFF: 1 << 0,
  PL061_LINE_RESET: 1 << 1,
};

/** INTIDs of private interrupts on the `virt` machine, as on most. */
export const privateInterrupts = {
  INTID_HYPERVISOR_TIMER: 26,
  INTID_VIRTUAL_TIMER: 27,
  /** An SGI of the monitor: one core asks the others to wait. */
  INTID_HOLD: 15,
  INTID_SECURE_TIMER: 29,
  INTID_PHYSICAL_TIMER: 30,
  INTID_MAINTENANCE: 25,
  INTID_PMU: 23,
  INTID_SPURIOUS: 1023,
  INTID_SPI_FIRST: 32,
};
