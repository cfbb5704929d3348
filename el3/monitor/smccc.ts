// Return codes that fill a whole register.

/** SMCCC NOT_SUPPORTED, −1 in X0. PSCI has the same code. */
export const NOT_SUPPORTED: u64 = u64.MAX_VALUE;
export const TRNG_SUCCESS: u64 = 0;
export const TRNG_INVALID_PARAMETERS: u64 = u64.MAX_VALUE - 1;
export const TRNG_NO_ENTROPY: u64 = u64.MAX_VALUE - 2;
export const PSCI_SUCCESS: u64 = 0;
export const PSCI_INVALID_PARAMETERS: u64 = u64.MAX_VALUE - 1;
export const PSCI_DENIED: u64 = u64.MAX_VALUE - 2;
export const PSCI_ALREADY_ON: u64 = u64.MAX_VALUE - 3;
export const ATTEST_INVALID_PARAMETERS: u64 = u64.MAX_VALUE - 1;
export const ATTEST_DENIED: u64 = u64.MAX_VALUE - 2;
