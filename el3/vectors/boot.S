// Reset. Every core starts here, at address 0 of secure flash, in EL3 with MMU and caches off. Core 0 clears the monitor's memory, turns the MMU on
// and boots the machine; the others turn their MMU on when core 0 is done and wait in the holding pen for PSCI CPU_ON.

#include "offsets.gen.h"
#include "registers.gen.h"

#define MAIR_VALUE 0x04ff // attribute 0: write-back; 1: Device-nGnRE
#define TCR_RES1 0x80800000
#define TCR_VALUE (TCR_RES1 | 25 | TCR_EL3_IRGN0_WRITE_BACK | TCR_EL3_ORGN0_WRITE_BACK | TCR_EL3_SH0_INNER | TCR_EL3_PS_B40)
#define SCTLR_VALUE (SCTLR_EL3_RES1 | SCTLR_EL3_M | SCTLR_EL3_C | SCTLR_EL3_I | SCTLR_EL3_SA | SCTLR_EL3_WXN)

#define PEN_OPEN 0x0b0075ed0b0075ed // memory may hold anything at reset but hardly this

  .section .text.reset, "ax"
  .global reset
reset:
  msr  daifset, #0xf
  mrs  x19, mpidr_el1
  and  x19, x19, #0xff // one cluster: Aff0 numbers the cores
  cmp  x19, #CORE_COUNT
  b.hs 4f
  cbnz x19, 2f

  ldr  x0, =sram_start
  ldr  x1, =sram_end
1:
  stp  xzr, xzr, [x0], #16
  cmp  x0, x1
  b.lo 1b
  bl   turn_mmu_on
  bl   set_stack
  bl   initialiseMonitor
  bl   set_core_area
  mov  w0, w19
  bl   bootMachine
  ldr  x1, =pen_state
  ldr  x2, =PEN_OPEN
  stlr x2, [x1]
  dc   civac, x1 // the others still read memory itself
  dsb  sy
  sev
  b    resume_frame

2: // MMU off: reads memory itself, where core 0's caches are coherent with it
  ldr  x1, =pen_state
  ldr  x2, =PEN_OPEN
3:
  ldr  x3, [x1]
  cmp  x3, x2
  b.eq 5f
  wfe
  b    3b
5:
  bl   turn_mmu_on
  bl   set_stack
  bl   set_core_area
  b    holding_pen

4: // more cores than the monitor keeps areas for: never released
  wfi
  b    4b

  .section .text.boot, "ax"

// PSCI CPU_OFF: w0 = core.
  .global w2c_hw_parkCore
w2c_hw_parkCore:
  mov  w19, w0
  bl   set_stack
  // falls through

holding_pen: // w19 = core, x20 = its area
  mrs  x20, tpidr_el3
  add  x1, x20, #CORE_AREA_IS_ON
1:
  ldar w2, [x1]
  cbnz w2, 2f
  wfe
  b    1b
2:
  mov  w0, w19
  bl   bootSecondary
  b    resume_frame

set_stack: // w19 = core
  ldr  x0, =stacks_start
  add  w1, w19, #1
  mov  x2, #STACK_SIZE
  umaddl x0, w1, w2, x0
  mov  sp, x0
  ret

set_core_area: // w19 = core; TPIDR_EL3 and its stack
  mov  x21, x30
  mov  w0, w19
  bl   coreAreaPtr
  adrp x1, linear_memory
  add  x0, x1, w0, uxtw
  msr  tpidr_el3, x0
  mov  x1, sp
  str  x1, [x0, #CORE_AREA_STACK_TOP]
  ret  x21

// Flat, from tables in flash. Arm ARM D8.2: 4 KiB granule, 39-bit addresses, so the walk starts at level 1.
turn_mmu_on:
  ldr  x0, =vectors
  msr  vbar_el3, x0
  ldr  x0, =MAIR_VALUE
  msr  mair_el3, x0
  ldr  x0, =TCR_VALUE
  msr  tcr_el3, x0
  ldr  x0, =el3_level1
  msr  ttbr0_el3, x0
  tlbi alle3
  ic   iallu
  dsb  sy
  isb
  ldr  x0, =SCTLR_VALUE
  msr  sctlr_el3, x0
  isb
  ret

#define MEMORY (DESCRIPTOR_BLOCK | STAGE1_AF | STAGE1_SH_INNER)
#define DEVICE (DESCRIPTOR_BLOCK | STAGE1_AF | STAGE1_XN | (1 << STAGE1_ATTR_INDEX_SHIFT))
#define FLASH_CODE (MEMORY | STAGE1_AP_RO)
#define FLASH_DATA (MEMORY | STAGE1_AP_RO | STAGE1_XN)
#define SRAM (MEMORY | STAGE1_AP_RW | STAGE1_XN)
#define DRAM (MEMORY | STAGE1_AP_RW | STAGE1_XN | STAGE1_NS)

  .section .rodata.tables, "a"
  .balign 0x1000
el3_level1: // 1 GiB each
  .quad el3_level2 + DESCRIPTOR_TABLE
  .set gib, 1
  .rept 64 // normal DRAM, non-secure: as much as `vtz up --ram` takes
  .quad (gib << 30) | DRAM
  .set gib, gib + 1
  .endr
  .balign 0x1000
el3_level2: // 2 MiB each, of the first GiB
  .set at, 0
  .rept 512
  .if at == 0
  .quad at | FLASH_CODE
  .elseif at < 0x04000000
  .quad at | FLASH_DATA
  .elseif at >= 0x08000000 && at < 0x0a000000
  .quad at | DEVICE | STAGE1_AP_RW
  .elseif at >= 0x0e000000 && at < 0x0f000000
  .quad at | SRAM
  .else
  .quad 0
  .endif
  .set at, at + 0x200000
  .endr

  .section .bss.boot, "aw", %nobits
  .balign 8
pen_state:
  .quad 0
