// What every test kernel has of assembly: setting up a core, the vectors, and `run`. EL1h, MMU off. Each module exports
// `interrupt(isFiq)` and `died(ESR_EL1, ELR_EL1, FAR_EL1)`.

#include "offsets.gen.h"

#define STACK_SIZE 0x4000

  .macro core_into register
  mrs  \register, mpidr_el1
  and  \register, \register, #(KERNEL_CORES - 1)
  .endm

  .macro address_into register, symbol
  adrp \register, \symbol
  add  \register, \register, :lo12:\symbol
  .endm

// Stack, vectors, and the FP registers for the instructions that `run` gets. Uses x9 and x10.
  .text
  .global set_up_core
set_up_core:
  core_into x9
  add  x9, x9, #1
  address_into x10, stacks
  add  x9, x10, x9, lsl #14 // STACK_SIZE
  mov  sp, x9
  address_into x9, vectors
  msr  vbar_el1, x9
  mov  x9, #(3 << 20) // CPACR_EL1.FPEN
  msr  cpacr_el1, x9
  isb
  ret

// x0 = frame (frame.ts). On the stack: 0…88 callee-saved registers, 96 frame, 104 x30 behind the instruction.
  .global run
run:
  stp  x29, x30, [sp, #-112]!
  stp  x19, x20, [sp, #16]
  stp  x21, x22, [sp, #32]
  stp  x23, x24, [sp, #48]
  stp  x25, x26, [sp, #64]
  stp  x27, x28, [sp, #80]
  str  x0, [sp, #96]
  core_into x1
  address_into x2, slot_addresses
  ldr  x3, [x2, x1, lsl #3]
  ldr  w4, [x0, #FRAME_WORD]
  str  w4, [x3]
  dc   cvau, x3
  dsb  ish
  ic   ivau, x3
  dsb  ish
  isb
  str  xzr, [x0, #FRAME_OUTCOME]
  address_into x2, attempts
  str  x0, [x2, x1, lsl #3]
  mov  x30, x0
  sub  x3, x3, #(16 * 4) // to the loads before the slot
  br   x3

run_end: // x30 = frame; x0…x29 are saved there
  ldr  x0, [sp, #104]
  str  x0, [x30, #240]
  core_into x1
  address_into x2, attempts
  str  xzr, [x2, x1, lsl #3]
  ldp  x19, x20, [sp, #16]
  ldp  x21, x22, [sp, #32]
  ldp  x23, x24, [sp, #48]
  ldp  x25, x26, [sp, #64]
  ldp  x27, x28, [sp, #80]
  ldp  x29, x30, [sp], #112
  ret

  .global run_address
run_address:
  core_into x1
  address_into x2, slot_addresses
  ldr  x0, [x2, x1, lsl #3]
  ret

// A core's place for the instruction, in a page of its own: what is written here is executed.
  .macro slot core
  ldp  x0, x1, [x30]
  ldp  x2, x3, [x30, #16]
  ldp  x4, x5, [x30, #32]
  ldp  x6, x7, [x30, #48]
  ldp  x8, x9, [x30, #64]
  ldp  x10, x11, [x30, #80]
  ldp  x12, x13, [x30, #96]
  ldp  x14, x15, [x30, #112]
  ldp  x16, x17, [x30, #128]
  ldp  x18, x19, [x30, #144]
  ldp  x20, x21, [x30, #160]
  ldp  x22, x23, [x30, #176]
  ldp  x24, x25, [x30, #192]
  ldp  x26, x27, [x30, #208]
  ldp  x28, x29, [x30, #224]
  ldr  x30, [x30, #240]
slot_\core:
  nop
  str  x30, [sp, #104]
  ldr  x30, [sp, #96]
  stp  x0, x1, [x30]
  stp  x2, x3, [x30, #16]
  stp  x4, x5, [x30, #32]
  stp  x6, x7, [x30, #48]
  stp  x8, x9, [x30, #64]
  stp  x10, x11, [x30, #80]
  stp  x12, x13, [x30, #96]
  stp  x14, x15, [x30, #112]
  stp  x16, x17, [x30, #128]
  stp  x18, x19, [x30, #144]
  stp  x20, x21, [x30, #160]
  stp  x22, x23, [x30, #176]
  stp  x24, x25, [x30, #192]
  stp  x26, x27, [x30, #208]
  stp  x28, x29, [x30, #224]
  b    run_end
  .endm

  .balign 0x1000
  slot 0
  slot 1
  slot 2
  slot 3
  .if KERNEL_CORES != 4
  .error "a slot for each core"
  .endif
  .balign 0x1000

  .macro dies
  .balign 0x80
  b    unexpected
  .endm

  .macro interrupted is_fiq
  .balign 0x80
  sub  sp, sp, #192
  stp  x0, x1, [sp]
  mov  w0, #\is_fiq
  b    take_interrupt
  .endm

  .balign 0x800
  .global vectors
vectors:
  .rept 4
  dies
  .endr
  .balign 0x80 // synchronous, EL1 with SP_EL1
  stp  x0, x1, [sp, #-32]!
  stp  x2, x3, [sp, #16]
  core_into x1
  address_into x2, attempts
  ldr  x0, [x2, x1, lsl #3]
  cbz  x0, unexpected
  b    attempt_failed
  interrupted 0
  interrupted 1
  .rept 9
  dies
  .endr

attempt_failed: // x0 = frame, x1 = core; goes on behind the instruction
  mrs  x2, esr_el1
  str  x2, [x0, #FRAME_ESR]
  mrs  x2, far_el1
  str  x2, [x0, #FRAME_FAR]
  mrs  x2, elr_el1
  str  x2, [x0, #FRAME_ELR]
  mov  x2, #1
  str  x2, [x0, #FRAME_OUTCOME]
  address_into x2, slot_addresses
  ldr  x2, [x2, x1, lsl #3]
  add  x2, x2, #4
  msr  elr_el1, x2
  ldp  x2, x3, [sp, #16]
  ldp  x0, x1, [sp], #32
  eret

take_interrupt: // w0 = 1: an FIQ
  stp  x2, x3, [sp, #16]
  stp  x4, x5, [sp, #32]
  stp  x6, x7, [sp, #48]
  stp  x8, x9, [sp, #64]
  stp  x10, x11, [sp, #80]
  stp  x12, x13, [sp, #96]
  stp  x14, x15, [sp, #112]
  stp  x16, x17, [sp, #128]
  stp  x18, x29, [sp, #144]
  mrs  x1, elr_el1
  mrs  x2, spsr_el1
  stp  x30, x1, [sp, #160]
  str  x2, [sp, #176]
  bl   interrupt
  ldp  x30, x1, [sp, #160]
  ldr  x2, [sp, #176]
  msr  elr_el1, x1
  msr  spsr_el1, x2
  ldp  x18, x29, [sp, #144]
  ldp  x16, x17, [sp, #128]
  ldp  x14, x15, [sp, #112]
  ldp  x12, x13, [sp, #96]
  ldp  x10, x11, [sp, #80]
  ldp  x8, x9, [sp, #64]
  ldp  x6, x7, [sp, #48]
  ldp  x4, x5, [sp, #32]
  ldp  x2, x3, [sp, #16]
  ldp  x0, x1, [sp]
  add  sp, sp, #192
  eret

unexpected:
  mrs  x0, esr_el1
  mrs  x1, elr_el1
  mrs  x2, far_el1
  bl   died
1:
  wfi
  b    1b

  .balign 8
slot_addresses:
  .quad slot_0, slot_1, slot_2, slot_3

  .section .bss.kernel, "aw", %nobits
  .balign 16
attempts: // by core: the frame that `run` executes, or 0
  .skip 8 * KERNEL_CORES
  .balign 16
stacks:
  .skip STACK_SIZE * KERNEL_CORES
  .if STACK_SIZE != 1 << 14
  .error "set_up_core"
  .endif
