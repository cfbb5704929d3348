// The GICv3 of a guest's S world, as much as a TEE kernel set up by firmware asks for: affinity routing on, enables, groups and
// pending bits of SGIs and PPIs per core, enables of SPIs. The rest reads as zero and ignores writes (Arm IHI 0069). Interrupts reach
// the TEE through the virtual CPU interface (worlds/gic-interface.ts).

import { TEE_GICD_IPA, TEE_GICR_IPA, TEE_INTERRUPT_COUNT } from "../../../abi/memory-map";
import {
  GICD_CTLR,
  GICD_CTLR_ARE_NS,
  GICD_CTLR_ARE_S,
  GICD_CTLR_GRP0,
  GICD_CTLR_GRP1NS,
  GICD_CTLR_GRP1S,
  GICD_ICENABLER,
  GICD_ISENABLER,
  GICD_PIDR2,
  GICD_TYPER,
  GICR_ICENABLER0,
  GICR_ICPENDR0,
  GICR_IGROUPR0,
  GICR_IGRPMODR0,
  GICR_ISENABLER0,
  GICR_ISPENDR0,
  GICR_PIDR2,
  GICR_TYPER,
} from "../arm/gic.gen";
import { Guest } from "../guests/guest";
import { teeCoreAt } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { TeeCore } from "../worlds/tee-core";
import { checkTimer, timerIntid } from "../worlds/timer";

export const DISTRIBUTOR_SIZE: u64 = 0x10000;
const REDISTRIBUTOR_SIZE: u64 = 0x20000;
export const REDISTRIBUTORS_SIZE: u64 = 4 * 0x20000;

const SPI_WORDS: u32 = TEE_INTERRUPT_COUNT / 32;
const TYPER_LINES: u32 = SPI_WORDS - 1; // ITLinesNumber
const PIDR2_GICV3: u32 = 0x3b;
const TYPER_LAST: u32 = 0x10;
const TYPER_NUMBER_SHIFT: u32 = 8;
const DISTRIBUTOR_READY: u32 =
  GICD_CTLR_ARE_S | GICD_CTLR_ARE_NS | GICD_CTLR_GRP0 | GICD_CTLR_GRP1NS | GICD_CTLR_GRP1S;
/** SGIs 8…15. */
const SECURE_SGIS: u32 = 0x0000ff00;

/** As firmware leaves them: SGIs 8…15 and the TEE's timer on, in secure group 1, the rest in non-secure group 1. */
export function initialiseRedistributor(guest: Guest, teeCore: TeeCore): void {
  const secure = SECURE_SGIS | (1 << timerIntid(guest));
  teeCore.redistributorGroup = ~secure;
  teeCore.redistributorModifier = secure;
  teeCore.redistributorEnabled = secure;
}

export function readSecureGic(guest: Guest, ipa: u64): u32 {
  if (ipa < <u64>TEE_GICR_IPA) return readDistributor(guest, <u32>(ipa - <u64>TEE_GICD_IPA));
  const offset = ipa - <u64>TEE_GICR_IPA;
  const index = <u32>(offset / REDISTRIBUTOR_SIZE);
  return readRedistributor(guest, index, <u32>(offset % REDISTRIBUTOR_SIZE));
}

export function writeSecureGic(core: CoreArea, guest: Guest, teeCore: TeeCore, ipa: u64, value: u32): void {
  if (ipa < <u64>TEE_GICR_IPA) {
    writeDistributor(guest, <u32>(ipa - <u64>TEE_GICD_IPA), value);
    return;
  }
  const offset = ipa - <u64>TEE_GICR_IPA;
  const index = <u32>(offset / REDISTRIBUTOR_SIZE);
  if (index >= guest.coreCount) return;
  writeRedistributor(teeCoreAt(guest.slot, index), <u32>(offset % REDISTRIBUTOR_SIZE), value);
  if (teeCore.index === index) checkTimer(core, guest, teeCore);
}

/** Whether the TEE has enabled an SPI in its distributor. */
export function isSpiOn(guest: Guest, intid: u32): bool {
  return (load<u32>(enablePtr(guest, intid >> 5)) & (1 << (intid & 31))) !== 0;
}

function readDistributor(guest: Guest, offset: u32): u32 {
  if (offset === GICD_CTLR) return DISTRIBUTOR_READY;
  if (offset === GICD_TYPER) return TYPER_LINES;
  if (offset === GICD_PIDR2) return PIDR2_GICV3;
  const setWord = (offset - GICD_ISENABLER) >> 2;
  if (setWord < SPI_WORDS) return load<u32>(enablePtr(guest, setWord));
  const clearWord = (offset - GICD_ICENABLER) >> 2;
  if (clearWord < SPI_WORDS) return load<u32>(enablePtr(guest, clearWord));
  return 0;
}

function writeDistributor(guest: Guest, offset: u32, value: u32): void {
  const setWord = (offset - GICD_ISENABLER) >> 2;
  const clearWord = (offset - GICD_ICENABLER) >> 2;
  // With affinity routing the first word belongs to the redistributors.
  if (setWord > 0 && setWord < SPI_WORDS)
    store<u32>(enablePtr(guest, setWord), load<u32>(enablePtr(guest, setWord)) | value);
  if (clearWord > 0 && clearWord < SPI_WORDS)
    store<u32>(enablePtr(guest, clearWord), load<u32>(enablePtr(guest, clearWord)) & ~value);
}

function enablePtr(guest: Guest, word: u32): usize {
  return changetype<usize>(guest) + offsetof<Guest>("distributorEnabled0") + ((<usize>word) << 2);
}

function readRedistributor(guest: Guest, index: u32, offset: u32): u32 {
  if (offset === GICR_TYPER)
    return (index << TYPER_NUMBER_SHIFT) | (index + 1 >= guest.coreCount ? TYPER_LAST : 0);
  if (offset === GICR_TYPER + 4) return index; // affinity: Aff0
  if (offset === GICR_PIDR2) return PIDR2_GICV3;
  if (index >= guest.coreCount) return 0;
  const teeCore = teeCoreAt(guest.slot, index);
  switch (offset) {
    case GICR_IGROUPR0:
      return teeCore.redistributorGroup;
    case GICR_IGRPMODR0:
      return teeCore.redistributorModifier;
    case GICR_ISENABLER0:
    case GICR_ICENABLER0:
      return teeCore.redistributorEnabled;
    case GICR_ISPENDR0:
    case GICR_ICPENDR0:
      return teeCore.redistributorPending;
    default:
      return 0;
  }
}

function writeRedistributor(teeCore: TeeCore, offset: u32, value: u32): void {
  switch (offset) {
    case GICR_IGROUPR0:
      teeCore.redistributorGroup = value;
      break;
    case GICR_IGRPMODR0:
      teeCore.redistributorModifier = value;
      break;
    case GICR_ISENABLER0:
      teeCore.redistributorEnabled |= value;
      break;
    case GICR_ICENABLER0:
      teeCore.redistributorEnabled &= ~value;
      break;
    case GICR_ISPENDR0:
      teeCore.redistributorPending |= value;
      break;
    case GICR_ICPENDR0:
      teeCore.redistributorPending &= ~value;
      break;
    default:
      break;
  }
}
