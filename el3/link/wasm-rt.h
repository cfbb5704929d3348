/*
 * The runtime under wasm2c's output (wabt 1.0.39), freestanding, for one module with one memory and many cores.
 *
 * The linear memory is an object of the linker script: base and size are constants, nothing is allocated, nothing
 * grows. host/toolchain/translate-c.ts hands accesses over as (dynamic part, static offset). The dynamic part is
 * compared with the size; the static offset is below LINEAR_MEMORY_GUARD_SIZE (checked when the C is made), and
 * that much room behind the memory belongs to nobody. So an access costs one compare, and several fields of one
 * structure share it.
 */
#ifndef WASM_RT_H
#define WASM_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef LINEAR_MEMORY_SIZE
#error "LINEAR_MEMORY_SIZE comes from the build"
#endif

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef float f32;
typedef double f64;
#define WASM_RT_CORE_TYPES_DEFINED

typedef struct {
  u8 unused;
} wasm_rt_memory_t;
typedef const char *wasm_rt_func_type_t;

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

extern u8 linear_memory[LINEAR_MEMORY_SIZE];

/* Codes of epitaph(): what the monitor died of. Below 0x100 they are the runtime's, above they are fatal()'s. */
#define EPITAPH_TRAP_OOB 1
#define EPITAPH_TRAP_UNREACHABLE 2
#define EPITAPH_TRAP_DIV_BY_ZERO 3
#define EPITAPH_TRAP_INT_OVERFLOW 4
#define EPITAPH_EXCEPTION 5 /* an exception of EL3 itself; for the vectors */
#define EPITAPH_FATAL 0x100 /* + code of fatal() */

_Noreturn void epitaph(u64 code);
_Noreturn void epitaphWith(u64 code, u64 a, u64 b);

#define TRAP(x) (epitaph(EPITAPH_TRAP_##x), 0)
#define UNREACHABLE epitaph(EPITAPH_TRAP_UNREACHABLE)
#define FUNC_PROLOGUE
#define FUNC_EPILOGUE
#define FUNC_TYPE_T(x) static const char *const x __attribute__((unused))

/* ---- loads and stores -------------------------------------------------------------------------------------- */

#define LINEAR(address, offset) (linear_memory + (u64)(address) + (offset))

#define DEFINE_LOAD(name, memory_type, extended_type, result_type)                                                 \
  static inline __attribute__((always_inline)) result_type name(u32 address, u32 offset) {                         \
    memory_type value;                                                                                             \
    if (UNLIKELY(address >= LINEAR_MEMORY_SIZE)) epitaph(EPITAPH_TRAP_OOB);                                        \
    __builtin_memcpy(&value, LINEAR(address, offset), sizeof value);                                               \
    return (result_type)(extended_type)value;                                                                      \
  }

#define DEFINE_STORE(name, memory_type, value_type)                                                                \
  static inline __attribute__((always_inline)) void name(u32 address, u32 offset, value_type value) {              \
    memory_type wrapped = (memory_type)value;                                                                      \
    if (UNLIKELY(address >= LINEAR_MEMORY_SIZE)) epitaph(EPITAPH_TRAP_OOB);                                        \
    __builtin_memcpy(LINEAR(address, offset), &wrapped, sizeof wrapped);                                           \
  }

DEFINE_LOAD(i32_load, u32, u32, u32)
DEFINE_LOAD(i64_load, u64, u64, u64)
DEFINE_LOAD(i32_load8_s, s8, s32, u32)
DEFINE_LOAD(i64_load8_s, s8, s64, u64)
DEFINE_LOAD(i32_load8_u, u8, u32, u32)
DEFINE_LOAD(i64_load8_u, u8, u64, u64)
DEFINE_LOAD(i32_load16_s, s16, s32, u32)
DEFINE_LOAD(i64_load16_s, s16, s64, u64)
DEFINE_LOAD(i32_load16_u, u16, u32, u32)
DEFINE_LOAD(i64_load16_u, u16, u64, u64)
DEFINE_LOAD(i64_load32_s, s32, s64, u64)
DEFINE_LOAD(i64_load32_u, u32, u64, u64)
DEFINE_STORE(i32_store, u32, u32)
DEFINE_STORE(i64_store, u64, u64)
DEFINE_STORE(i32_store8, u8, u32)
DEFINE_STORE(i32_store16, u16, u32)
DEFINE_STORE(i64_store8, u8, u64)
DEFINE_STORE(i64_store16, u16, u64)
DEFINE_STORE(i64_store32, u32, u64)

/* Ranges have no static part, so these checks are exact. */
void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);

static inline void rangeCheck(u64 start, u64 size) {
  if (UNLIKELY(start + size > LINEAR_MEMORY_SIZE)) epitaph(EPITAPH_TRAP_OOB);
}

#define memory_fill(memory, to, value, size) linearFill(to, value, size)
#define memory_copy(to_memory, from_memory, to, from, size) linearCopy(to, from, size)

static inline void linearFill(u32 to, u32 value, u32 size) {
  rangeCheck(to, size);
  memset(linear_memory + to, (int)value, size);
}

static inline void linearCopy(u32 to, u32 from, u32 size) {
  rangeCheck(to, size);
  rangeCheck(from, size);
  memmove(linear_memory + to, linear_memory + from, size);
}

/* What instantiation does. The memory itself is zero already: boot clears all of the SRAM that we use. */
#define wasm_rt_allocate_memory(memory, initial_pages, maximum_pages, is64, page_size)                             \
  _Static_assert((initial_pages) * (u64)(page_size) == LINEAR_MEMORY_SIZE, "the linear memory has a fixed size")
#define LOAD_DATA(memory, to, from, size)                                                                          \
  do {                                                                                                             \
    rangeCheck(to, size);                                                                                          \
    memcpy(linear_memory + (to), from, size);                                                                      \
  } while (0)

/* ---- arithmetic that C leaves undefined -------------------------------------------------------------------- */

#define I32_CLZ(x) ((x) ? __builtin_clz(x) : 32)
#define I64_CLZ(x) ((x) ? __builtin_clzll(x) : 64)
#define I32_CTZ(x) ((x) ? __builtin_ctz(x) : 32)
#define I64_CTZ(x) ((x) ? __builtin_ctzll(x) : 64)
#define I32_POPCNT(x) (__builtin_popcount(x))
#define I64_POPCNT(x) (__builtin_popcountll(x))
#define I32_ROTL(x, y) (((x) << ((y) & 31)) | ((x) >> ((0u - (y)) & 31)))
#define I32_ROTR(x, y) (((x) >> ((y) & 31)) | ((x) << ((0u - (y)) & 31)))
#define I64_ROTL(x, y) (((x) << ((y) & 63)) | ((x) >> ((0u - (y)) & 63)))
#define I64_ROTR(x, y) (((x) >> ((y) & 63)) | ((x) << ((0u - (y)) & 63)))

#define DIV_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) / (y)))
#define REM_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) % (y)))
#define DIV_S(unsigned_type, minimum, x, y)                                                                        \
  (UNLIKELY((y) == 0)                    ? TRAP(DIV_BY_ZERO)                                                       \
   : UNLIKELY((x) == minimum && (y) == -1) ? TRAP(INT_OVERFLOW)                                                    \
                                           : (unsigned_type)((x) / (y)))
#define REM_S(unsigned_type, minimum, x, y)                                                                        \
  (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : UNLIKELY((x) == minimum && (y) == -1) ? 0 : (unsigned_type)((x) % (y)))
#define I32_DIV_S(x, y) DIV_S(u32, INT32_MIN, (s32)(x), (s32)(y))
#define I64_DIV_S(x, y) DIV_S(u64, INT64_MIN, (s64)(x), (s64)(y))
#define I32_REM_S(x, y) REM_S(u32, INT32_MIN, (s32)(x), (s32)(y))
#define I64_REM_S(x, y) REM_S(u64, INT64_MIN, (s64)(x), (s64)(y))

#endif
