// A TEE kernel of the resume kind in a page that uses its virtual TZC-400: each first call takes REGION from its normal world, each second one
// returns it. Its console says, in hexadecimal, the upper half of REGION_ATTRIBUTES, INT_STATUS, the two halves of what
// stood at the region's begin when it was taken, and leaves SECRET there. docs/guest-tee-abi.md says what it may rely on.

#define ENTRY_DONE 0xbe000000
#define CALL_DONE 0xbe000005

#define UART 0x09040000
#define TZC400 0x090d0000
#define INT_STATUS 0x010
#define REGION_1 0x120
#define BASE_LOW 0x0
#define TOP_LOW 0x8
#define ATTRIBUTES 0x10
#define SECURE 0xc0000001
#define REGION 0x4e000000
#define REGION_LAST 0x4e1fffff
#define SECRET 0x5ec55ec5
#define stack_top 0x0e200000

// x20 calls, x21 the UART, x22 the registers of region 1, x23 those of the controller, x24 the region
  .global _start
_start:
  ldr  x0, =stack_top
  mov  sp, x0
  mov  x20, #0
  ldr  x21, =UART
  ldr  x23, =TZC400
  add  x22, x23, #REGION_1
  ldr  x24, =REGION
  ldr  x0, =ENTRY_DONE
  mov  x1, #0
1:
  smc  #0
  add  x20, x20, #1
  tbz  x20, #0, 2f

  str  w24, [x22, #BASE_LOW]
  ldr  w1, =REGION_LAST
  str  w1, [x22, #TOP_LOW]
  ldr  w1, =SECURE
  str  w1, [x22, #ATTRIBUTES]
  adr  x3, text_takes
  bl   print_text
  bl   print_state
  ldr  w1, [x22, #ATTRIBUTES]
  tbz  w1, #0, 3f
  ldr  w25, [x24]
  ldr  w1, =SECRET
  str  w1, [x24]
  lsr  w4, w25, #16
  bl   print_number
  mov  w4, w25
  bl   print_number
  b    3f

2:
  str  wzr, [x22, #ATTRIBUTES]
  adr  x3, text_returns
  bl   print_text
  bl   print_state

3:
  mov  w5, #'\n'
  str  w5, [x21]
  ldr  x0, =CALL_DONE
  mov  x1, x20
  mov  x2, #0
  mov  x3, #0
  mov  x4, #0
  b    1b

print_state:
  mov  x26, x30
  ldr  w4, [x22, #ATTRIBUTES]
  lsr  w4, w4, #16
  bl   print_number
  ldr  w4, [x23, #INT_STATUS]
  bl   print_number
  ret  x26

print_text: // x3: a text that ends with 0
  ldrb w5, [x3], #1
  cbz  w5, 1f
  str  w5, [x21]
  b    print_text
1:
  ret

print_number: // w4: the lower 16 bits
  mov  w5, #' '
  str  w5, [x21]
  mov  x6, #12
1:
  lsr  w5, w4, w6
  and  w5, w5, #0xf
  cmp  w5, #10
  add  w7, w5, #'0'
  add  w8, w5, #('a' - 10)
  csel w5, w7, w8, lo
  str  w5, [x21]
  subs x6, x6, #4
  b.pl 1b
  ret

text_takes: .asciz "takes"
  .balign 4
text_returns: .asciz "returns"
  .balign 4
