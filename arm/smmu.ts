// The SMMUv3 as the monitor programs it (Arm IHI 0070): its non-secure registers (chapter 6), the structures in memory
// that it reads (chapter 5), commands (4) and event records (7). Structures are described by their 64-bit words.

import { bit, bits, deviceRegister, layout, part } from "./describe.ts";

const CACHEABILITY = { NON_CACHEABLE: 0, WRITE_BACK: 1 };
const SHAREABILITY = { NONE: 0, OUTER: 2, INNER: 3 };
const ADDRESS_SIZE = { B32: 0, B36: 1, B40: 2, B42: 3, B44: 4, B48: 5 };

const CONTROL = {
  SMMUEN: bit(0, "translation on"),
  PRIQEN: bit(1, "queue of page requests on"),
  EVENTQEN: bit(2, "event queue on"),
  CMDQEN: bit(3, "command queue on"),
  ATSCHK: bit(4, "traffic that says it is translated is checked"),
};
const INTERRUPTS = {
  GERROR: bit(0, "global errors"),
  PRIQ: bit(1, "page requests"),
  EVENTQ: bit(2, "event queue no longer empty"),
};
const ERRORS = {
  CMDQ_ERR: bit(0, "a command was refused"),
  EVENTQ_ABT_ERR: bit(2, "an event was lost"),
  SFM_ERR: bit(8, "service failure mode"),
};
const QUEUE_BASE = {
  LOG2SIZE: bits(4, 0, "entries, as a power of two"),
  ADDR: bits(51, 5, "address"),
  ALLOCATE: bit(62, "allocation hint"),
};
const EVENT_QUEUE_INDEX = {
  INDEX: bits(19, 0, "entry and, above it, the wrap bit"),
  OVERFLOW: bit(31, "toggled when an event is lost; acknowledged by the same value in CONS"),
};

export const smmuRegisters = [
  deviceRegister("SMMU_IDR0", "SMMU features", 0x00, {
    S2P: bit(0, "stage 2"),
    S1P: bit(1, "stage 1"),
    TTF: bits(3, 2, "table formats", { AARCH64: 2, BOTH: 3 }),
    TTF_AARCH64: part(3, 3, "AArch64 tables"),
    COHACC: bit(4, "its accesses are coherent"),
    ATS: bit(10, "address translation for devices"),
    STALL_MODEL: bits(25, 24, "what a fault may do", { BOTH: 0, TERMINATE: 1, STALL: 2 }),
    TERM_MODEL: bit(26, "a terminated access is always an abort"),
    ST_LEVEL: bits(28, 27, "stream tables", { LINEAR: 0, TWO_LEVEL: 1 }),
  }),
  deviceRegister("SMMU_IDR1", "SMMU sizes", 0x04, {
    SIDSIZE: bits(5, 0, "bits of a stream ID"),
    EVENTQS: bits(20, 16, "largest event queue, as a power of two"),
    CMDQS: bits(25, 21, "largest command queue, as a power of two"),
    REL: bit(28, "preset addresses are relative"),
    QUEUES_PRESET: bit(29, "queues are fixed"),
    TABLES_PRESET: bit(30, "stream table is fixed"),
  }),
  deviceRegister("SMMU_IDR3", "SMMU features", 0x0c, {
    RIL: bit(10, "range invalidation"),
    BBML: bits(12, 11, "a block may become a table without a break", { NONE: 0, NT: 1, FREE: 2 }),
  }),
  deviceRegister("SMMU_IDR5", "SMMU address sizes", 0x14, {
    OAS: bits(2, 0, "output address size", ADDRESS_SIZE),
    GRAN4K: bit(4, "4 KiB pages"),
    GRAN16K: bit(5, "16 KiB pages"),
    GRAN64K: bit(6, "64 KiB pages"),
  }),
  deviceRegister("SMMU_CR0", "SMMU control", 0x20, CONTROL),
  deviceRegister("SMMU_CR0ACK", "SMMU control, in effect", 0x24, CONTROL),
  deviceRegister("SMMU_CR1", "SMMU memory attributes of tables and queues", 0x28, {
    QUEUE_IC: bits(1, 0, "queues, inner", CACHEABILITY),
    QUEUE_OC: bits(3, 2, "queues, outer", CACHEABILITY),
    QUEUE_SH: bits(5, 4, "queues, shareability", SHAREABILITY),
    TABLE_IC: bits(7, 6, "stream table, inner", CACHEABILITY),
    TABLE_OC: bits(9, 8, "stream table, outer", CACHEABILITY),
    TABLE_SH: bits(11, 10, "stream table, shareability", SHAREABILITY),
  }),
  deviceRegister("SMMU_CR2", "SMMU behaviour", 0x2c, {
    E2H: bit(0, "EL2 streams are host streams"),
    RECINVSID: bit(1, "record events of unknown streams"),
    PTM: bit(2, "cores' broadcast TLB maintenance is ignored"),
  }),
  deviceRegister("SMMU_GBPA", "SMMU while off", 0x44, {
    ABORT: bit(20, "accesses are aborted"),
    UPDATE: bit(31, "written with the rest; reads as one until in effect"),
  }),
  deviceRegister("SMMU_IRQ_CTRL", "SMMU interrupts", 0x50, INTERRUPTS),
  deviceRegister("SMMU_IRQ_CTRLACK", "SMMU interrupts, in effect", 0x54, INTERRUPTS),
  deviceRegister("SMMU_GERROR", "SMMU errors; active where it differs from GERRORN", 0x60, ERRORS),
  deviceRegister("SMMU_GERRORN", "SMMU errors, acknowledged", 0x64, ERRORS),
  deviceRegister("SMMU_GERROR_IRQ_CFG0", "Address that an error is written to; 0: wired", 0x68, {}, 64),
  deviceRegister(
    "SMMU_STRTAB_BASE",
    "Stream table",
    0x80,
    { ADDR: bits(51, 6, "address"), ALLOCATE: bit(62, "allocation hint") },
    64,
  ),
  deviceRegister("SMMU_STRTAB_BASE_CFG", "Stream table: form", 0x88, {
    LOG2SIZE: bits(5, 0, "bits of stream IDs that it serves"),
    SPLIT: bits(10, 6, "bits of them that the second level serves"),
    FMT: bits(17, 16, "levels", { LINEAR: 0, TWO_LEVEL: 1 }),
  }),
  deviceRegister("SMMU_CMDQ_BASE", "Command queue", 0x90, QUEUE_BASE, 64),
  deviceRegister("SMMU_CMDQ_PROD", "Command queue: written up to", 0x98),
  deviceRegister("SMMU_CMDQ_CONS", "Command queue: consumed up to", 0x9c, {
    INDEX: bits(19, 0, "entry and, above it, the wrap bit"),
    ERR: bits(30, 24, "why the command there was refused"),
  }),
  deviceRegister("SMMU_EVENTQ_BASE", "Event queue", 0xa0, QUEUE_BASE, 64),
  deviceRegister("SMMU_EVENTQ_IRQ_CFG0", "Address that an event is told to; 0: wired", 0xb0, {}, 64),
  // In page 1 of the registers.
  deviceRegister("SMMU_EVENTQ_PROD", "Event queue: written up to", 0x100a8, EVENT_QUEUE_INDEX),
  deviceRegister("SMMU_EVENTQ_CONS", "Event queue: consumed up to", 0x100ac, EVENT_QUEUE_INDEX),
];

export const smmuLayouts = [
  layout("SMMU_L1STD", "Stream table, first level", {
    SPAN: bits(4, 0, "entries of the second level, as a power of two, plus 1; 0: none"),
    L2PTR: bits(51, 6, "address of the second level"),
  }),
  layout("SMMU_STE0", "Stream table entry, word 0", {
    V: bit(0, "valid"),
    CONFIG: bits(3, 1, "what happens", { ABORT: 0, BYPASS: 4, STAGE1: 5, STAGE2: 6, NESTED: 7 }),
    S1FMT: bits(5, 4, "form of a table of contexts"),
    S1CONTEXTPTR: bits(51, 6, "address of the context descriptor"),
    S1CDMAX: bits(63, 59, "contexts, as a power of two"),
  }),
  layout("SMMU_STE1", "Stream table entry, word 1", {
    S1DSS: bits(1, 0, "accesses without substream", { TERMINATE: 0, BYPASS: 1, SUBSTREAM0: 2 }),
    S1CIR: bits(3, 2, "context descriptor, inner", CACHEABILITY),
    S1COR: bits(5, 4, "context descriptor, outer", CACHEABILITY),
    S1CSH: bits(7, 6, "context descriptor, shareability", SHAREABILITY),
    S1STALLD: bit(27, "never stall"),
    EATS: bits(29, 28, "translation requests of the device", { ABORT: 0, FULL: 1, SPLIT: 2 }),
    STRW: bits(31, 30, "translation regime", { EL1: 0, EL2: 2 }),
    SHCFG: bits(45, 44, "shareability", { NONE: 0, INCOMING: 1, OUTER: 2, INNER: 3 }),
  }),
  layout("SMMU_CD0", "Context descriptor, word 0", {
    T0SZ: bits(5, 0, "64 less bits of address"),
    TG0: bits(7, 6, "page size", { K4: 0, K64: 1, K16: 2 }),
    IR0: bits(9, 8, "walks, inner", CACHEABILITY),
    OR0: bits(11, 10, "walks, outer", CACHEABILITY),
    SH0: bits(13, 12, "walks, shareability", SHAREABILITY),
    EPD0: bit(14, "no walk of table 0"),
    ENDI: bit(15, "tables are big-endian"),
    EPD1: bit(30, "no walk of table 1"),
    V: bit(31, "valid"),
    IPS: bits(34, 32, "output address size", ADDRESS_SIZE),
    AFFD: bit(35, "no access-flag faults"),
    TBI0: bit(38, "the top byte is ignored"),
    AA64: bit(41, "AArch64 tables"),
    HD: bit(42, "dirty state is written by the SMMU"),
    HA: bit(43, "access flags are written by the SMMU"),
    S: bit(44, "a faulting access stalls"),
    R: bit(45, "faults are recorded"),
    A: bit(46, "a faulting access is aborted"),
    ASET: bit(47, "the ASID is not the cores'"),
    ASID: bits(63, 48, "address space"),
  }),
  layout("SMMU_CD1", "Context descriptor, word 1", { TTB0: bits(51, 4, "address of table 0") }),
  layout("SMMU_CD3", "Context descriptor, word 3", {
    MAIR_ATTR0: bits(7, 0, "memory attribute 0", { WRITE_BACK: 0xff }),
  }),
  layout("SMMU_CMD0", "Command, word 0", {
    OPCODE: bits(7, 0, "command", {
      CFGI_STE_RANGE: 0x04,
      TLBI_NH_VA: 0x12,
      TLBI_NSNH_ALL: 0x30,
      SYNC: 0x46,
    }),
    SSEC: bit(10, "for a secure stream"),
    VMID: bits(47, 32, "TLBI: virtual machine"),
    ASID: bits(63, 48, "TLBI: address space"),
  }),
  layout("SMMU_CFGI1", "CMD_CFGI_STE_RANGE, word 1", {
    RANGE: bits(4, 0, "bits of stream IDs less 1", { ALL: 31 }),
  }),
  layout("SMMU_TLBI1", "CMD_TLBI_NH_VA, word 1", {
    LEAF: bit(0, "the last level only"),
    ADDRESS: bits(63, 12, "page"),
  }),
  layout("SMMU_EVENT0", "Event record, word 0", {
    TYPE: bits(7, 0, "event", {
      C_BAD_STREAMID: 0x02,
      F_TRANSLATION: 0x10,
      F_ADDR_SIZE: 0x11,
      F_ACCESS: 0x12,
      F_PERMISSION: 0x13,
    }),
    SSV: bit(11, "has a substream"),
    SUBSTREAM: bits(31, 12, "substream"),
    STREAM: bits(63, 32, "stream ID"),
  }),
  layout("SMMU_EVENT1", "Event record, word 1", { RNW: bit(35, "a read") }),
];

export const smmuConstants = {
  SMMU_STE_SIZE: 64,
  SMMU_L1STD_SIZE: 8,
  SMMU_CD_SIZE: 64,
  SMMU_COMMAND_SIZE: 16,
  SMMU_EVENT_SIZE: 32,
  SMMU_EVENT_ADDRESS: 16, // offset of the word that is the address
  // The wired interrupts of the `virt` machine: SPI 74 to 77, edges.
  INTID_SMMU_EVENTQ: 106,
  INTID_SMMU_PRIQ: 107,
  INTID_SMMU_CMD_SYNC: 108,
  INTID_SMMU_GERROR: 109,
};
