// What the probe TEE can do beyond any test kernel (el1/kernel/hw.ts): leave, and use the timer that its profile gives it.

/** x0…x3 of the caller, when this call ends. */
export declare function answer(x0: u64, x1: u64, x2: u64, x3: u64): void;
/** Leaves in the middle of a call; comes back when the caller has executed its SMC again. */
export declare function yieldCall(): void;
/** x<index> at the first instruction; PROBE_ENTRY_*. */
export declare function entryState(index: u32): u64;
/** Register 0 TVAL, 1 CTL, 2 CVAL: each is one instruction in the image (timer-*.S). */
export declare function readTimer(register: u32): u64;
export declare function writeTimer(register: u32, value: u64): void;
export declare function timerIntid(): u64;
