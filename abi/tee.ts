// The ABI between the monitor and a TEE kernel: the OP-TEE dispatcher's, with one addition for kernels that are entered by
// returning from their last SMC (docs/decisions).

// A TEE returns to the monitor with one of these in x0.
export const TEE_RETURN_MASK: u32 = 0xfffffff0;
export const TEE_RETURN_VALUE: u32 = 0xbe000000;
export const TEE_ENTRY_DONE: u32 = 0xbe000000; // x1 = its entry table; 0 = resume me behind this SMC
export const TEE_CPU_ON_DONE: u32 = 0xbe000001; // x1 = 0 if the core is up
export const TEE_CALL_DONE: u32 = 0xbe000005; // x1…x4 → x0…x3 of the caller
export const TEE_INTERRUPT_DONE: u32 = 0xbe000006;
export const TEE_YIELD: u32 = 0xbe00000f; // go on behind this SMC when the caller has executed its own again

// A vector TEE is entered at its table + one of these.
export const TEE_ENTRY_YIELDING: u32 = 0x00;
export const TEE_ENTRY_FAST: u32 = 0x04;
export const TEE_ENTRY_CPU_ON: u32 = 0x08;
export const TEE_ENTRY_INTERRUPT: u32 = 0x18;

// A resume TEE is told in x0 why it goes on, where a vector TEE is told by the entry.
export const TEE_EVENT_INTERRUPT: u32 = 0xbe000106;

// OP-TEE's own words that the monitor must know.
export const OPTEE_EXCHANGE_CAPABILITIES_FID: u32 = 0xb2000009;

// What a TEE may ask of the monitor, as SMCCC fast calls of 64 bits; this one as an OEM service (Arm DEN 0028, section 6).
// The hardware unique key of its guest: x0 = 0, x1 and x2 = its 16 bytes, little-endian; or x0 = NOT_SUPPORTED.
export const TEE_HARDWARE_UNIQUE_KEY_FID: u32 = 0xc3000001;
