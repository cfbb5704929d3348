// One core of the model machine: the general registers, PC and PSTATE of whoever runs, all system registers by name, FP.
// A system register that nobody has written holds a value of its own, so that a copy of the wrong one shows.

export const EL1H = 0x5n;
export const EL0T = 0x0n;
export const EL2H = 0x9n;
export const USR32 = 0x10n;
export const SVC32 = 0x13n;
export const MASKED = 0x3c0n;

export class Core {
  readonly index: number;
  readonly x = new BigUint64Array(31);
  pc = 0n;
  pstate = 0n;
  /** SP_EL3: the frame into which the next exception to EL3 stores. */
  framePtr = 0;
  readonly v = new BigUint64Array(64);
  #registers = new Map<string, bigint>();
  /** In PSCI's holding pen, or not started yet. */
  isParked = true;
  /** Between the monitor taking the timer's interrupt and its end. */
  isTimerActive = false;
  /** Another interrupt of the monitor's between the same two. */
  activeIntid: number | undefined;
  /** The SGI of a core that works while the others wait is pending. */
  isHoldPending = false;
  /** In the middle of an exception to EL3. */
  isInMonitor = false;

  constructor(index: number) {
    this.index = index;
    for (let at = 0; at < this.v.length; at++) this.v[at] = unwritten(`V${at}`, index);
    this.set("MPIDR_EL1", 0x80000000n | BigInt(index));
    this.set("MIDR_EL1", 0x411fd070n);
    this.set("ICC_PMR_EL1", 0n);
    this.set("CNTPS_CTL_EL1", 0n);
    this.set("HCR_EL2", 0n);
  }

  get(name: string): bigint {
    return this.#registers.get(name) ?? unwritten(name, this.index);
  }

  set(name: string, value: bigint): void {
    this.#registers.set(name, BigInt.asUintN(64, value));
  }

  copyFrom(other: Core): void {
    this.x.set(other.x);
    this.v.set(other.v);
    this.pc = other.pc;
    this.pstate = other.pstate;
    this.framePtr = other.framePtr;
    this.isParked = other.isParked;
    this.#registers = new Map(other.#registers);
  }

  /** Copy of every register that was ever written, general ones and FP included. */
  registers(): Map<string, bigint> {
    const all = new Map(this.#registers);
    this.x.forEach((value, index) => {
      all.set(`X${index}`, value);
    });
    this.v.forEach((value, index) => {
      all.set(`V${index >> 1}.${index & 1}`, value);
    });
    return all.set("PC", this.pc).set("PSTATE", this.pstate);
  }

  get exceptionLevel(): number {
    if (!this.isAarch32) return Number((this.pstate >> 2n) & 3n);
    return (this.pstate & 0x1fn) === USR32 ? 0 : 1;
  }

  get isAarch32(): boolean {
    return (this.pstate & 0x10n) !== 0n;
  }
}

function unwritten(name: string, core: number): bigint {
  let hash = 0xcbf29ce484222325n ^ BigInt(core);
  for (const character of name)
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  return hash;
}
