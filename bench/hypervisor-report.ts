// Stock Xen beside hardened Xen: each figure of the probes as one operation, its ratio, and what it may be.

import { table } from "../host/cli/table.ts";
import { type HypervisorResult, SIDES, type Side } from "./hypervisor.ts";
import type { Sample } from "./samples.ts";

interface Row {
  readonly sample: string;
  readonly what: string;
  /** How many of it are in one call of the sample. */
  readonly count?: number;
  /** The largest ratio of hardened to stock that we want; absent where the two do not do the same. */
  readonly target?: number;
  /** The sample of stock Xen, if it has another name. */
  readonly stockSample?: string;
  /**
   * The fastest are compared, not the middle ones, where which of two is in the middle is chance: Xen's scheduler takes one of two ways for
   * whole batches of events, stock as hardened; and of the few births some meet other work of dom0's.
   */
  readonly isFastest?: boolean;
}

const NO_CHANGE = 1.01;
const SWITCH = 1.1;
const GRANT = 1.5;
const WORKLOAD = 1.03;

export const ROWS: readonly Row[] = [
  { sample: "HYPERCALL", what: "null hypercall (xen_version)", target: NO_CHANGE },
  { sample: "MMIO_READ", what: "read of an emulated device (GICD_TYPER)", target: NO_CHANGE },
  { sample: "STAGE2_FAULT", what: "stage-2 fault, answered with an abort", target: NO_CHANGE },
  { sample: "TIMER_INTERRUPT", what: "virtual timer, armed to handled", target: NO_CHANGE },
  { sample: "SGI_TO_ITSELF", what: "SGI of a vCPU to itself, sent to handled", target: NO_CHANGE },
  { sample: "GRANT_COPY", what: "grant copy of 1536 bytes", target: NO_CHANGE },
  { sample: "YIELD_ROUND_TRIP", what: "context switch of vCPUs (yield)", count: 2, target: SWITCH },
  { sample: "IPI_ROUND_TRIP", what: "IPI to a vCPU that sleeps, with the switch", count: 2, target: SWITCH },
  {
    sample: "EVENT_ROUND_TRIP",
    what: "event to a VM that sleeps, with the switch",
    count: 2,
    target: SWITCH,
    isFastest: true,
  },
  { sample: "GRANT_MAP_UNMAP", what: "grant map and unmap", target: GRANT },
  { sample: "BALLOON", what: "a page given back and taken again" },
  {
    sample: "BIRTH",
    what: "xl create to first instruction, without TEE",
    target: WORKLOAD,
    isFastest: true,
  },
  {
    sample: "BIRTH_WITH_TEE",
    what: "xl create to first instruction, with its TEE",
    stockSample: "BIRTH",
    isFastest: true,
  },
  { sample: "COMPILE_LIKE", what: "compile-like work in Linux", target: WORKLOAD },
  { sample: "NETWORK_LIKE", what: "network-like: burst of 8 packets, answered", target: WORKLOAD },
];

export interface Comparison {
  readonly name: string;
  readonly what: string;
  readonly stock: number;
  readonly hardened: number;
  readonly ratio: number;
  readonly target?: number;
  readonly isMet?: boolean;
}

export function compare(result: HypervisorResult): Comparison[] {
  return ROWS.flatMap(({ sample, what, count = 1, target, stockSample = sample, isFastest = false }) => {
    const stock = find(result, "stock", stockSample);
    const hardened = find(result, "hardened", sample);
    if (stock === undefined || hardened === undefined) return [];
    const value = (side: Sample) => (isFastest ? side.min : side.median);
    const ratio = value(hardened) / value(stock);
    return {
      name: sample,
      what,
      stock: value(stock) / count,
      hardened: value(hardened) / count,
      ratio,
      // As printed: a target has two decimals, the ratio gets three.
      ...(target === undefined ? {} : { target, isMet: Math.round(ratio * 1000) <= target * 1000 }),
    };
  });
}

function find(result: HypervisorResult, side: Side, name: string): Sample | undefined {
  return result[side].find((sample) => sample.name === name);
}

export function hypervisorReport(result: HypervisorResult): string {
  const rows = compare(result).map(({ what, stock, hardened, ratio, target, isMet }) => [
    what,
    stock.toFixed(0),
    hardened.toFixed(0),
    ratio.toFixed(3),
    target === undefined ? "-" : `≤ ${target.toFixed(2)}${isMet === true ? "" : "  MISSED"}`,
  ]);
  return [
    "Instructions of what Xen does for VMs: as Debian ships it, without firmware, and hardened on the monitor (medians)",
    "",
    table([["OPERATION", "STOCK", "HARDENED", "RATIO", "TARGET"], ...rows]),
    "",
    `One core; the VMs are probes without an operating system, but for the compile-like work. Of ${SIDES.join(" and ")} Xen each`,
    "figure is the median of batches, so that what dom0 did meanwhile stays out. Of xl create it is the fastest of nine, of",
    "the event the fastest batch: there Xen's scheduler takes one of two ways on both sides, and the middle is chance.",
  ].join("\n");
}
