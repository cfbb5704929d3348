// Who owns a page of RAM. The monitor keeps one record for every 4 KiB page, PAGE_RECORD_SIZE bytes, in the pool; every change of a
// translation is decided by it. A state says who may touch the page, not how it got there.
//
//   word 0   31…8 references   5:4 level of a table   3:0 state
//   word 1   a page that may be written by Xen:  27…16 epoch of its last removal from a stage 2
//                                                11…0  writable mappings at EL2 beside the direct map
//            a stage-1 table:   26…0  first VA that it translates, in units of 2 MiB
//            a stage-2 table:   31…24 VMID   22…0 first IPA that it translates, in units of 2 MiB
//            a guest TEE's, a guest's secure:  7…0   slot of the guest

export const PAGE_RECORD_SIZE: u32 = 8;

/**
 * The hypervisor's to use, mapped in no guest.
 * May read: Xen.      May write: Xen; devices of dom0.
 * Holds:      anything.
 * References: none.
 * Becomes:    PAGE_GUEST when a stage-2 leaf names it; a table when a table entry or VTTBR_EL2 names it.
 * Never:      executable at EL2.
 */
export const PAGE_FREE: u32 = 0;

/**
 * Mapped in at least one guest (dom0 included).
 * May read: Xen, the guests that map it and their TEEs.   May write: the same, as the mappings say; devices of dom0.
 * Holds:      anything.
 * References: stage-2 leaves that name it, at most PAGE_REFERENCES_MAX.
 * Becomes:    PAGE_FREE when the last one is gone; PAGE_GUEST_SECURE when a guest's TEE takes it from its normal world.
 * Never:      a translation table, or executable at EL2.
 */
export const PAGE_GUEST: u32 = 1;

/**
 * Code of the hypervisor, scanned and measured at lockdown.
 * May read: Xen.      May write: nobody.
 * Holds:      no instruction that changes EL2's or stage 2's translation.
 * References: executable mappings of it at EL2.
 * Becomes:    PAGE_FREE when the last one is gone (Xen's initialisation code); no page ever becomes it after lockdown.
 * Never:      writable anywhere, by any translation that a core may still hold.
 */
export const PAGE_HYPERVISOR_TEXT: u32 = 2;

/**
 * A live stage-1 table of EL2.
 * May read: Xen.      May write: the monitor, on Xen's behalf.
 * Holds:      entries that were checked.
 * References: the one entry, or TTBR0_EL2, that names it.
 * Becomes:    PAGE_FREE when it is unlinked, empty.
 * Never:      writable for Xen, a guest or a device.
 */
export const PAGE_STAGE1_TABLE: u32 = 3;

/**
 * A live stage-2 table.
 * May read: Xen.      May write: the monitor, on Xen's behalf.
 * Holds:      entries that were checked.
 * References: the one entry, or the VMID, that names it.
 * Becomes:    PAGE_FREE when it is unlinked; a root, when it is empty and on no core.
 * Never:      writable for Xen, a guest or a device.
 */
export const PAGE_STAGE2_TABLE: u32 = 4;

/**
 * RAM of one guest's TEE.
 * May read: that TEE; the monitor.      May write: the same.
 * Holds:      what the TEE keeps there; zero before and after.
 * References: the S world's own table.
 * Becomes:    PAGE_MONITOR, zeroed, when its guest is destroyed.
 * Never:      named by a translation of EL2, of a normal world, of another TEE or of a device.
 */
export const PAGE_GUEST_TEE: u32 = 5;

/**
 * The monitor's part of RAM: this table, S worlds' stage-2 tables, the direct map's last level, trapping vectors, free TEE RAM.
 * May read: the monitor; EL2's walks the direct map's tables, and EL2 executes the vectors.   May write: the monitor.
 * Holds:      what abi/memory-map.ts says.
 * References: none.
 * Becomes:    PAGE_GUEST_TEE when a guest is created.
 * Never:      readable for Xen, a guest or a device, but for the vectors.
 */
export const PAGE_MONITOR: u32 = 6;

/**
 * Memory of one guest's normal world that its TEE has taken for itself (el3/monitor/partition).
 * May read: that TEE; the monitor.      May write: the same.
 * Holds:      what was there, then what the TEE keeps there.
 * References: the S world's own table.
 * Becomes:    PAGE_FREE, zeroed, when the TEE or the hypervisor takes it back, or its guest is destroyed.
 * Never:      named by a translation of EL2, of a normal world, of another TEE or of a device.
 */
export const PAGE_GUEST_SECURE: u32 = 7;

export const PAGE_STATE_COUNT: u32 = 8;

export const PAGE_STATE_MASK: u32 = 0xf;
export const PAGE_LEVEL_SHIFT: u32 = 4;
export const PAGE_LEVEL_MASK: u32 = 0x30;
export const PAGE_REFERENCE_ONE: u32 = 0x100;
export const PAGE_REFERENCES_SHIFT: u32 = 8;
export const PAGE_REFERENCES_MAX: u32 = 0xffffff;

export const PAGE_WRITABLE_MASK: u32 = 0xfff;
export const PAGE_EPOCH_SHIFT: u32 = 16;
export const PAGE_EPOCH_MASK: u32 = 0xfff0000;
export const PAGE_EPOCHS: u32 = 0x1000;
export const PAGE_OWNER_SHIFT: u32 = 24;
export const PAGE_BASE_MASK: u32 = 0x7fffff;
