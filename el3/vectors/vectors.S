// EL3's exception vectors. A lower level's exception stores its general registers into the frame that SP_EL3 points at, takes the core's
// stack, and calls the monitor; what the monitor returns is the frame to go on with.

#include "offsets.gen.h"

  .section .text.vectors, "ax"

  .macro vector_entry
  .balign 0x80
  .endm

  // 19 instructions; ends with x8 = the core's area.
  .macro save_frame
  stp  x0, x1, [sp, #0x00]
  stp  x2, x3, [sp, #0x10]
  stp  x4, x5, [sp, #0x20]
  stp  x6, x7, [sp, #0x30]
  stp  x8, x9, [sp, #0x40]
  stp  x10, x11, [sp, #0x50]
  stp  x12, x13, [sp, #0x60]
  stp  x14, x15, [sp, #0x70]
  stp  x16, x17, [sp, #0x80]
  stp  x18, x19, [sp, #0x90]
  stp  x20, x21, [sp, #0xa0]
  stp  x22, x23, [sp, #0xb0]
  stp  x24, x25, [sp, #0xc0]
  stp  x26, x27, [sp, #0xd0]
  stp  x28, x29, [sp, #0xe0]
  mrs  x9, elr_el3
  mrs  x10, spsr_el3
  stp  x30, x9, [sp, #0xf0]
  str  x10, [sp, #0x100]
  mrs  x8, tpidr_el3
  ldr  x9, [x8, #CORE_AREA_STACK_TOP]
  mov  sp, x9
  .endm

  .macro load_x0_to_x17
  ldp  x0, x1, [sp, #0x00]
  ldp  x2, x3, [sp, #0x10]
  ldp  x4, x5, [sp, #0x20]
  ldp  x6, x7, [sp, #0x30]
  ldp  x8, x9, [sp, #0x40]
  ldp  x10, x11, [sp, #0x50]
  ldp  x12, x13, [sp, #0x60]
  ldp  x14, x15, [sp, #0x70]
  ldp  x16, x17, [sp, #0x80]
  .endm

  .macro unexpected_vector
  vector_entry
  b    unexpected_exception
  .endm

  .balign 0x800
  .global vectors
vectors:
  // From EL3 itself: the monitor is wrong.
  .rept 8
  unexpected_vector
  .endr

  // From below, AArch64 and then AArch32: synchronous, IRQ, FIQ, SError.
  .rept 2
  vector_entry
  save_frame
  mrs  x1, esr_el3
  b    synchronous
  unexpected_vector
  vector_entry
  save_frame
  b    fiq
  unexpected_vector
  .endr

synchronous: // x1 = ESR_EL3
  adrp x0, linear_memory // page aligned
  sub  x0, x8, x0
  tbnz x1, #REPLACED_WRITE_BIT, 1f
  bl   exceptionSynchronous
  b    resume_frame
1:
  bl   exceptionReplacedWrite
  cbnz w0, resume_frame
  // Done, and only what the AAPCS64 lets a function change is to be loaded again.
  mrs  x8, tpidr_el3
  add  sp, x8, #CORE_AREA_FRAME
  ldr  x30, [sp, #0xf0]
  load_x0_to_x17
  ldr  x18, [sp, #0x90]
  eret

fiq:
  adrp x0, linear_memory
  sub  x0, x8, x0
  bl   exceptionFiq
  // falls through

  // w0 = the frame to go on with, in linear memory.
  .global resume_frame
resume_frame:
  adrp x1, linear_memory
  add  x0, x1, w0, uxtw
  mov  sp, x0
  ldp  x30, x9, [sp, #0xf0]
  ldr  x10, [sp, #0x100]
  msr  elr_el3, x9
  msr  spsr_el3, x10
  load_x0_to_x17
  ldp  x18, x19, [sp, #0x90]
  ldp  x20, x21, [sp, #0xa0]
  ldp  x22, x23, [sp, #0xb0]
  ldp  x24, x25, [sp, #0xc0]
  ldp  x26, x27, [sp, #0xd0]
  ldp  x28, x29, [sp, #0xe0]
  eret

  .global unexpected_exception
unexpected_exception:
  mrs  x8, tpidr_el3
  ldr  x9, [x8, #CORE_AREA_STACK_TOP]
  mov  sp, x9
  mov  x0, #5 // an exception of EL3 itself, or one that EL3 does not take
  mrs  x1, esr_el3
  mrs  x2, elr_el3
  bl   epitaphWith
  b    .

  .if FRAME_SIZE != 0x110 || FRAME_ELR_EL3 != 0xf8
  .error "exception-frame.ts and vectors.S disagree"
  .endif
