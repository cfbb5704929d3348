// A TEE touched an IPA that its stage 2 does not map: a device that the monitor emulates, N memory that the hypervisor has mapped
// since, or nothing at all.

import { NORMAL_RAM_IPA, TEE_GICD_IPA, TEE_GICR_IPA, TEE_UART_IPA } from "../../../abi/memory-map";
import { FAULT_MEMORY } from "../../../abi/status";
import { PAGE_SHIFT, PAGE_SIZE } from "../arm/page-tables.gen";
import {
  ESR_EL2_ISS_DATA_ABORT_ISV,
  ESR_EL2_ISS_DATA_ABORT_SAS_DOUBLEWORD,
  ESR_EL2_ISS_DATA_ABORT_SAS_MASK,
  ESR_EL2_ISS_DATA_ABORT_SAS_SHIFT,
  ESR_EL2_ISS_DATA_ABORT_SF,
  ESR_EL2_ISS_DATA_ABORT_SRT_MASK,
  ESR_EL2_ISS_DATA_ABORT_SRT_SHIFT,
  ESR_EL2_ISS_DATA_ABORT_SSE,
  ESR_EL2_ISS_DATA_ABORT_WNR,
  HPFAR_EL2_FIPA_MASK,
  HPFAR_EL2_FIPA_SHIFT,
} from "../arm/registers.gen";
import { stopTee } from "../exceptions/exits";
import { Guest } from "../guests/guest";
import { shareNormalWorld } from "../guests/stage2";
import { lock, readFAR_EL2, readHPFAR_EL2, unlock } from "../hw";
import { isCompartmentDevice, readCompartmentDevice, writeCompartmentDevice } from "../partition/devices";
import { LOCK_MEMORY } from "../storage";
import { CoreArea } from "../worlds/core-area";
import { ExceptionFrame, readRegister, writeRegister } from "../worlds/exception-frame";
import { TeeCore } from "../worlds/tee-core";
import { DISTRIBUTOR_SIZE, REDISTRIBUTORS_SIZE, readSecureGic, writeSecureGic } from "./secure-gic";
import { readSecureUart, SECURE_UART_SIZE, writeSecureUart } from "./secure-uart";

const INSTRUCTION_SIZE: u64 = 4;
/** Registers of the emulated devices are words; a 64-bit one is two of them. */
const WORD_SIZE: u64 = 4;
const WORD_BITS: u64 = 32;
const BYTE_BITS: u64 = 8;
const REGISTER_BITS: u64 = 64;

export function emulateAccess(
  core: CoreArea,
  guest: Guest,
  teeCore: TeeCore,
  frame: ExceptionFrame,
  esrEl2: u64,
): void {
  const ipa = faultIpa();
  if (ipa >= <u64>NORMAL_RAM_IPA) {
    // Mapped by now, by this core or by another one: the access runs again, and once more if nothing was new to us.
    lock(LOCK_MEMORY);
    const isNew = shareNormalWorld(guest);
    unlock(LOCK_MEMORY);
    if (!isNew && teeCore.lastFaultIpa === ipa) stopTee(core, guest, teeCore, FAULT_MEMORY, ipa);
    teeCore.lastFaultIpa = ipa;
    return;
  }
  if ((esrEl2 & ESR_EL2_ISS_DATA_ABORT_ISV) === 0 || !isDevice(ipa)) {
    stopTee(core, guest, teeCore, FAULT_MEMORY, ipa);
    return;
  }
  const register = <u32>((esrEl2 & ESR_EL2_ISS_DATA_ABORT_SRT_MASK) >> ESR_EL2_ISS_DATA_ABORT_SRT_SHIFT);
  const size = (esrEl2 & ESR_EL2_ISS_DATA_ABORT_SAS_MASK) >> ESR_EL2_ISS_DATA_ABORT_SAS_SHIFT;
  const isDoubleword = size === ESR_EL2_ISS_DATA_ABORT_SAS_DOUBLEWORD;
  const width = isDoubleword ? WORD_SIZE : (<u64>1) << size;
  frame.elrEl3 += INSTRUCTION_SIZE;
  if ((esrEl2 & ESR_EL2_ISS_DATA_ABORT_WNR) !== 0) {
    const value = extend(readRegister(frame, register), size, false);
    writeDevice(core, guest, teeCore, ipa, <u32>value, width);
    if (isDoubleword) writeDevice(core, guest, teeCore, ipa + WORD_SIZE, <u32>(value >> WORD_BITS), width);
  } else {
    let value = <u64>readDevice(core, guest, ipa, width);
    if (isDoubleword) value |= (<u64>readDevice(core, guest, ipa + WORD_SIZE, width)) << WORD_BITS;
    value = extend(value, size, (esrEl2 & ESR_EL2_ISS_DATA_ABORT_SSE) !== 0);
    if ((esrEl2 & ESR_EL2_ISS_DATA_ABORT_SF) === 0) value = <u64>(<u32>value);
    writeRegister(frame, register, value);
  }
}

/** The low 1, 2, 4 or 8 bytes (SAS 0…3) of a value, with zeros or with the sign above them. */
function extend(value: u64, size: u64, isSigned: bool): u64 {
  const unused = REGISTER_BITS - (BYTE_BITS << size);
  const top = value << unused;
  return isSigned ? <u64>(<i64>top >> <i64>unused) : top >> unused;
}

function faultIpa(): u64 {
  const pageIpa = ((readHPFAR_EL2() & HPFAR_EL2_FIPA_MASK) >> HPFAR_EL2_FIPA_SHIFT) << PAGE_SHIFT;
  return pageIpa | (readFAR_EL2() & (PAGE_SIZE - 1));
}

function isUart(ipa: u64): bool {
  return ipa >= <u64>TEE_UART_IPA && ipa < <u64>TEE_UART_IPA + SECURE_UART_SIZE;
}

function isGic(ipa: u64): bool {
  return (
    (ipa >= <u64>TEE_GICD_IPA && ipa < <u64>TEE_GICD_IPA + DISTRIBUTOR_SIZE) ||
    (ipa >= <u64>TEE_GICR_IPA && ipa < <u64>TEE_GICR_IPA + REDISTRIBUTORS_SIZE)
  );
}

/** Whether an S world has a device there that is emulated. */
export function isDevice(ipa: u64): bool {
  return isUart(ipa) || isGic(ipa) || isCompartmentDevice(ipa);
}

function readDevice(core: CoreArea, guest: Guest, ipa: u64, width: u64): u32 {
  if (isCompartmentDevice(ipa)) return readCompartmentDevice(core, guest, ipa, width);
  return isUart(ipa) ? readSecureUart(<u32>(ipa - <u64>TEE_UART_IPA)) : readSecureGic(guest, ipa);
}

function writeDevice(core: CoreArea, guest: Guest, teeCore: TeeCore, ipa: u64, value: u32, width: u64): void {
  if (isCompartmentDevice(ipa)) writeCompartmentDevice(core, guest, ipa, value, width);
  else if (isUart(ipa)) writeSecureUart(guest, <u32>(ipa - <u64>TEE_UART_IPA), value);
  else writeSecureGic(core, guest, teeCore, ipa, value);
}
