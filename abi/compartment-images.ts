// The compartments as they lie in secure flash behind the monitor: a header, a row each, then their images, page
// aligned. Written by host/toolchain/compartment-images.ts, read by the monitor once at boot. Little-endian; offsets in
// bytes from COMPARTMENT_IMAGES_PA. A row's number is the compartment's (abi/compartments.ts).

export const COMPARTMENT_IMAGES_MAGIC_LOW: u32 = 0x435a5456; // "VTZC"
export const COMPARTMENT_IMAGES_MAGIC_HIGH: u32 = 0x31454549; // "IEE1"

export const COMPARTMENT_IMAGES_MAGIC: u32 = 0x00; // u64
export const COMPARTMENT_IMAGES_COUNT: u32 = 0x08; // u32
export const COMPARTMENT_ROW_BASE: u32 = 0x40;
export const COMPARTMENT_ROW_SIZE: u32 = 0x40;
export const COMPARTMENT_ROWS_MAX: u32 = 8;

export const COMPARTMENT_NAME: u32 = 0x00; // 16 bytes, zero padded ASCII
export const COMPARTMENT_IMAGE_OFFSET: u32 = 0x10; // u32
export const COMPARTMENT_TEXT_SIZE: u32 = 0x14; // u32, whole pages: code, and after it
export const COMPARTMENT_RODATA_SIZE: u32 = 0x18; // u32, whole pages: constants
export const COMPARTMENT_MEMORY_PAGES: u32 = 0x1c; // u32, of its linear memory, from COMPARTMENT_MESSAGE_PTR on
export const COMPARTMENT_WINDOW_TABLES: u32 = 0x20; // u32, tables for what it is lent, 2 MiB of pages each
export const COMPARTMENT_KEEPS_STATE: u32 = 0x24; // u32, 1: its memory lives on between calls
export const COMPARTMENT_BOUND_MS: u32 = 0x28; // u32, how long a call may take

// Where an image is linked to run, and what else is mapped for it; VAs of its own address space, which has 1 GiB.
export const COMPARTMENT_TEXT_VA: u32 = 0x00200000; // entered at its start
export const COMPARTMENT_BSS_VA: u32 = 0x00380000; // 1 page of variables of the C under the wasm
export const COMPARTMENT_STACK_VA: u32 = 0x00390000; // COMPARTMENT_STACK_PAGES; nothing below and above
export const COMPARTMENT_STACK_PAGES: u32 = 4;
export const COMPARTMENT_VECTORS_VA: u32 = 0x003ff000; // 1 page, for S-EL1 only
export const COMPARTMENT_LINEAR_VA: u32 = 0x10000000; // address 0 of its linear memory

// How a compartment leaves: SVC #imm16.
export const COMPARTMENT_SVC_DONE: u32 = 0; // x0 = what the call answers
export const COMPARTMENT_SVC_TRAP: u32 = 1; // WebAssembly trapped; x0 = which (el3/link/wasm-rt.h)
