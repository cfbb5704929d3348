// The probe guest: an arm64 Image (Linux, Documentation/arch/arm64/booting.rst) of a few hundred bytes that the toolstack starts in place
// of a kernel. Runs where it is loaded, at EL1 with MMU off and interrupts masked; probe.c does the rest.

  .section .text.head, "ax"
  .global image_start
image_start:
  b    enter
  .long 0
  .quad 0 // text_offset
  .quad image_end - image_start // with bss and stack
  .quad 2 // flags: little-endian, 4 KiB pages
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long 0

enter:
  msr  daifset, #0xf
  adrp x0, stack_end
  add  x0, x0, :lo12:stack_end
  mov  sp, x0
  adrp x0, vectors
  add  x0, x0, :lo12:vectors
  msr  vbar_el1, x0
  isb
  bl   probe
  // falls through when the probe is done
  .global power_off
power_off:
  ldr  w0, =0x84000008 // PSCI SYSTEM_OFF
  smc  #0
  b    power_off

// What is measured. w0 = function ID, w1 = how many calls; returns the ticks of the virtual counter that they took.
// PROBE_TURN_INSTRUCTIONS in bench/probe.ts counts the loop: 4, the call itself among them.
  .macro measured_loop name, call
  .global \name
\name:
  stp  x19, x20, [sp, #-48]!
  stp  x21, x30, [sp, #16]
  mov  w19, w0
  mov  w20, w1
  isb
  mrs  x21, cntvct_el0
\name\()_turn:
  mov  w0, w19
\name\()_call:
  \call #0
  subs w20, w20, #1
  b.ne \name\()_turn
  isb
  mrs  x9, cntvct_el0
  adrp x10, last_answer
  str  x0, [x10, :lo12:last_answer]
  sub  x0, x9, x21
  ldp  x21, x30, [sp, #16]
  ldp  x19, x20, [sp], #48
  ret
  .endm

  measured_loop measure_smc, smc
  measured_loop measure_hvc, hvc

  .balign 0x800
vectors: // an exception here is a mistake of the probe's
  .rept 16
  .balign 0x80
  mrs  x0, esr_el1
  mrs  x1, elr_el1
  b    failed
  .endr

  .section .bss.image, "aw", %nobits
  .balign 16
  .global last_answer
last_answer:
  .quad 0
  .balign 16
  .skip 4096
stack_end:
