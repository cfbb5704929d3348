/* The probe TEE's own imports (hw.ts): leaving, its timer, its first moment. */
#include "wasm-rt.h"

#define ANSWER_WORDS 4

extern const u64 entry_state[];
u64 read_tval(void), read_ctl(void), read_cval(void);
void write_tval(u64 value), write_ctl(u64 value), write_cval(u64 value);
u32 w2c_hw_currentCore(void);

static u64 answers[KERNEL_CORES][ANSWER_WORDS];

/* For the entry's assembly: where the current core's answer lies. */
u64 *answer_of_core(void) { return answers[w2c_hw_currentCore()]; }

void w2c_hw_answer(u64 x0, u64 x1, u64 x2, u64 x3) {
  u64 *words = answer_of_core();
  words[0] = x0;
  words[1] = x1;
  words[2] = x2;
  words[3] = x3;
}

void w2c_hw_yieldCall(void) {
  register u64 x0 __asm__("x0") = TEE_YIELD;
  __asm__ volatile("smc #0" : "+r"(x0)::"memory", "x1", "x2", "x3");
}

u64 w2c_hw_entryState(u32 index) { return index <= PROBE_ENTRY_PSTATE ? entry_state[index] : 0; }

u64 w2c_hw_readTimer(u32 index) { return index == 0 ? read_tval() : index == 1 ? read_ctl() : read_cval(); }

void w2c_hw_writeTimer(u32 index, u64 value) {
  if (index == 0) write_tval(value);
  else if (index == 1) write_ctl(value);
  else write_cval(value);
  __asm__ volatile("isb" ::: "memory");
}

u64 w2c_hw_timerIntid(void) { return TIMER_INTID; }
