/* The imports of test kernels (hw.ts) that are not a register access or assembly. */
#include "wasm-rt.h"
#include "offsets.gen.h"

void run(u8 *frame);
u64 run_address(void);
void died(u64 what, u64 where, u64 address);

/* A kernel's module has trapped: EPITAPH_TRAP_* (wasm-rt.h). */
_Noreturn void epitaph(u64 code) {
  died(code, 0, 0);
  for (;;) __asm__ volatile("wfi");
}

static u8 *linear(u32 ptr, u32 size) {
  if (UNLIKELY(ptr > LINEAR_MEMORY_SIZE - size)) epitaph(EPITAPH_TRAP_OOB);
  return linear_memory + ptr;
}

void w2c_hw_run(u32 ptr) { run(linear(ptr, FRAME_SIZE)); }
u64 w2c_hw_runAddress(void) { return run_address(); }

/* Inline assembly, so that an access is one instruction that the hardware describes in a syndrome. */
u32 w2c_hw_readPhysical8(u64 ipa) {
  u32 value;
  __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(ipa) : "memory");
  return value;
}

u32 w2c_hw_readPhysical32(u64 ipa) {
  u32 value;
  __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(ipa) : "memory");
  return value;
}

u64 w2c_hw_readPhysical64(u64 ipa) {
  u64 value;
  __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(ipa) : "memory");
  return value;
}

void w2c_hw_writePhysical32(u64 ipa, u32 value) {
  __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(ipa) : "memory");
}

u32 w2c_hw_currentCore(void) {
  u64 mpidr;
  __asm__("mrs %0, mpidr_el1" : "=r"(mpidr));
  return (u32)mpidr & (KERNEL_CORES - 1);
}

void w2c_hw_unmask(u32 interrupts) {
  if (interrupts & 2) __asm__ volatile("msr daifclr, #2" ::: "memory");
  if (interrupts & 1) __asm__ volatile("msr daifclr, #1" ::: "memory");
  __asm__ volatile("isb" ::: "memory");
}

void w2c_hw_maskAll(void) { __asm__ volatile("msr daifset, #15\n\tisb" ::: "memory"); }
void w2c_hw_waitForInterrupt(void) { __asm__ volatile("wfi" ::: "memory"); }
void w2c_hw_waitForEvent(void) { __asm__ volatile("wfe" ::: "memory"); }
void w2c_hw_sendEvent(void) { __asm__ volatile("dsb sy\n\tsev" ::: "memory"); }

u32 w2c_hw_loadAcquire32(u32 ptr) {
  u32 value;
  __asm__ volatile("ldar %w0, [%1]" : "=r"(value) : "r"(linear(ptr, sizeof(u32))) : "memory");
  return value;
}

void w2c_hw_storeRelease32(u32 ptr, u32 value) {
  __asm__ volatile("stlr %w0, [%1]" ::"r"(value), "r"(linear(ptr, sizeof(u32))) : "memory");
}
