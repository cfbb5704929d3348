// Every act of the monitor on the machine: the complete list of its imports (wasm module `hw`). `el3/link/hw.c` and
// `el3/vectors/` implement them on hardware, `tests/machine/` in Node. Addresses ending in Pa are physical; `Ptr` are
// offsets in the monitor's own linear memory. System registers carry the Arm ARM's name.

// --- physical memory, flat and cacheable (devices: Device-nGnRE) --------------------------------------------
export declare function readPhysical8(pa: u64): u32;
export declare function readPhysical32(pa: u64): u32;
export declare function readPhysical64(pa: u64): u64;
export declare function writePhysical8(pa: u64, value: u32): void;
export declare function writePhysical32(pa: u64, value: u32): void;
export declare function writePhysical64(pa: u64, value: u64): void;
export declare function zeroPhysical(pa: u64, size: u64): void;
export declare function copyPhysical(toPa: u64, fromPa: u64, size: u64): void;
export declare function cleanInvalidateRange(pa: u64, size: u64): void;

// --- ordering, TLB and instruction cache --------------------------------------------------------------------
export declare function isb(): void;
export declare function dsbSy(): void;
export declare function icIallu(): void;
export declare function icIalluis(): void;
export declare function tlbiVmalls12e1is(): void;
export declare function tlbiAlle2is(): void;
export declare function tlbiAlle1is(): void;
/** One page of EL2's stage 1: bits 55…12 of the VA. */
export declare function tlbiVae2is(page: u64): void;

// --- several cores --------------------------------------------------------------------------------------------
export declare function lock(index: u32): void;
export declare function unlock(index: u32): void;
/** Atomic compare-and-swap on a word of linear memory; returns what stood there. */
export declare function compareAndSwap32(ptr: usize, expected: u32, value: u32): u32;
export declare function loadAcquire32(ptr: usize): u32;
/** A store that no earlier access is seen after (STLR). */
export declare function storeRelease32(ptr: usize, value: u32): void;
export declare function sendEvent(): void;
/** Interrupts the cores of `mask` (SGI, group 0) and returns when each of them waits in `waitWhileHeld`. */
export declare function holdCores(mask: u32): void;
export declare function releaseCores(): void;
/** Returns at once if nobody holds this core. */
export declare function waitWhileHeld(core: u32): void;
/** Writes the epitaph and stops the machine; never returns. */
export declare function fatal(code: u32, a: u64, b: u64): void;
/** Puts this core into the holding pen until the next CPU_ON; never returns. */
export declare function parkCore(core: u32): void;

// --- contexts (el3/vectors/context.S) --------------------------------------------------------------------------
export declare function saveEl1Context(contextPtr: usize): void;
export declare function loadEl1Context(contextPtr: usize): void;
/** Enters the compartment whose record lies at `ptr` (vectors/compartment.S) and returns when it has left: 1 if by an FIQ. */
export declare function enterCompartment(ptr: usize): u32;
export declare function saveFpContext(contextPtr: usize): void;
export declare function loadFpContext(contextPtr: usize): void;
/** The virtual CPU interface: ICH_VMCR_EL2, ICH_AP*R0_EL2 and the first `listRegisters` of ICH_LR<n>_EL2. */
export declare function saveGicContext(contextPtr: usize, listRegisters: u32): void;
export declare function loadGicContext(contextPtr: usize, listRegisters: u32): void;

// --- system registers -----------------------------------------------------------------------------------------
export declare function readCNTPCT_EL0(): u64;
export declare function readCNTFRQ_EL0(): u64;
export declare function writeCNTFRQ_EL0(value: u64): void;
export declare function writeCNTPS_CTL_EL1(value: u64): void;
export declare function writeCNTPS_CVAL_EL1(value: u64): void;
export declare function readCNTV_CTL_EL0(): u64;
export declare function writeCNTV_CTL_EL0(value: u64): void;
export declare function readCNTV_CVAL_EL0(): u64;
export declare function writeCNTV_CVAL_EL0(value: u64): void;
export declare function readCNTVOFF_EL2(): u64;
export declare function readMIDR_EL1(): u64;
export declare function readMPIDR_EL1(): u64;
export declare function writeCPTR_EL3(value: u64): void;
export declare function writeMDCR_EL3(value: u64): void;
export declare function writeSCR_EL3(value: u64): void;

export declare function readESR_EL2(): u64;
export declare function writeESR_EL2(value: u64): void;
export declare function readELR_EL2(): u64;
export declare function writeELR_EL2(value: u64): void;
export declare function readSPSR_EL2(): u64;
export declare function writeSPSR_EL2(value: u64): void;
export declare function readFAR_EL2(): u64;
export declare function writeFAR_EL2(value: u64): void;
export declare function readHPFAR_EL2(): u64;
export declare function writeHPFAR_EL2(value: u64): void;
export declare function readHCR_EL2(): u64;
export declare function writeHCR_EL2(value: u64): void;
export declare function readSP_EL1(): u64;
export declare function readVTTBR_EL2(): u64;
export declare function writeVTTBR_EL2(value: u64): void;
export declare function readVTCR_EL2(): u64;
export declare function writeVTCR_EL2(value: u64): void;
export declare function readTTBR0_EL2(): u64;
export declare function writeTTBR0_EL2(value: u64): void;
export declare function readTCR_EL2(): u64;
export declare function writeTCR_EL2(value: u64): void;
export declare function readMAIR_EL2(): u64;
export declare function writeMAIR_EL2(value: u64): void;
export declare function readSCTLR_EL2(): u64;
export declare function writeSCTLR_EL2(value: u64): void;
export declare function writeVBAR_EL2(value: u64): void;
export declare function readVMPIDR_EL2(): u64;
export declare function writeVMPIDR_EL2(value: u64): void;
export declare function writeVPIDR_EL2(value: u64): void;
export declare function writeCNTHCTL_EL2(value: u64): void;
export declare function writeCNTVOFF_EL2(value: u64): void;
export declare function writeCPTR_EL2(value: u64): void;

export declare function readICH_HCR_EL2(): u64;
export declare function writeICH_HCR_EL2(value: u64): void;
export declare function readICH_VTR_EL2(): u64;
export declare function readICC_PMR_EL1(): u64;
export declare function writeICC_PMR_EL1(value: u64): void;
export declare function readICC_IAR0_EL1(): u64;
export declare function writeICC_EOIR0_EL1(value: u64): void;
export declare function writeICC_IGRPEN0_EL1(value: u64): void;
export declare function writeICC_IGRPEN1_EL3(value: u64): void;
export declare function writeICC_SRE_EL1(value: u64): void;
export declare function writeICC_SRE_EL2(value: u64): void;
export declare function writeICC_SRE_EL3(value: u64): void;
