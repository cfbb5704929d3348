// The virtual TZC-400 of a guest (Arm DDI 0504, chapter 3): one filter unit before the normal world's memory, region 0
// and eight more. The normal world, its devices included, has NSAID 0; other NSAIDs mean nothing. Region 0 is what the
// normal world has, and does not change. A region of the others is *secure* when its filter is on and NSAID 0 may do
// nothing; then the secure world must be let do everything, and the region is the secure world's alone. Any other region
// changes nothing of what region 0 allows, and none takes from the secure world.
//
// A write that would make a region secure, or no longer, is answered with an action; the registers change with it or not
// at all, so that they always say what is so. What cannot be is refused: FAIL_ADDRESS says where, FAIL_ID why
// (PARTITION_*), INT_STATUS that it was.

import { COMPARTMENT_MESSAGE_PTR } from "../../abi/compartments";
import {
  DEVICES_ACTION_IPA,
  DEVICES_ACTION_NONE,
  DEVICES_ACTION_RELEASE,
  DEVICES_ACTION_SECURE,
  DEVICES_ACTION_SIZE,
  PARTITION_GRANULE,
  PARTITION_RANGE,
  PARTITION_SIZE_MAX,
} from "../../abi/devices-compartment";
import {
  TZC400_ACTION,
  TZC400_ACTION_REACTION_MASK,
  TZC400_BUILD_CONFIG,
  TZC400_BUILD_CONFIG_ADDRESS_WIDTH_SHIFT,
  TZC400_CID0,
  TZC400_CIDS,
  TZC400_FAIL_ADDRESS_HIGH,
  TZC400_FAIL_ADDRESS_LOW,
  TZC400_FAIL_CONTROL,
  TZC400_FAIL_ID,
  TZC400_GATE_KEEPER,
  TZC400_GATE_KEEPER_OPEN_STATUS_SHIFT,
  TZC400_INT_CLEAR,
  TZC400_INT_STATUS,
  TZC400_INT_STATUS_OVERLAP_SHIFT,
  TZC400_INT_STATUS_OVERRUN_SHIFT,
  TZC400_PID0,
  TZC400_PID4,
  TZC400_PIDS_0_TO_3,
  TZC400_PIDS_4_TO_7,
  TZC400_REGION_ATTRIBUTES,
  TZC400_REGION_ATTRIBUTES_S_RD_EN,
  TZC400_REGION_ATTRIBUTES_S_WR_EN,
  TZC400_REGION_BASE_HIGH,
  TZC400_REGION_BASE_LOW,
  TZC400_REGION_COUNT,
  TZC400_REGION_ID_ACCESS,
  TZC400_REGION_ID_ACCESS_NSAID_RD_EN_SHIFT,
  TZC400_REGION_ID_ACCESS_NSAID_WR_EN_SHIFT,
  TZC400_REGION_STRIDE,
  TZC400_REGION_TOP_HIGH,
  TZC400_REGION_TOP_LOW,
  TZC400_SPECULATION_CTRL,
  TZC400_SPECULATION_CTRL_READ_DISABLE,
  TZC400_SPECULATION_CTRL_WRITE_DISABLE,
} from "./tzc400.gen";

const STATE: usize = <usize>COMPARTMENT_MESSAGE_PTR;
/** The only filter unit, in every field that has a bit for each. */
const FILTER: u32 = 1;
/** IPAs of a Xen guest: 44 bits are enough. */
const ADDRESS_WIDTH: u32 = 44;
const PAGE_MASK: u32 = 0xfff;
const ALL: u32 = 0xffff_ffff;
/** Reads and writes of NSAID 0. */
const NORMAL_ACCESS: u32 =
  (1 << TZC400_REGION_ID_ACCESS_NSAID_RD_EN_SHIFT) | (1 << TZC400_REGION_ID_ACCESS_NSAID_WR_EN_SHIFT);
const SECURE_ACCESS: u32 = TZC400_REGION_ATTRIBUTES_S_RD_EN | TZC400_REGION_ATTRIBUTES_S_WR_EN;
const REGIONS_END: u32 = TZC400_REGION_BASE_LOW + TZC400_REGION_COUNT * TZC400_REGION_STRIDE;

function word(offset: u32): u32 {
  return load<u32>(STATE + <usize>offset);
}

function setWord(offset: u32, value: u32): void {
  store<u32>(STATE + <usize>offset, value);
}

export function readTzc400(offset: u32): u32 {
  if (offset >= TZC400_REGION_BASE_LOW && offset < REGIONS_END) return readRegion(offset);
  switch (offset) {
    case TZC400_BUILD_CONFIG:
      return (TZC400_REGION_COUNT - 1) | ((ADDRESS_WIDTH - 1) << TZC400_BUILD_CONFIG_ADDRESS_WIDTH_SHIFT);
    case TZC400_GATE_KEEPER: {
      const open = ~word(offset) & FILTER; // as firmware leaves it
      return open | (open << TZC400_GATE_KEEPER_OPEN_STATUS_SHIFT);
    }
    case TZC400_ACTION:
    case TZC400_SPECULATION_CTRL:
    case TZC400_INT_STATUS:
    case TZC400_FAIL_ADDRESS_LOW:
    case TZC400_FAIL_ADDRESS_HIGH:
    case TZC400_FAIL_CONTROL:
    case TZC400_FAIL_ID:
      return word(offset);
    default:
      return readId(offset);
  }
}

/** A byte each, in a word of its own. */
function readId(offset: u32): u32 {
  const bitOf = (offset & 0xc) << 1;
  switch (offset & ~(<u32>0xf)) {
    case TZC400_PID4:
      return (TZC400_PIDS_4_TO_7 >> bitOf) & 0xff;
    case TZC400_PID0:
      return (TZC400_PIDS_0_TO_3 >> bitOf) & 0xff;
    case TZC400_CID0:
      return (TZC400_CIDS >> bitOf) & 0xff;
    default:
      return 0;
  }
}

function readRegion(offset: u32): u32 {
  const value = word(offset);
  const isFirst = offset < TZC400_REGION_BASE_LOW + TZC400_REGION_STRIDE;
  switch (registerOf(offset)) {
    case TZC400_REGION_TOP_LOW:
      return isFirst ? ALL : value | PAGE_MASK;
    case TZC400_REGION_TOP_HIGH:
      return isFirst ? (1 << (ADDRESS_WIDTH - 32)) - 1 : value;
    case TZC400_REGION_ATTRIBUTES:
      return isFirst ? SECURE_ACCESS | FILTER : value;
    case TZC400_REGION_ID_ACCESS:
      return isFirst ? ALL : value;
    default:
      return value;
  }
}

/** The register of region 0 at whose place this one of another region stands. */
function registerOf(offset: u32): u32 {
  return TZC400_REGION_BASE_LOW + ((offset - TZC400_REGION_BASE_LOW) % TZC400_REGION_STRIDE);
}

/** Answers an action. */
export function writeTzc400(offset: u32, value: u32): u32 {
  if (offset >= TZC400_REGION_BASE_LOW + TZC400_REGION_STRIDE && offset < REGIONS_END)
    return writeRegion(offset, value);
  switch (offset) {
    case TZC400_ACTION:
      setWord(offset, value & TZC400_ACTION_REACTION_MASK);
      break;
    case TZC400_GATE_KEEPER:
      setWord(offset, ~value & FILTER);
      break;
    case TZC400_SPECULATION_CTRL:
      setWord(offset, value & (TZC400_SPECULATION_CTRL_READ_DISABLE | TZC400_SPECULATION_CTRL_WRITE_DISABLE));
      break;
    case TZC400_INT_CLEAR:
      if ((value & FILTER) !== 0) clearStatus();
      break;
    default:
      break; // read-only, or nothing; region 0 stays
  }
  return DEVICES_ACTION_NONE;
}

function clearStatus(): void {
  setWord(TZC400_INT_STATUS, 0);
  setWord(TZC400_FAIL_ADDRESS_LOW, 0);
  setWord(TZC400_FAIL_ADDRESS_HIGH, 0);
  setWord(TZC400_FAIL_ID, 0);
}

function writeRegion(offset: u32, value: u32): u32 {
  const region = (offset - TZC400_REGION_BASE_LOW) / TZC400_REGION_STRIDE;
  const wasSecure = isSecure(region);
  switch (registerOf(offset)) {
    case TZC400_REGION_BASE_LOW:
    case TZC400_REGION_TOP_LOW:
      if (!wasSecure) setWord(offset, value & ~PAGE_MASK);
      return DEVICES_ACTION_NONE; // of a secure region: to be turned off first
    case TZC400_REGION_BASE_HIGH:
    case TZC400_REGION_TOP_HIGH:
      if (!wasSecure) setWord(offset, value);
      return DEVICES_ACTION_NONE;
    case TZC400_REGION_ATTRIBUTES:
      return change(region, offset, value & (SECURE_ACCESS | FILTER), wasSecure);
    case TZC400_REGION_ID_ACCESS:
      return change(region, offset, value, wasSecure);
    default:
      return DEVICES_ACTION_NONE;
  }
}

/** ATTRIBUTES or ID_ACCESS of a region becomes `value`, if that can be. */
function change(region: u32, offset: u32, value: u32, wasSecure: bool): u32 {
  const old = word(offset);
  setWord(offset, value);
  if (isSecure(region) === wasSecure && isWhole(region)) return DEVICES_ACTION_NONE;
  const isRefused = !isWhole(region) || (!wasSecure && !isTakeable(region));
  if (isRefused) {
    setWord(offset, old);
    refusedTzc400(PARTITION_RANGE, baseOf(region));
    return DEVICES_ACTION_NONE;
  }
  store<u64>(STATE + <usize>DEVICES_ACTION_IPA, baseOf(region));
  store<u64>(STATE + <usize>DEVICES_ACTION_SIZE, sizeOf(region));
  return wasSecure ? DEVICES_ACTION_RELEASE : DEVICES_ACTION_SECURE;
}

function wordOf(region: u32, register: u32): u32 {
  return word(register + region * TZC400_REGION_STRIDE);
}

function baseOf(region: u32): u64 {
  return ((<u64>wordOf(region, TZC400_REGION_BASE_HIGH)) << 32) | wordOf(region, TZC400_REGION_BASE_LOW);
}

/** 0 also if it ends before it begins. */
function sizeOf(region: u32): u64 {
  const top =
    ((<u64>wordOf(region, TZC400_REGION_TOP_HIGH)) << 32) | wordOf(region, TZC400_REGION_TOP_LOW) | PAGE_MASK;
  const base = baseOf(region);
  return top >= base ? top - base + 1 : 0;
}

/** Its filter is on and nothing of the normal world passes. */
function isSecure(region: u32): bool {
  const isOn = (wordOf(region, TZC400_REGION_ATTRIBUTES) & FILTER) !== 0;
  return isOn && (wordOf(region, TZC400_REGION_ID_ACCESS) & NORMAL_ACCESS) === 0;
}

/** One that is on is the normal world's to read and write, or the secure world's: no memory is only read. */
function isWhole(region: u32): bool {
  const attributes = wordOf(region, TZC400_REGION_ATTRIBUTES);
  if ((attributes & FILTER) === 0) return true;
  const normalAccess = wordOf(region, TZC400_REGION_ID_ACCESS) & NORMAL_ACCESS;
  return (
    normalAccess === NORMAL_ACCESS || (normalAccess === 0 && (attributes & SECURE_ACCESS) === SECURE_ACCESS)
  );
}

function isTakeable(region: u32): bool {
  const base = baseOf(region);
  const size = sizeOf(region);
  if (size === 0 || size > <u64>PARTITION_SIZE_MAX) return false;
  if (base % <u64>PARTITION_GRANULE !== 0 || size % <u64>PARTITION_GRANULE !== 0) return false;
  for (let other: u32 = 1; other < TZC400_REGION_COUNT; other++) {
    const isOverlapping = baseOf(other) - base < size || base - baseOf(other) < sizeOf(other);
    if (other !== region && isSecure(other) && isOverlapping) {
      setWord(TZC400_INT_STATUS, word(TZC400_INT_STATUS) | (FILTER << TZC400_INT_STATUS_OVERLAP_SHIFT));
      return false;
    }
  }
  return true;
}

/** As the hardware tells of a refused access; the first one stays until it is cleared. */
export function refusedTzc400(why: u32, ipa: u64): void {
  const status = word(TZC400_INT_STATUS);
  if ((status & FILTER) !== 0) {
    setWord(TZC400_INT_STATUS, status | (FILTER << TZC400_INT_STATUS_OVERRUN_SHIFT));
    return;
  }
  setWord(TZC400_INT_STATUS, status | FILTER);
  setWord(TZC400_FAIL_ADDRESS_LOW, <u32>ipa);
  setWord(TZC400_FAIL_ADDRESS_HIGH, <u32>(ipa >> 32));
  setWord(TZC400_FAIL_ID, why);
}
