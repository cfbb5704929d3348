// What a vector pushes: the general registers and the return state of whoever was interrupted. SP_EL3 points at the
// frame of the world that runs on this core, so that a world switch needs no copy: the vectors store into it and
// the return path loads from the frame that the monitor names.
//
//   0x000  x0 … x30     31 × 8
//   0x0f8  ELR_EL3
//   0x100  SPSR_EL3
//   0x108  (padding to 16)

@unmanaged
export class ExceptionFrame {
  x0: u64;
  x1: u64;
  x2: u64;
  x3: u64;
  x4: u64;
  x5: u64;
  x6: u64;
  x7: u64;
  x8: u64;
  x9: u64;
  x10: u64;
  x11: u64;
  x12: u64;
  x13: u64;
  x14: u64;
  x15: u64;
  x16: u64;
  x17: u64;
  x18: u64;
  x19: u64;
  x20: u64;
  x21: u64;
  x22: u64;
  x23: u64;
  x24: u64;
  x25: u64;
  x26: u64;
  x27: u64;
  x28: u64;
  x29: u64;
  x30: u64;
  elrEl3: u64;
  spsrEl3: u64;
  padding: u64;
}

/** The general register `index` (0…30); 31 reads as zero, as XZR does in an instruction's Rt. */
export function readRegister(frame: ExceptionFrame, index: u32): u64 {
  return index < 31 ? load<u64>(changetype<usize>(frame) + ((<usize>index) << 3)) : 0;
}

/** Writes the general register `index`; a write to 31 is discarded. */
export function writeRegister(frame: ExceptionFrame, index: u32, value: u64): void {
  if (index < 31) store<u64>(changetype<usize>(frame) + ((<usize>index) << 3), value);
}

export function clearRegisters(frame: ExceptionFrame): void {
  memory.fill(changetype<usize>(frame), 0, offsetof<ExceptionFrame>());
}
