// What a test kernel can do to the machine: its imports (wasm module `hw`), implemented in hw.c and kernel.S. Register
// accesses by name are made by the build (host/toolchain/register-access.ts). Addresses are intermediate physical ones:
// the MMU is off.

/**
 * Executes one instruction with x0…x30 from the frame at `framePtr` (frame.ts), and puts there what the registers are
 * behind it; or, if it caused an exception, its syndrome.
 */
export declare function run(framePtr: usize): void;
/** Where `run` puts the instruction, on this core. */
export declare function runAddress(): u64;

export declare function readPhysical8(ipa: u64): u32;
export declare function readPhysical32(ipa: u64): u32;
export declare function readPhysical64(ipa: u64): u64;
export declare function writePhysical32(ipa: u64, value: u32): void;

export declare function currentCore(): u32;
/** MSR DAIFClr, where 2 is IRQ and 1 is FIQ; DAIFSet of everything. */
export declare function unmask(interrupts: u32): void;
export declare function maskAll(): void;
export declare function waitForInterrupt(): void;
/** The hypervisor lets others run. */
export declare function waitForEvent(): void;
export declare function sendEvent(): void;
/** Of linear memory, for what another core, or an interrupt, changes. */
export declare function loadAcquire32(ptr: usize): u32;
export declare function storeRelease32(ptr: usize, value: u32): void;

export declare function readCNTPCT_EL0(): u64;
export declare function readCNTVCT_EL0(): u64;
export declare function readELR_EL1(): u64;
export declare function readICC_IAR1_EL1(): u64;
export declare function writeICC_EOIR1_EL1(value: u64): void;
export declare function writeCNTV_CTL_EL0(value: u64): void;
export declare function writeCNTV_TVAL_EL0(value: u64): void;
