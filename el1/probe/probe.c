// The probe guest's program: obeys letters from its console.
//   m  times batches of calls and prints every batch's ticks
//   p  makes PROFILE_CALLS calls of CALLS_UID, for a log of the host's that is on meanwhile
//   q  powers off

#include "console.h"

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
		print(" ");
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

void idle(void)
{
	__asm__ volatile("wfe");
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
