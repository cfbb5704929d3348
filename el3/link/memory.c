/*
 * The four functions that clang calls on its own. no_builtin: it must not turn their loops into calls of themselves.
 */
#include "wasm-rt.h"

#define OURS __attribute__((no_builtin("memset", "memcpy", "memmove", "memcmp"), used))

OURS void *memset(void *to, int value, size_t size) {
  u8 *bytes = to;
  u64 pattern = 0x0101010101010101ull * (u8)value;
  for (; size >= 8; size -= 8, bytes += 8) __builtin_memcpy(bytes, &pattern, 8);
  for (; size > 0; size--) *bytes++ = (u8)value;
  return to;
}

OURS void *memcpy(void *to, const void *from, size_t size) {
  u8 *target = to;
  const u8 *source = from;
  u64 word;
  for (; size >= 8; size -= 8, target += 8, source += 8) {
    __builtin_memcpy(&word, source, 8);
    __builtin_memcpy(target, &word, 8);
  }
  for (; size > 0; size--) *target++ = *source++;
  return to;
}

OURS void *memmove(void *to, const void *from, size_t size) {
  u8 *target = to;
  const u8 *source = from;
  if (target <= source || target >= source + size) return memcpy(to, from, size);
  while (size > 0) {
    size--;
    target[size] = source[size];
  }
  return to;
}

OURS int memcmp(const void *left, const void *right, size_t size) {
  const u8 *a = left;
  const u8 *b = right;
  for (; size > 0; size--, a++, b++) {
    if (*a != *b) return *a < *b ? -1 : 1;
  }
  return 0;
}
