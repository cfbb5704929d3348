// What both kinds of entry have in common: how the probe TEE begins, and how a call ends.

  .macro constant register, value
  movz \register, #((\value) & 0xffff)
  movk \register, #((\value) >> 16), lsl #16
  .endm

// At the first instruction: keeps what the registers were, sets up the core, lets the module boot.
  .macro boot
  msr  tpidrro_el0, x0
  adrp x0, entry_state
  add  x0, x0, :lo12:entry_state
  str  x1, [x0, #8]
  stp  x2, x3, [x0, #16]
  stp  x4, x5, [x0, #32]
  stp  x6, x7, [x0, #48]
  stp  x8, x9, [x0, #64]
  stp  x10, x11, [x0, #80]
  stp  x12, x13, [x0, #96]
  stp  x14, x15, [x0, #112]
  stp  x16, x17, [x0, #128]
  stp  x18, x19, [x0, #144]
  stp  x20, x21, [x0, #160]
  stp  x22, x23, [x0, #176]
  stp  x24, x25, [x0, #192]
  stp  x26, x27, [x0, #208]
  stp  x28, x29, [x0, #224]
  mrs  x1, tpidrro_el0
  str  x1, [x0]
  mrs  x1, sctlr_el1
  stp  x30, x1, [x0, #240]
  mrs  x1, currentel
  mrs  x2, daif
  orr  x1, x1, x2
  mrs  x2, spsel
  orr  x1, x1, x2
  str  x1, [x0, #256]
  bl   set_up_core
  bl   initialiseKernel
  bl   boot
  .endm

// The answer into x1…x4, as the dispatcher's ABI has it.
  .macro load_answer
  bl   answer_of_core
  ldp  x1, x2, [x0]
  ldp  x3, x4, [x0, #16]
  constant x0, TEE_CALL_DONE
  .endm

  .section .bss.entry, "aw", %nobits
  .balign 16
  .global entry_state
entry_state:
  .skip 8 * (PROBE_ENTRY_PSTATE + 1)
