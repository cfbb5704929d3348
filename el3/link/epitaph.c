/*
 * How the monitor dies: the reason and the machine's last words go to a record in secure SRAM (symbol
 * epitaph_record) and to the secure UART, and the core stops. The other cores run on until they need a lock of
 * the dead one. Nothing here may fail or use the linear memory.
 */
#include "wasm-rt.h"

#define SECURE_UART_PA 0x09040000ul
#define UART_DR 0x00
#define UART_FR 0x18
#define UART_FR_TXFF (1u << 5)
#define EPITAPH_MAGIC 0x4850415449504556ull /* "VEPITAPH" */

struct epitaph {
  u64 magic;
  u64 code;
  u64 a;
  u64 b;
  u64 returnAddress;
  u64 mpidr;
  u64 esrEl3;
  u64 elrEl3;
  u64 farEl3;
  u64 spsrEl3;
};

struct epitaph epitaph_record __attribute__((aligned(64)));

static void putCharacter(char character) {
  volatile u32 *uart = (volatile u32 *)SECURE_UART_PA;
  for (u32 tries = 0; tries < 100000 && (uart[UART_FR / 4] & UART_FR_TXFF) != 0; tries++) {
  }
  uart[UART_DR / 4] = (u32)character;
}

static void putWord(const char *name, u64 value) {
  while (*name != 0) putCharacter(*name++);
  for (int shift = 60; shift >= 0; shift -= 4) putCharacter("0123456789abcdef"[(value >> shift) & 0xf]);
}

#define READ(register_name)                                                                                        \
  ({                                                                                                               \
    u64 value_;                                                                                                    \
    __asm__ volatile("mrs %0, " register_name : "=r"(value_));                                                     \
    value_;                                                                                                        \
  })

static _Noreturn void stop(void) {
  for (;;) __asm__ volatile("wfe");
}

static _Noreturn void bury(u64 code, u64 a, u64 b, u64 returnAddress) {
  struct epitaph *record = &epitaph_record;
  __asm__ volatile("msr daifset, #15");
  record->code = code;
  record->a = a;
  record->b = b;
  record->returnAddress = returnAddress;
  record->mpidr = READ("mpidr_el1");
  record->esrEl3 = READ("esr_el3");
  record->elrEl3 = READ("elr_el3");
  record->farEl3 = READ("far_el3");
  record->spsrEl3 = READ("spsr_el3");
  record->magic = EPITAPH_MAGIC;
  __asm__ volatile("dc civac, %0\n\tdc civac, %1\n\tdsb sy" ::"r"(record), "r"(&record->esrEl3) : "memory");

  putWord("\r\n[vtz] monitor stopped: code 0x", code);
  putWord(" a 0x", a);
  putWord(" b 0x", b);
  putWord("\r\n[vtz]   at 0x", returnAddress);
  putWord(" core 0x", record->mpidr & 0xffff);
  putWord(" ESR_EL3 0x", record->esrEl3);
  putWord("\r\n[vtz]   ELR_EL3 0x", record->elrEl3);
  putWord(" FAR_EL3 0x", record->farEl3);
  putWord(" SPSR_EL3 0x", record->spsrEl3);
  putCharacter('\r');
  putCharacter('\n');
  stop();
}

__attribute__((noinline)) _Noreturn void epitaph(u64 code) {
  bury(code, 0, 0, (u64)__builtin_return_address(0));
}

__attribute__((noinline)) _Noreturn void epitaphWith(u64 code, u64 a, u64 b) {
  bury(code, a, b, (u64)__builtin_return_address(0));
}
