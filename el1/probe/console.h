// A probe guest's console, its counter, and the lines that it prints.

#ifndef PROBE_CONSOLE_H
#define PROBE_CONSOLE_H

#include <stdint.h>

void print(const char *text);
void print_number(uint64_t value, uint32_t base);
char read_char(void);
/** What the probe does while it waits for a character: lets others run. */
void idle(void);
/** Digits up to the first other character, which is taken, too. */
uint32_t read_number(void);
__attribute__((noreturn)) void failed(uint64_t esr_el1, uint64_t elr_el1);

/** Ticks of batches of `calls` each, as a line that bench/samples.ts reads. */
void report(const char *name, uint32_t calls, const uint32_t *ticks, uint32_t batches);

static inline uint64_t now(void)
{
	uint64_t value;
	__asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(value)::"memory");
	return value;
}

/** Times `batches` batches of `calls` times `action`, after a few that may find things to set up. */
#define MEASURE(name, batches, calls, action)                       \
	do {                                                        \
		static uint32_t ticks[batches];                     \
		for (uint32_t call = 0; call < 10; call++)          \
			action;                                     \
		for (uint32_t batch = 0; batch < (batches); batch++) { \
			uint64_t start = now();                     \
			for (uint32_t call = 0; call < (calls); call++) \
				action;                             \
			ticks[batch] = (uint32_t)(now() - start);   \
		}                                                   \
		report(name, calls, ticks, batches);                \
	} while (0)

#endif
