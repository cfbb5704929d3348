// The probe TEE as one of the resume kind (docs/guest-tee-abi.md): entered by returning from its last SMC.

#include "entry.h"

  .section .text.head, "ax"
  .global image_start
image_start:
  boot
  constant x0, TEE_ENTRY_DONE
  mov  x1, #0
leave:
  smc  #0
  constant x9, TEE_EVENT_INTERRUPT
  cmp  w0, w9
  b.eq for_interrupt
  bl   resumedCall
  load_answer
  b    leave

for_interrupt:
  bl   enteredForInterrupt
  constant x0, TEE_INTERRUPT_DONE
  b    leave
