// A call of a compartment: EL3 → S-EL0 and back, as one function of the monitor. While it runs VBAR_EL3 is a table of
// its own, so that no other exception pays for it; the monitor's stack stays where it was.
// compartment.ts has the record; it is the caller's who holds the compartment's lock.

#include "offsets.gen.h"
#include "registers.gen.h"

#define SCR_FOR_COMPARTMENT (SCR_EL3_RES1_MASK | SCR_EL3_RW | SCR_EL3_FIQ | SCR_EL3_SIF)
#define SPSR_EL0T_MASKED (SPSR_EL3_D | SPSR_EL3_A | SPSR_EL3_I | SPSR_EL3_F)

// On the stack: the caller's x19…x30, SCR_EL3 and VBAR_EL3, the record.
#define CALL_SIZE 0x80
#define CALL_REGISTERS 0x60
#define CALL_RECORD 0x70

  .section .text.compartment, "ax"

  // w0 = the record in linear memory. Answers w0 = 0: left by itself, 1: by an FIQ.
  .global w2c_hw_enterCompartment
w2c_hw_enterCompartment:
  adrp x9, linear_memory
  add  x9, x9, :lo12:linear_memory
  add  x9, x9, w0, uxtw
  stp  x19, x20, [sp, #-CALL_SIZE]!
  stp  x21, x22, [sp, #0x10]
  stp  x23, x24, [sp, #0x20]
  stp  x25, x26, [sp, #0x30]
  stp  x27, x28, [sp, #0x40]
  stp  x29, x30, [sp, #0x50]
  mrs  x10, scr_el3
  mrs  x11, vbar_el3
  stp  x10, x11, [sp, #CALL_REGISTERS]
  str  x9, [sp, #CALL_RECORD]

  adrp x10, compartment_vectors
  add  x10, x10, :lo12:compartment_vectors
  msr  vbar_el3, x10
  mov  x10, #SCR_FOR_COMPARTMENT
  msr  scr_el3, x10
  isb
  // In secure state from here on: what TLBI ASIDE1 reaches is the compartment's. Tables were written before.
  ldr  x10, [x9, #COMPARTMENT_ASID]
  dsb  sy
  tlbi aside1, x10
  dsb  nsh
  ldr  x10, [x9, #COMPARTMENT_ENTRY]
  msr  elr_el3, x10
  mov  x10, #SPSR_EL0T_MASKED
  msr  spsr_el3, x10
  ldp  x0, x1, [x9, #COMPARTMENT_X0]
  ldp  x2, x3, [x9, #(COMPARTMENT_X0 + 0x10)]
  ldr  x4, [x9, #(COMPARTMENT_X0 + 0x20)]
  // Nothing of the monitor's is in a register.
  .irp number, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
  mov  x\number, xzr
  .endr
  eret

  .balign 0x800
compartment_vectors:
  // From EL3 itself: the monitor is wrong.
  .rept 8
  .balign 0x80
  b    unexpected_exception
  .endr
  .balign 0x80 // synchronous, AArch64: the SMC of S-EL1
  mov  w1, #0
  b    leave_compartment
  .balign 0x80
  b    unexpected_exception // IRQ: not routed to EL3
  .balign 0x80 // FIQ: time is up
  mov  w1, #1
  b    leave_compartment
  .rept 5
  .balign 0x80
  b    unexpected_exception
  .endr

leave_compartment: // x0 = its own, w1 = the answer
  ldr  x9, [sp, #CALL_RECORD]
  str  x0, [x9, #COMPARTMENT_X0]
  mrs  x10, esr_el3
  mrs  x11, esr_el1
  stp  x10, x11, [x9, #COMPARTMENT_ESR_EL3]
  mrs  x10, far_el1
  str  x10, [x9, #(COMPARTMENT_ESR_EL3 + 0x10)]
  mov  w0, w1
  ldp  x10, x11, [sp, #CALL_REGISTERS]
  msr  scr_el3, x10
  msr  vbar_el3, x11
  isb
  ldp  x21, x22, [sp, #0x10]
  ldp  x23, x24, [sp, #0x20]
  ldp  x25, x26, [sp, #0x30]
  ldp  x27, x28, [sp, #0x40]
  ldp  x29, x30, [sp, #0x50]
  ldp  x19, x20, [sp], #CALL_SIZE
  ret
