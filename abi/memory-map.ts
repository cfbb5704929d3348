// Where everything lies in physical memory of the QEMU `virt` machine (secure=on), and in a guest's S world.
// Plain u32 constants: addresses above 4 GiB are given at run time by the boot package.

// --- secure flash 0: the monitor executes in place, the boot package follows -------------------------------
export const FLASH_PA: u32 = 0x00000000;
export const FLASH_SIZE: u32 = 0x04000000;
export const MONITOR_TEXT_PA: u32 = 0x00000000;
export const COMPARTMENT_IMAGES_PA: u32 = 0x00080000; // abi/compartment-images.ts
export const MONITOR_TEXT_SIZE: u32 = 0x000ff000; // the compartments included
export const DEVICE_PAGE_PA: u32 = 0x000ff000; // abi/device.ts
export const DEVICE_PAGE_SIZE: u32 = 0x00001000;
export const BOOT_PACKAGE_PA: u32 = 0x00100000;

// --- secure SRAM: everything that the monitor writes -------------------------------------------------------
export const SECURE_SRAM_PA: u32 = 0x0e000000;
export const SECURE_SRAM_SIZE: u32 = 0x01000000;
export const COMPARTMENT_RAM_PA: u32 = 0x0e200000; // up to the end: code, tables and memory of the compartments

// --- devices ------------------------------------------------------------------------------------------------
export const GICD_PA: u32 = 0x08000000;
export const GICR_PA: u32 = 0x080a0000;
export const GICR_FRAME_SIZE: u32 = 0x00020000;
export const NORMAL_UART_PA: u32 = 0x09000000;
export const SECURE_UART_PA: u32 = 0x09040000;
export const SMMU_PA: u32 = 0x09050000;
export const SECURE_GPIO_PA: u32 = 0x090b0000;

// Devices that the normal world could reach and that nobody below EL3 may map: the device tree shows none of them, and
// each would open a way past the DMA table.
export const SMMU_SIZE: u32 = 0x00020000; // whoever writes it switches the translation off
export const FW_CFG_PA: u32 = 0x09020000; // reads and writes memory by itself, unless QEMU is told not to
export const FW_CFG_SIZE: u32 = 0x00001000;
export const ITS_PA: u32 = 0x08080000; // keeps its tables in memory that its owner names; absent (its=off)
export const ITS_SIZE: u32 = 0x00020000;
export const VIRTIO_MMIO_PA: u32 = 0x0a000000; // 32 transports that do DMA past the SMMU; nothing is plugged in
export const VIRTIO_MMIO_SIZE: u32 = 0x00004000;

// --- normal DRAM, as `vtz` lays it out (the boot package and the device tree carry the final word) -----------
export const DRAM_PA: u32 = 0x40000000;
export const DEVICE_TREE_PA: u32 = 0x40200000; // QEMU puts a tree of its own at the start of DRAM
export const DOM0_KERNEL_PA: u32 = 0x42000000;
export const XEN_PA: u32 = 0x48000000;
export const DOM0_INITRD_PA: u32 = 0x50000000;

// --- the S world of a guest, in IPA ---------------------------------------------------------------------------
export const TEE_RAM_IPA: u32 = 0x0e000000;
export const TEE_RAM_SIZE: u32 = 0x01000000;
export const TEE_GICD_IPA: u32 = 0x08000000;
export const TEE_GICR_IPA: u32 = 0x080a0000;
export const TEE_UART_IPA: u32 = 0x09040000;
export const TEE_TZC400_IPA: u32 = 0x090d0000; // in Xen's guest layout nothing lies there
export const TEE_TZPC_IPA: u32 = 0x090e0000;
export const TEE_INTERRUPT_COUNT: u32 = 160; // INTIDs of its distributor; SPIs from 32 on
export const TEE_DEVICE_TREE_IPA: u32 = 0x0e000000; // below the images that expect TZDRAM at 0x0e100000
export const NORMAL_RAM_IPA: u32 = 0x40000000; // where Xen puts a guest's first memory bank
export const NORMAL_RAM_HIGH_IPA_GIB: u32 = 8; // and its second one, in GiB

// --- the monitor's own part of the pool, in bytes from BOOT_POOL_PA -------------------------------------------
export const POOL_STATUS_OFFSET: u32 = 0x00000000; // abi/status.ts
export const POOL_VECTORS_OFFSET: u32 = 0x00010000; // the page of trapping vectors
export const POOL_VECTOR_TABLES_OFFSET: u32 = 0x00011000; // 3 stage-1 tables that map it for EL2
export const POOL_EMPTY_ROOT_OFFSET: u32 = 0x00014000; // a stage-2 root that maps nothing
export const POOL_STAGE2_OFFSET: u32 = 0x00100000; // stage-2 tables of the S worlds
export const POOL_STAGE2_SIZE: u32 = 0x00010000; // for each guest slot
export const POOL_HYPERVISOR_VECTORS_OFFSET: u32 = 0x00020000; // a page for each core: EL2's vectors while Xen runs
export const POOL_HYPERVISOR_VECTOR_TABLE_OFFSET: u32 = 0x0001f000; // the stage-1 table that maps them
export const POOL_SMMU_OFFSET: u32 = 0x00200000; // queues, stream table and DMA table (el3/monitor/dma/memory.ts)
export const POOL_SMMU_SIZE: u32 = 0x00050000;
export const POOL_BOOT_TREES_OFFSET: u32 = 0x00400000; // a VM's device tree while it is changed (guests/boot-tree.ts)
export const POOL_BOOT_TREES_SIZE: u32 = 0x00040000; // for each guest slot
export const POOL_PARTITION_OFFSET: u32 = 0x00800000; // devices and partition of each guest slot (el3/monitor/partition)
export const POOL_PARTITION_SIZE: u32 = 0x00040000;
export const POOL_PAGES_OFFSET: u32 = 0x01000000; // the page records (abi/pages.ts), then tables of single pages (boot/platform.ts)
// Behind them, at the multiple of TEE_RAM_SIZE that the boot package names: RAM of the TEEs, TEE_RAM_SIZE each.
