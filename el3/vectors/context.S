// Saving and loading what waits: EL1 registers (el1-context.ts gives the order), FP and SIMD, the virtual CPU interface.
// Each takes an offset in linear memory in w0 and follows the AAPCS; no exception comes in between, since EL3 runs masked.

#include "offsets.gen.h"
#include "registers.gen.h"

  .section .text.context, "ax"

  .macro context_address
  adrp x9, linear_memory
  add  x9, x9, :lo12:linear_memory
  add  x9, x9, w0, uxtw
  .endm

  .macro save_pair offset, first, second
  mrs  x10, \first
  mrs  x11, \second
  stp  x10, x11, [x9, #\offset]
  .endm

  .macro load_pair offset, first, second
  ldp  x10, x11, [x9, #\offset]
  msr  \first, x10
  msr  \second, x11
  .endm

  // The one list; `step` is save_pair or load_pair.
  .macro each_el1_register step
  \step 0x00, sctlr_el1, tcr_el1
  \step 0x10, ttbr0_el1, ttbr1_el1
  \step 0x20, mair_el1, amair_el1
  \step 0x30, vbar_el1, contextidr_el1
  \step 0x40, tpidr_el1, tpidr_el0
  \step 0x50, tpidrro_el0, sp_el0
  \step 0x60, sp_el1, elr_el1
  \step 0x70, spsr_el1, esr_el1
  \step 0x80, far_el1, afsr0_el1
  \step 0x90, afsr1_el1, par_el1
  \step 0xa0, cpacr_el1, cntkctl_el1
  \step 0xb0, mdscr_el1, csselr_el1
  .endm

  .global w2c_hw_saveEl1Context
w2c_hw_saveEl1Context:
  context_address
  each_el1_register save_pair
  ret

  .global w2c_hw_loadEl1Context
w2c_hw_loadEl1Context:
  context_address
  each_el1_register load_pair
  ret

  .macro each_fp_register step
  .irp pair, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
  \step \pair
  .endr
  .endm

  .arch_extension fp
  .arch_extension simd

  .altmacro
  .macro fp_pair operation, first, second
  \operation q\first, q\second, [x9, #(\first * 16)]
  .endm
  .macro save_fp first
  fp_pair stp, \first, %(\first + 1)
  .endm
  .macro load_fp first
  fp_pair ldp, \first, %(\first + 1)
  .endm

  .global w2c_hw_saveFpContext
w2c_hw_saveFpContext:
  context_address
  each_fp_register save_fp
  mrs  x10, fpcr
  mrs  x11, fpsr
  add  x9, x9, #CONTEXT_FP_FPCR
  stp  x10, x11, [x9]
  ret

  .global w2c_hw_loadFpContext
w2c_hw_loadFpContext:
  context_address
  each_fp_register load_fp
  add  x9, x9, #CONTEXT_FP_FPCR
  ldp  x10, x11, [x9]
  msr  fpcr, x10
  msr  fpsr, x11
  ret

  // GicContext: VMCR, AP0R0, AP1R0, (HCR), then the list registers; w1 of them are implemented, 4 at a time.
  .macro save_lr number
  mrs  x10, ich_lr\number\()_el2
  str  x10, [x9, #(32 + \number * 8)]
  .endm
  .macro load_lr number
  ldr  x10, [x9, #(32 + \number * 8)]
  msr  ich_lr\number\()_el2, x10
  .endm

  .macro each_list_register step
  .irp group, 0, 4, 8, 12
  cmp  w1, #\group
  b.ls 9f
  \step \group
  \step %(\group + 1)
  \step %(\group + 2)
  \step %(\group + 3)
  .endr
9:
  .endm

  .global w2c_hw_saveGicContext
w2c_hw_saveGicContext:
  context_address
  mrs  x10, ich_vmcr_el2
  mrs  x11, ich_ap0r0_el2
  stp  x10, x11, [x9]
  mrs  x10, ich_ap1r0_el2
  str  x10, [x9, #16]
  each_list_register save_lr
  ret

  .global w2c_hw_loadGicContext
w2c_hw_loadGicContext:
  context_address
  ldp  x10, x11, [x9]
  msr  ich_vmcr_el2, x10
  msr  ich_ap0r0_el2, x11
  ldr  x10, [x9, #16]
  msr  ich_ap1r0_el2, x10
  each_list_register load_lr
  ret
