// SMC Calling Convention (Arm DEN 0028) and PSCI (Arm DEN 0022): the words that the monitor knows.

export const SMCCC_OWNER_SHIFT: u32 = 24;
export const SMCCC_OWNER_MASK: u32 = 0x3f;
export const SMCCC_OWNER_TRUSTED_APPLICATIONS: u32 = 48; // 48…49, then the trusted OS 50…63
export const SMCCC_FAST_CALL: u32 = 0x80000000;

export const SMCCC_VERSION_FID: u32 = 0x80000000;
export const SMCCC_ARCH_FEATURES_FID: u32 = 0x80000001;
export const SMCCC_VERSION_1_1: u32 = 0x00010001;

/** Of a function id: arguments have 64 bits. */
export const SMCCC_SMC64_BIT: u32 = 0x40000000;

// The TRNG firmware interface (Arm DEN0098).
export const TRNG_VERSION_FID: u32 = 0x84000050;
export const TRNG_FEATURES_FID: u32 = 0x84000051;
export const TRNG_GET_UUID_FID: u32 = 0x84000052;
export const TRNG_RND_FID: u32 = 0x84000053;
export const TRNG_RND_64_FID: u32 = 0xc4000053;
export const TRNG_VERSION_1_0: u32 = 0x00010000;

export const PSCI_VERSION_FID: u32 = 0x84000000;
export const PSCI_CPU_OFF_FID: u32 = 0x84000002;
export const PSCI_AFFINITY_INFO_FID: u32 = 0x84000004;
export const PSCI_MIGRATE_INFO_TYPE_FID: u32 = 0x84000006;
export const PSCI_SYSTEM_OFF_FID: u32 = 0x84000008;
export const PSCI_SYSTEM_RESET_FID: u32 = 0x84000009;
export const PSCI_FEATURES_FID: u32 = 0x8400000a;
export const PSCI_CPU_ON_64_FID: u32 = 0xc4000003;
export const PSCI_AFFINITY_INFO_64_FID: u32 = 0xc4000004;

export const PSCI_VERSION_1_1: u32 = 0x00010001;
export const PSCI_MIGRATE_NOT_REQUIRED: u32 = 2;
export const PSCI_AFFINITY_ON: u32 = 0;
export const PSCI_AFFINITY_OFF: u32 = 1;
