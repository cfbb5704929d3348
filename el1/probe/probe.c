// The probe guest's program: obeys letters from its console.
//   m  times batches of calls and prints every batch's ticks
//   p  makes PROFILE_CALLS calls of CALLS_UID, for a log of the host's that is on meanwhile
//   q  powers off
// The console is the hypervisor's emulated SBSA UART.

#include <stdint.h>

#define UART_PA 0x22000000
#define UART_DATA 0x00
#define UART_FLAGS 0x18
#define UART_FLAGS_RXFE (1 << 4)
#define UART_FLAGS_TXFF (1 << 5)

#define BATCH_COUNT 100
#define BATCH_CALLS 100
#define PROFILE_CALLS 40
#define CALLS_UID 0xbf00ff01

uint64_t measure_smc(uint32_t function, uint32_t count);
uint64_t measure_hvc(uint32_t function, uint32_t count);
extern uint64_t last_answer;

struct call {
	const char *name;
	uint32_t function;
	uint64_t (*measure)(uint32_t function, uint32_t count);
};

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

static void print(const char *text)
{
	for (; *text != 0; text++)
		print_char(*text);
}

static void print_number(uint64_t value, uint32_t base)
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

static char read_char(void)
{
	while (read_uart(UART_FLAGS) & UART_FLAGS_RXFE)
		__asm__ volatile("wfe");
	return (char)read_uart(UART_DATA);
}

static void measure(const struct call *call)
{
	static uint32_t ticks[BATCH_COUNT];
	call->measure(call->function, 10); // the first ones may find things to set up
	for (uint32_t batch = 0; batch < BATCH_COUNT; batch++)
		ticks[batch] = (uint32_t)call->measure(call->function, BATCH_CALLS);
	print("probe: call ");
	print(call->name);
	print(" function 0x");
	print_number(call->function, 16);
	print(" answer 0x");
	print_number(last_answer, 16);
	print(" calls ");
	print_number(BATCH_CALLS, 10);
	print(" ticks");
	for (uint32_t batch = 0; batch < BATCH_COUNT; batch++) {
		print_char(' ');
		print_number(ticks[batch], 10);
	}
	print("\r\n");
}

static void measure_all(void)
{
	const struct call calls[] = {
		{ "PSCI_VERSION", 0x84000000, measure_smc },
		{ "PSCI_VERSION_BY_HVC", 0x84000000, measure_hvc },
		{ "SMCCC_VERSION", 0x80000000, measure_smc },
		{ "CALLS_COUNT", 0xbf00ff00, measure_smc },
		{ "CALLS_UID", CALLS_UID, measure_smc },
		{ "GET_OS_UUID", 0xb2000000, measure_smc },
		{ "GET_OS_REVISION", 0xb2000001, measure_smc },
		{ "GET_THREAD_COUNT", 0xb200000f, measure_smc },
		{ "RESUME_FREE_THREAD", 0x32000003, measure_smc },
	};
	for (uint32_t index = 0; index < sizeof calls / sizeof calls[0]; index++)
		measure(&calls[index]);
	print("probe: measured\r\n");
}

// clang may make calls of it even here.
void *memcpy(void *to, const void *from, unsigned long size)
{
	for (unsigned long at = 0; at < size; at++)
		((volatile char *)to)[at] = ((const char *)from)[at];
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

void probe(void)
{
	uint64_t frequency;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	print("probe: ready, counter at ");
	print_number(frequency, 10);
	print(" Hz\r\n");
	for (;;) {
		switch (read_char()) {
		case 'm':
			measure_all();
			break;
		case 'p':
			measure_smc(CALLS_UID, PROFILE_CALLS);
			print("probe: profiled\r\n");
			break;
		case 'q':
			return;
		}
	}
}
