/*
 * What the monitor can do to the machine, apart from system registers: one function an import of hw.ts. Those named
 * read… and write… after a system register are generated from arm/registers.ts (registers.gen.c in the build folder).
 * The address space of EL3 is flat: a physical address is a pointer.
 */
#include "wasm-rt.h"

#define DEVICE(type, pa) (*(volatile type *)(uintptr_t)(pa))

/* ---- physical memory ----------------------------------------------------------------------------------------- */

u32 w2c_hw_readPhysical8(u64 pa) { return DEVICE(u8, pa); }
u32 w2c_hw_readPhysical16(u64 pa) { return DEVICE(u16, pa); }
u32 w2c_hw_readPhysical32(u64 pa) { return DEVICE(u32, pa); }
u64 w2c_hw_readPhysical64(u64 pa) { return DEVICE(u64, pa); }
void w2c_hw_writePhysical8(u64 pa, u32 value) { DEVICE(u8, pa) = (u8)value; }
void w2c_hw_writePhysical16(u64 pa, u32 value) { DEVICE(u16, pa) = (u16)value; }
void w2c_hw_writePhysical32(u64 pa, u32 value) { DEVICE(u32, pa) = value; }
void w2c_hw_writePhysical64(u64 pa, u64 value) { DEVICE(u64, pa) = value; }

static u64 cacheLineSize(void) {
  u64 ctr;
  __asm__("mrs %0, ctr_el0" : "=r"(ctr));
  return 4ull << ((ctr >> 16) & 0xf);
}

/* To the point of coherency: what other cores, worlds and devices see, whatever their attributes. */
void w2c_hw_cleanInvalidateRange(u64 pa, u64 size) {
  u64 line = cacheLineSize();
  u64 end = pa + size;
  for (u64 at = pa & ~(line - 1); at < end; at += line) __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
  __asm__ volatile("dsb sy" ::: "memory");
}

static void storePair(u64 pa, u64 low, u64 high) {
  __asm__ volatile("stp %1, %2, [%0]" ::"r"(pa), "r"(low), "r"(high) : "memory");
}

/* pa and size: multiples of 16. Whole zeroing blocks go with DC ZVA where the core has it. */
void w2c_hw_zeroPhysical(u64 pa, u64 size) {
  u64 dczid;
  u64 end = pa + size;
  __asm__("mrs %0, dczid_el0" : "=r"(dczid));
  u64 block = (dczid & 0x10) ? 0 : 4ull << (dczid & 0xf);
  while (pa < end) {
    if (block != 0 && (pa & (block - 1)) == 0 && end - pa >= block) {
      __asm__ volatile("dc zva, %0" ::"r"(pa) : "memory");
      pa += block;
    } else {
      storePair(pa, 0, 0);
      pa += 16;
    }
  }
}

/* to, from and size: multiples of 16; ranges that do not overlap. */
void w2c_hw_copyPhysical(u64 to, u64 from, u64 size) {
  for (u64 at = 0; at < size; at += 16) {
    u64 low, high;
    __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(low), "=&r"(high) : "r"(from + at) : "memory");
    storePair(to + at, low, high);
  }
}

/* ---- barriers, TLB and instruction cache --------------------------------------------------------------------- */

void w2c_hw_isb(void) { __asm__ volatile("isb" ::: "memory"); }
void w2c_hw_dsbSy(void) { __asm__ volatile("dsb sy" ::: "memory"); }
void w2c_hw_dsbIsh(void) { __asm__ volatile("dsb ish" ::: "memory"); }
void w2c_hw_dsbIshst(void) { __asm__ volatile("dsb ishst" ::: "memory"); }
void w2c_hw_tlbiAlle1is(void) { __asm__ volatile("tlbi alle1is" ::: "memory"); }
void w2c_hw_tlbiAlle2is(void) { __asm__ volatile("tlbi alle2is" ::: "memory"); }
void w2c_hw_tlbiVae2is(u64 page) { __asm__ volatile("tlbi vae2is, %0" ::"r"(page) : "memory"); }
void w2c_hw_tlbiAlle3(void) { __asm__ volatile("tlbi alle3" ::: "memory"); }
void w2c_hw_tlbiVmalls12e1(void) { __asm__ volatile("tlbi vmalls12e1" ::: "memory"); }
void w2c_hw_tlbiVmalls12e1is(void) { __asm__ volatile("tlbi vmalls12e1is" ::: "memory"); }
void w2c_hw_tlbiVmalle1(void) { __asm__ volatile("tlbi vmalle1" ::: "memory"); }
void w2c_hw_icIallu(void) { __asm__ volatile("ic iallu" ::: "memory"); }
void w2c_hw_icIalluis(void) { __asm__ volatile("ic ialluis" ::: "memory"); }
void w2c_hw_waitForEvent(void) { __asm__ volatile("wfe" ::: "memory"); }
void w2c_hw_sendEvent(void) { __asm__ volatile("sev" ::: "memory"); }

/* Stage 1 and 2 of EL1 as the current VTTBR_EL2, TTBRs and HCR_EL2 say; the answer is in PAR_EL1. */
void w2c_hw_atS12e1r(u64 va) { __asm__ volatile("at s12e1r, %0\n\tisb" ::"r"(va) : "memory"); }
void w2c_hw_atS12e1w(u64 va) { __asm__ volatile("at s12e1w, %0\n\tisb" ::"r"(va) : "memory"); }
void w2c_hw_atS12e0r(u64 va) { __asm__ volatile("at s12e0r, %0\n\tisb" ::"r"(va) : "memory"); }
void w2c_hw_atS1e1r(u64 va) { __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(va) : "memory"); }
void w2c_hw_atS1e2r(u64 va) { __asm__ volatile("at s1e2r, %0\n\tisb" ::"r"(va) : "memory"); }

u64 w2c_hw_counter(void) {
  u64 value;
  __asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(value));
  return value;
}

/* ---- between cores ------------------------------------------------------------------------------------------- */

#define LOCK_COUNT 32

/* A line each, so that waiting on one does not slow the holder of another. */
static struct {
  u32 held;
} __attribute__((aligned(64))) locks[LOCK_COUNT];

void w2c_hw_lock(u32 index) {
  u32 *held = &locks[index & (LOCK_COUNT - 1)].held;
  u32 seen, failed;
  __asm__ volatile(
      "   sevl\n"
      "1: wfe\n"
      "2: ldaxr %w0, [%2]\n"
      "   cbnz  %w0, 1b\n"
      "   stxr  %w1, %w3, [%2]\n"
      "   cbnz  %w1, 2b\n"
      : "=&r"(seen), "=&r"(failed)
      : "r"(held), "r"(1)
      : "memory");
}

/* The store to a line that a waiter monitors is its wake-up event. */
void w2c_hw_unlock(u32 index) {
  __asm__ volatile("stlr wzr, [%0]" ::"r"(&locks[index & (LOCK_COUNT - 1)].held) : "memory");
}

static u8 *linearWord(u32 ptr) {
  if (UNLIKELY(ptr > LINEAR_MEMORY_SIZE - 8 || (ptr & 3) != 0)) epitaph(EPITAPH_TRAP_OOB);
  return linear_memory + ptr;
}

u32 w2c_hw_compareAndSwap32(u32 ptr, u32 expected, u32 value) {
  u32 seen, failed;
  __asm__ volatile(
      "1: ldaxr %w0, [%2]\n"
      "   cmp   %w0, %w3\n"
      "   b.ne  2f\n"
      "   stlxr %w1, %w4, [%2]\n"
      "   cbnz  %w1, 1b\n"
      "2:\n"
      : "=&r"(seen), "=&r"(failed)
      : "r"(linearWord(ptr)), "r"(expected), "r"(value)
      : "memory", "cc");
  return seen;
}

/* Plain loads and stores of the linear memory may be moved and merged by the compiler; these are not. */
u32 w2c_hw_loadAcquire32(u32 ptr) {
  u32 value;
  __asm__ volatile("ldar %w0, [%1]" : "=r"(value) : "r"(linearWord(ptr)) : "memory");
  return value;
}

void w2c_hw_storeRelease32(u32 ptr, u32 value) {
  __asm__ volatile("stlr %w0, [%1]" ::"r"(value), "r"(linearWord(ptr)) : "memory");
}

/* ---- one core works while the others wait --------------------------------------------------------------------- */

#define HOLD_SGI_INTID 15 /* INTID_HOLD of arm/gic.ts; group 0 on every core (boot/gic.ts) */
#define HELD_MAX 8

static u32 holding;
static u32 held[HELD_MAX];

static u32 acquire(const u32 *word) {
  u32 value;
  __asm__ volatile("ldar %w0, [%1]" : "=r"(value) : "r"(word) : "memory");
  return value;
}

static void release(u32 *word, u32 value) {
  __asm__ volatile("stlr %w0, [%1]\n\tdsb ish\n\tsev" ::"r"(value), "r"(word) : "memory");
}

/* ICC_SGI0R_EL1: INTID in 27:24, target list in 15:0. */
void w2c_hw_holdCores(u32 mask) {
  release(&holding, 1);
  __asm__ volatile("msr s3_0_c12_c11_7, %0\n\tisb" ::"r"(((u64)HOLD_SGI_INTID << 24) | mask) : "memory");
  for (u32 core = 0; core < HELD_MAX; core++) {
    if ((mask & (1u << core)) == 0) continue;
    while (acquire(&held[core]) == 0) __asm__ volatile("wfe" ::: "memory");
  }
}

void w2c_hw_releaseCores(void) { release(&holding, 0); }

void w2c_hw_waitWhileHeld(u32 core) {
  if (core >= HELD_MAX) epitaph(EPITAPH_TRAP_OOB);
  if (acquire(&holding) == 0) return;
  release(&held[core], 1);
  while (acquire(&holding) != 0) __asm__ volatile("wfe" ::: "memory");
  release(&held[core], 0);
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

void w2c_hw_fatal(u32 code, u64 a, u64 b) { epitaphWith(EPITAPH_FATAL + (u64)code, a, b); }
