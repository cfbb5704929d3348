// What the measuring programs print, as instruction counts. Under `-icount shift=0` virtual time advances by one
// nanosecond per executed instruction, at every exception level; the counter that the programs read ticks more slowly.

export interface Sample {
  readonly name: string;
  /** Instructions per call, of the middle batch: what other domains did meanwhile stays out. */
  readonly median: number;
  readonly min: number;
  readonly mean: number;
  readonly callCount: number;
  /** x0 of the last one, if it was an SMC. */
  readonly answer?: string;
}

const NANOSECONDS_PER_TICK = 16; // CNTFRQ_EL0 is 62.5 MHz
const LINE = /^probe: call (\S+) (?:function \S+ answer (\S+) )?calls (\d+) ticks ([\d ]+)$/;

/** Lines `probe: call NAME [function F answer A] calls N ticks T…`, with N calls in each batch. */
export function parseSamples(text: string): Sample[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, name, answer, calls, ticks] = match;
    const batchCalls = Number(calls);
    const batches = ticks!.trim().split(" ");
    const perCall = batches.map((word) => (Number(word) * NANOSECONDS_PER_TICK) / batchCalls);
    return {
      ...summary(name!, perCall),
      callCount: perCall.length * batchCalls,
      ...(answer === undefined ? {} : { answer }),
    };
  });
}

/** Samples of one call each, as one sample. */
export function mergeSamples(name: string, samples: readonly Sample[]): Sample {
  return {
    ...summary(
      name,
      samples.map(({ median }) => median),
    ),
    callCount: samples.reduce((sum, { callCount }) => sum + callCount, 0),
  };
}

function summary(name: string, perCall: readonly number[]): Omit<Sample, "callCount"> {
  const sorted = perCall.toSorted((a, b) => a - b);
  return {
    name,
    median: sorted[sorted.length >> 1]!,
    min: sorted[0]!,
    mean: perCall.reduce((sum, value) => sum + value, 0) / perCall.length,
  };
}
