// The probe TEE as one of the vector kind (docs/guest-tee-abi.md): calls enter at a table, everything masked.

#include "entry.h"

  .section .text.head, "ax"
  .global image_start
image_start:
  boot
  constant x0, TEE_ENTRY_DONE
  adr  x1, table
  smc  #0
  b    not_entered

  .balign 4
table: // + TEE_ENTRY_*
  b    yielding_call
  b    fast_call
  b    core_on
  b    not_entered
  b    not_entered
  b    not_entered
  b    for_interrupt

yielding_call:
  bl   yieldingCall
  b    call_done
fast_call:
  bl   fastCall
call_done:
  load_answer
  smc  #0
  b    not_entered

core_on:
  bl   set_up_core
  constant x0, TEE_CPU_ON_DONE
  mov  x1, #0
  smc  #0
  b    not_entered

for_interrupt:
  bl   enteredForInterrupt
  constant x0, TEE_INTERRUPT_DONE
  smc  #0

not_entered: // nobody returns here
  brk  #0
