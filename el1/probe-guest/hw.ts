// What the probe guest can do beyond any test kernel (el1/kernel/hw.ts).

/** Where the host has put the cases (abi/probe-cases.ts). */
export declare function casesAddress(): u64;
/** Where a second vCPU begins. */
export declare function secondEntry(): u64;
