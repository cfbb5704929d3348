// What the test compartment (sel0/misbehaving) does, by its operation.

export const MISBEHAVE_NOT: u32 = 0; // a + b + c, and the message's bytes each plus one
export const MISBEHAVE_LOAD: u32 = 1; // the u64 at address a of its linear memory
export const MISBEHAVE_STORE: u32 = 2; // b to address a
export const MISBEHAVE_UNREACHABLE: u32 = 3;
export const MISBEHAVE_DIVIDE: u32 = 4; // a by b
export const MISBEHAVE_LOOP: u32 = 5; // a times, or for ever if a is 0
export const MISBEHAVE_REMEMBER: u32 = 6; // answers what the call before gave as a
export const MISBEHAVE_SUM: u32 = 7; // the sum of the a bytes lent, b more for each byte behind them
