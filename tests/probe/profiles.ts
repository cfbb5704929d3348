// What the monitor is told of the probe TEE, for each kind of entry (docs/guest-tee-abi.md, "A profile of your own").

import { PROBE_TEE_LOAD_IPA } from "../../host/toolchain/build-kernel.ts";
import type { TeeKind } from "./table.ts";

/** The SPI by which the resume kind is told of its normal world's interrupts. */
export const PROBE_FOREIGN_INTID = 40;

const COMMON = { load: PROBE_TEE_LOAD_IPA, deviceTree: true };

export const PROBE_PROFILES: Readonly<Record<TeeKind, object>> = {
  vector: {
    ...COMMON,
    name: "probe-vector",
    kind: "vector",
    cores: 2,
    timer: "cntps",
    foreignInterrupts: "fiq",
    wfi: "faults",
    adaptedSites: 3 * 2, // each register is read and written in one place
  },
  resume: {
    ...COMMON,
    name: "probe-resume",
    kind: "resume",
    cores: 1,
    timer: "cntv",
    foreignInterrupts: PROBE_FOREIGN_INTID,
    wfi: "leaves",
  },
};
