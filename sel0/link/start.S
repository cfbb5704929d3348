// The one entry of a compartment. x0…x3 = operation and arguments of the call, x4 = whether its memory is new (all
// zero, without the module's constants). Leaves by SVC, as abi/compartment-images.ts says.

  .section .text.start, "ax"
  .global start
start:
  cbz  x4, 1f
  mov  x19, x0
  mov  x20, x1
  mov  x21, x2
  mov  x22, x3
  bl   initialiseCompartment
  mov  x0, x19
  mov  x1, x20
  mov  x2, x21
  mov  x3, x22
1:
  bl   call
  svc  #SVC_DONE

  .section .text.trap, "ax"
  // The module has trapped; w0 = EPITAPH_TRAP_* (wasm-rt.h), which is what the monitor would die of.
  .global epitaph
epitaph:
  svc  #SVC_TRAP
