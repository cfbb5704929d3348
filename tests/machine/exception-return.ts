// Where a return from EL3 may go (Arm ARM, D1.4.4). A core with another SPSR_EL3 would stay at EL3, with PSTATE.IL set: the machine's end.

const MODE_MASK = 0x1fn;
const AARCH32 = 0x10n;
const HCR_TGE = 1n << 27n;
const HCR_RW = 1n << 31n;

/** EL2 is AArch64 on this machine, and nothing below EL3 is secure: neither HYP nor MON. */
const LEVELS: ReadonlyMap<bigint, number> = new Map([
  ...([0x00n, 0x10n] as const).map((mode) => [mode, 0] as const),
  ...([0x04n, 0x05n, 0x11n, 0x12n, 0x13n, 0x17n, 0x1bn, 0x1fn] as const).map((mode) => [mode, 1] as const),
  ...([0x08n, 0x09n] as const).map((mode) => [mode, 2] as const),
]);

/** What is wrong with a return with this SPSR_EL3 under this HCR_EL2, in words; undefined if nothing is. */
export function illegalReturn(spsr: bigint, hcrEl2: bigint): string | undefined {
  const mode = spsr & MODE_MASK;
  const level = LEVELS.get(mode);
  const name = `mode 0x${mode.toString(16)}`;
  if (level === undefined) return `${name} is no mode below EL3`;
  if (level === 2) return undefined;
  if (level === 1 && (hcrEl2 & HCR_TGE) !== 0n) return `${name}: there is no EL1 while HCR_EL2.TGE is set`;
  const isEl1Aarch64 = (hcrEl2 & HCR_RW) !== 0n;
  const isAarch32 = (mode & AARCH32) !== 0n;
  const fits = isEl1Aarch64 ? !isAarch32 || level === 0 : isAarch32;
  return fits ? undefined : `${name} with EL1 in ${isEl1Aarch64 ? "AArch64" : "AArch32"}`;
}
