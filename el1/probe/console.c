// A probe guest's console: the hypervisor's emulated SBSA UART.

#include "console.h"

#define UART_PA 0x22000000
#define UART_DATA 0x00
#define UART_FLAGS 0x18
#define UART_FLAGS_RXFE (1 << 4)
#define UART_FLAGS_TXFF (1 << 5)

static uint32_t read_uart(uint32_t offset)
{
	return *(volatile uint32_t *)(uintptr_t)(UART_PA + offset);
}

static void print_char(char c)
{
	while (read_uart(UART_FLAGS) & UART_FLAGS_TXFF)
		__asm__ volatile("wfe"); // the hypervisor lets others run
	*(volatile uint32_t *)(uintptr_t)(UART_PA + UART_DATA) = (uint8_t)c;
}

void print(const char *text)
{
	for (; *text != 0; text++)
		print_char(*text);
}

void print_number(uint64_t value, uint32_t base)
{
	char digits[24];
	uint32_t length = 0;
	do {
		digits[length++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (length > 0)
		print_char(digits[--length]);
}

char read_char(void)
{
	while (read_uart(UART_FLAGS) & UART_FLAGS_RXFE)
		idle();
	return (char)read_uart(UART_DATA);
}

uint32_t read_number(void)
{
	uint32_t value = 0;
	for (;;) {
		char c = read_char();
		if (c < '0' || c > '9')
			return value;
		value = value * 10 + (uint32_t)(c - '0');
	}
}

void report(const char *name, uint32_t calls, const uint32_t *ticks, uint32_t batches)
{
	print("probe: call ");
	print(name);
	print(" calls ");
	print_number(calls, 10);
	print(" ticks");
	for (uint32_t batch = 0; batch < batches; batch++) {
		print(" ");
		print_number(ticks[batch], 10);
	}
	print("\r\n");
}

// clang may make calls of these even here.
void *memcpy(void *to, const void *from, unsigned long size)
{
	for (unsigned long at = 0; at < size; at++)
		((volatile char *)to)[at] = ((const char *)from)[at];
	return to;
}

void *memset(void *to, int value, unsigned long size)
{
	for (unsigned long at = 0; at < size; at++)
		((volatile char *)to)[at] = (char)value;
	return to;
}

__attribute__((noreturn)) void failed(uint64_t esr_el1, uint64_t elr_el1)
{
	print("probe: exception, ESR_EL1 0x");
	print_number(esr_el1, 16);
	print(" ELR_EL1 0x");
	print_number(elr_el1, 16);
	print("\r\n");
	for (;;)
		__asm__ volatile("wfi");
}
