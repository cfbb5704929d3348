// A TEE kernel of the resume kind in a page: one core, the virtual timer for its own, the normal world's interrupts as SPI 40, WFI
// when it waits. Each call waits ROUNDS times for its timer, alternately spinning and by WFI, and checks each time that its clock went on by
// what it had asked for and not much more, though the normal world ran in between. Its console says how often each
// interrupt came. docs/guest-tee-abi.md says what it may rely on.

#define ENTRY_DONE 0xbe000000
#define CALL_DONE 0xbe000005
#define INTERRUPT_DONE 0xbe000006
#define YIELD 0xbe00000f
#define EVENT_INTERRUPT 0xbe000106

#define TIMER_INTID 27
#define FOREIGN_INTID 40
#define UART 0x09040000
#define GICD_ISENABLER1 0x08000104
#define stack_top 0x0e200000
#define ROUNDS 40
#define PERIOD 312500   // 5 ms
#define NEVER 0x4000000000000000 // QEMU 7.2 hangs where this and CNTVOFF_EL2 exceed 64 bits


// x19 timer interrupts, x20 foreign ones, x21 the UART, x22 rounds left, x23 set by the handler when the timer has come,
// x24 deadline, x25 rounds whose clock was late by more than a period
  .global _start
_start:
  ldr  x0, =stack_top
  mov  sp, x0
  adr  x0, vectors
  msr  vbar_el1, x0
  mov  x19, #0
  mov  x20, #0
  ldr  x21, =UART
  mov  x25, #0
  mov  x0, #0xf0
  msr  s3_0_c4_c6_0, x0   // ICC_PMR_EL1
  mov  x0, #1
  msr  s3_0_c12_c12_7, x0 // ICC_IGRPEN1_EL1
  isb
  ldr  x1, =GICD_ISENABLER1
  mov  w0, #(1 << (FOREIGN_INTID - 32))
  str  w0, [x1]
  ldr  x0, =ENTRY_DONE
  mov  x1, #0
1:
  smc  #0
  ldr  x1, =EVENT_INTERRUPT
  cmp  w0, w1
  b.eq 7f

  mov  x22, #ROUNDS
2:
  mov  x23, #0
  mrs  x24, cntvct_el0
  ldr  x1, =PERIOD
  add  x24, x24, x1
  msr  cntv_cval_el0, x24
  mov  x1, #1
  msr  cntv_ctl_el0, x1
  isb
  msr  daifclr, #2
3:
  cbnz x23, 4f
  tbz  x22, #0, 3b
  wfi
  b    3b
4:
  msr  daifset, #2
  mrs  x1, cntvct_el0
  subs x1, x1, x24
  b.lo failed             // too early
  ldr  x2, =PERIOD
  cmp  x1, x2
  cinc x25, x25, hi
  subs x22, x22, #1
  b.ne 2b

  adr  x3, text_timer
  mov  x4, x19
  bl   print
  adr  x3, text_foreign
  mov  x4, x20
  bl   print
  adr  x3, text_late
  mov  x4, x25
  bl   print
  mov  w5, #'\n'
  str  w5, [x21]
  ldr  x0, =CALL_DONE
  mov  x1, x19
  mov  x2, x20
  mov  x3, #0
  mov  x4, #0
  b    1b

7: // entered for an interrupt: taken as soon as it is let through
  msr  daifclr, #2
  isb
  msr  daifset, #2
  ldr  x0, =INTERRUPT_DONE
  b    1b

failed:
  wfi                      // with nothing that could wake it
  b    failed

print: // x3: a text that ends with 0; x4: a number, in hexadecimal
  ldrb w5, [x3], #1
  cbz  w5, 1f
  str  w5, [x21]
  b    print
1:
  mov  x6, #12
2:
  lsr  x5, x4, x6
  and  x5, x5, #0xf
  cmp  x5, #10
  add  x7, x5, #'0'
  add  x8, x5, #('a' - 10)
  csel x5, x7, x8, lo
  str  w5, [x21]
  subs x6, x6, #4
  b.pl 2b
  ret

text_timer: .asciz "timer "
text_foreign: .asciz " foreign "
text_late: .asciz " late "

  .balign 0x800
vectors:
  .rept 5                  // from EL1 with SP_EL0, then SP_EL1: synchronous
  .balign 0x80
  b    failed
  .endr
  .balign 0x80             // IRQ
  stp  x0, x1, [sp, #-16]!
  mrs  x0, s3_0_c12_c12_0  // ICC_IAR1_EL1
  cmp  x0, #TIMER_INTID
  b.eq 1f
  cmp  x0, #FOREIGN_INTID
  b.ne failed
  add  x20, x20, #1
  msr  s3_0_c12_c12_1, x0  // ICC_EOIR1_EL1
  ldr  x0, =YIELD
  smc  #0
  b    2f
1:
  add  x19, x19, #1
  mov  x23, #1
  ldr  x1, =NEVER
  msr  cntv_cval_el0, x1   // nothing else: as a tickless kernel does
  isb
  msr  s3_0_c12_c12_1, x0
2:
  ldp  x0, x1, [sp], #16
  eret
  .rept 10
  .balign 0x80
  b    failed
  .endr
  .ltorg
