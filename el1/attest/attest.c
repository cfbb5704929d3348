// A kernel module for one question: it asks the monitor for evidence of this guest (abi/attest-call.ts), writes the
// answer into the kernel's log, and is not loaded after it. Linux's user space cannot execute SMC. It is compiled by
// host/machine/attest-module.ts, with nonce and tag of the question as macros, and needs no header of the kernel's, whose
// only symbol here is _printk.

typedef unsigned long u64;

int _printk(const char *format, ...);
int init_module(void);

#define INIT __attribute__((section(".init.text")))
/** KERN_DEBUG: kept in the log, not shown on a console. */
#define LEVEL "\0017"
/** -ENODEV: the loader drops the module, and says nothing of it. */
#define NOT_LOADED (-19)

/** x0…x7 before and after a call. */
struct registers {
  u64 x[8];
};

/** SMC Calling Convention 1.2 (Arm DEN 0028), section 2.6: x8…x17 may be changed too, the flags are not kept. */
INIT static struct registers callMonitor(u64 functionId, const u64 nonce[4]) {
  register u64 x0 __asm__("x0") = functionId;
  register u64 x1 __asm__("x1") = nonce[0];
  register u64 x2 __asm__("x2") = nonce[1];
  register u64 x3 __asm__("x3") = nonce[2];
  register u64 x4 __asm__("x4") = nonce[3];
  register u64 x5 __asm__("x5") = 0;
  register u64 x6 __asm__("x6") = 0;
  register u64 x7 __asm__("x7") = 0;
  __asm__ volatile("smc #0"
                   : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7)
                   :
                   : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "cc", "memory");
  return (struct registers){{x0, x1, x2, x3, x4, x5, x6, x7}};
}

/** Registers as numbers: the reader of the log knows that they hold bytes in little-endian order. */
INIT static void tellPiece(u64 offset, const u64 x[8]) {
  _printk(LEVEL TAG " %04lx %016lx %016lx %016lx %016lx %016lx %016lx %016lx\n", offset, x[1], x[2], x[3],
          x[4], x[5], x[6], x[7]);
}

INIT int init_module(void) {
  const u64 nonce[4] = {NONCE_0, NONCE_1, NONCE_2, NONCE_3};
  const u64 size = callMonitor(ATTEST_MAKE_FID, nonce).x[0];
  _printk(LEVEL TAG " size %016lx\n", size);
  if (size > ATTEST_EVIDENCE_SIZE_MAX) return NOT_LOADED; // a negative code too
  for (u64 offset = 0; offset < size; offset += ATTEST_CALL_PIECE_SIZE) {
    const struct registers piece = callMonitor(ATTEST_READ_FID, (const u64[4]){offset, 0, 0, 0});
    if (piece.x[0] != 0) break; // the log then has less than the size
    tellPiece(offset, piece.x);
  }
  return NOT_LOADED;
}
