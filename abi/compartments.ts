// Where things lie in a compartment's linear memory: the words that the monitor, which lays it out, and the compartment
// have in common. A compartment exports one function, `call(operation, a, b, c)`: u64. Each one's operations stand in a
// file of their own here. Nothing but this is mapped for it, and page 0 never is.

// Their numbers: places in sel0/manifest.ts.
export const COMPARTMENT_RANDOM: u32 = 0;
export const COMPARTMENT_BOOT: u32 = 1;
export const COMPARTMENT_GUEST_BOOT: u32 = 2;
export const COMPARTMENT_ATTEST: u32 = 3;
export const COMPARTMENT_DEVICES: u32 = 4;

/** Inputs and outputs of a call that do not fit into registers; copied in before it and out after it. */
export const COMPARTMENT_MESSAGE_PTR: u32 = 0x1000;
export const COMPARTMENT_MESSAGE_SIZE: u32 = 0x1000;
/** Its own memory: constants, and the state that it keeps between calls if its manifest row says so. */
export const COMPARTMENT_STATICS_PTR: u32 = 0x2000;
/** What a call lends is mapped from here on, for that call only. */
export const COMPARTMENT_WINDOW_PTR: u32 = 0x08000000;
export const COMPARTMENT_WINDOW_SIZE: u32 = 0x08000000;
/** Of the linear memory, in bytes; most of it is not backed. */
export const COMPARTMENT_MEMORY_SIZE: u32 = 0x10000000;
