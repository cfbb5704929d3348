// The probe guest for the hypervisor's own work: an arm64 Image (Linux, Documentation/arch/arm64/booting.rst) that the toolstack starts in
// place of a kernel. Runs where it is loaded, at EL1 with MMU off; hypervisor.c does the rest.

  .section .text.head, "ax"
  .global image_start
image_start:
  b    enter
  .long 0
  .quad 0 // text_offset
  .quad image_end - image_start // with bss and stacks
  .quad 2 // flags: little-endian, 4 KiB pages
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long 0

// The hypervisor starts a VM's virtual counter when the VM is made: what it shows here is how long it took to get here.
enter:
  mrs  x19, cntvct_el0
  msr  daifset, #0xf
  adrp x0, stack_end
  add  x0, x0, :lo12:stack_end
  bl   start_core
  mov  x0, x19
  bl   probe
  // falls through when the probe is done
  .global power_off
power_off:
  ldr  w0, =0x84000008 // PSCI SYSTEM_OFF
  smc  #0
  b    power_off

  .global enter_second
enter_second:
  msr  daifset, #0xf
  adrp x0, second_stack_end
  add  x0, x0, :lo12:second_stack_end
  bl   start_core
  bl   second_core
  b    power_off

start_core: // x0 = stack
  mov  sp, x0
  adrp x1, vectors
  add  x1, x1, :lo12:vectors
  msr  vbar_el1, x1
  isb
  ret

  .macro mistake
  .balign 0x80
  mrs  x0, esr_el1
  mrs  x1, elr_el1
  b    failed
  .endm

  .balign 0x800
vectors:
  .rept 4
  mistake
  .endr
  .balign 0x80 // synchronous, EL1 with SP_EL1
  mrs  x0, elr_el1
  adrp x1, expected_abort
  add  x1, x1, :lo12:expected_abort
  cmp  x0, x1
  b.ne unexpected
  add  x0, x0, #4
  msr  elr_el1, x0
  eret
unexpected:
  mov  x1, x0
  mrs  x0, esr_el1
  b    failed
  .balign 0x80 // IRQ, EL1 with SP_EL1
  stp  x0, x1, [sp, #-160]!
  stp  x2, x3, [sp, #16]
  stp  x4, x5, [sp, #32]
  stp  x6, x7, [sp, #48]
  stp  x8, x9, [sp, #64]
  stp  x10, x11, [sp, #80]
  stp  x12, x13, [sp, #96]
  stp  x14, x15, [sp, #112]
  stp  x16, x17, [sp, #128]
  stp  x18, x30, [sp, #144]
  b    take_interrupt
  .rept 10
  mistake
  .endr

  .global touch_and_fault // x0 = address; x0, x1 are the handler's
touch_and_fault:
expected_abort:
  ldr  x2, [x0]
  ret

take_interrupt:
  bl   interrupt
  ldp  x2, x3, [sp, #16]
  ldp  x4, x5, [sp, #32]
  ldp  x6, x7, [sp, #48]
  ldp  x8, x9, [sp, #64]
  ldp  x10, x11, [sp, #80]
  ldp  x12, x13, [sp, #96]
  ldp  x14, x15, [sp, #112]
  ldp  x16, x17, [sp, #128]
  ldp  x18, x30, [sp, #144]
  ldp  x0, x1, [sp], #160
  eret

  .section .bss.image, "aw", %nobits
  .balign 16
  .skip 4096
stack_end:
  .skip 4096
second_stack_end:
