// The probe guest: an arm64 Image (Linux, Documentation/arch/arm64/booting.rst) that the toolstack starts in place of a
// kernel. Behind its header lies its order (abi/probe.ts), which the host fills in.

  .macro constant register, value
  movz \register, #((\value) & 0xffff)
  movk \register, #((\value) >> 16), lsl #16
  .endm

  .section .text.head, "ax"
  .global image_start
image_start:
  b    enter
  .long 0
  .quad 0 // text_offset
  .quad image_end - image_start
  .quad 2 // flags: little-endian, 4 KiB pages
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long 0
order:
  .if order - image_start != PROBE_ORDER_OFFSET
  .error "abi/probe.ts says where the order lies"
  .endif
  .skip PROBE_ORDER_SIZE

enter:
  msr  daifset, #0xf
  adrp x0, bss_start
  add  x0, x0, :lo12:bss_start
  adrp x1, bss_end
  add  x1, x1, :lo12:bss_end
1:
  stp  xzr, xzr, [x0], #16
  cmp  x0, x1
  b.lo 1b
  bl   set_up_core
  bl   initialiseKernel
  bl   main
power_off:
  constant x0, PSCI_SYSTEM_OFF_FID
  smc  #0
  b    power_off

enter_second:
  msr  daifset, #0xf
  bl   set_up_core
  bl   second
  b    power_off

  .text
  .global w2c_hw_casesAddress
w2c_hw_casesAddress:
  adrp x0, room_start
  add  x0, x0, :lo12:room_start
  ret
  .global w2c_hw_secondEntry
w2c_hw_secondEntry:
  adrp x0, enter_second
  add  x0, x0, :lo12:enter_second
  ret
