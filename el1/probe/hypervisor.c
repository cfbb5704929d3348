// The program of the probe guest for the hypervisor's own work: obeys letters from its console, some of them with a number and a blank.
//   x        exits that change no translation: a hypercall, an access of an emulated device, interrupts
//   y        switches between two vCPUs that share a core, by yielding and by IPIs
//   f        stage-2 faults, and changes of what the VM's own stage 2 maps
//   o DOMID  offers a page and an event channel; s COUNT answers events
//   c DOMID PORT  takes them; g grants, e event round trips, n packets
//   q        powers off

#include "console.h"
#include "interrupts.h"
#include "peers.h"
#include "xen.h"

#define CPU_ON 0xc4000003
#define GICD_TYPER 0x0004
#define SPARE_OFFSET (8 * MIB) // of our RAM, not used
#define YIELD_BATCHES 50
#define YIELD_BATCH_SWITCHES 50

enum job { JOB_NONE, JOB_ANSWER, JOB_YIELD };

static volatile enum job job;
static volatile uint32_t second_state; // 1 when vCPU 1 does its job, 0 when it sleeps
static volatile uint32_t last_vcpu;
static uint32_t yields;

extern char enter_second[];

static void yield(void)
{
	hypercall(SCHED_OP, SCHEDOP_YIELD, 0, 0);
}

void second_core(void)
{
	enable_interrupts(1);
	for (;;) {
		while (job == JOB_NONE)
			__asm__ volatile("wfi"); // woken by an SGI
		second_state = 1;
		while (job == JOB_ANSWER)
			__asm__ volatile("wfi");
		while (job == JOB_YIELD) {
			last_vcpu = 1;
			yield();
		}
		second_state = 0;
	}
}

static void ping(void)
{
	uint32_t seen = pongs;
	send_sgi(1, SGI_PING);
	wait_for_more(&pongs, seen);
}

static void ping_oneself(void)
{
	uint32_t seen = pongs;
	send_sgi(0, SGI_PONG);
	while (pongs == seen)
		;
}

static void begin(enum job its_job)
{
	static uint32_t is_on;
	job = its_job;
	if (is_on == 0) {
		register uint64_t x0 __asm__("x0") = CPU_ON;
		register uint64_t x1 __asm__("x1") = 1;
		register uint64_t x2 __asm__("x2") = (uint64_t)enter_second;
		register uint64_t x3 __asm__("x3") = 0;
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
		check("starting vCPU 1", (int64_t)x0);
		is_on = 1;
	} else {
		send_sgi(1, SGI_PING);
	}
	while (second_state == 0)
		yield();
}

static void end(void)
{
	job = JOB_NONE;
	send_sgi(1, SGI_PING); // it may sleep
	while (second_state == 1)
		yield();
}

static void fire_timer(void)
{
	uint32_t seen = timer_interrupts;
	__asm__ volatile("msr cntv_cval_el0, xzr\n msr cntv_ctl_el0, %0\n isb" ::"r"(1ul) : "memory");
	while (timer_interrupts == seen)
		;
}

static void measure_exits(void)
{
	MEASURE("HYPERCALL", 100, 100, hypercall(XEN_VERSION, 0, 0, 0));
	MEASURE("MMIO_READ", 100, 100, (void)*(volatile uint32_t *)(GICD_IPA + GICD_TYPER));
	MEASURE("TIMER_INTERRUPT", 100, 100, fire_timer());
	MEASURE("SGI_TO_ITSELF", 100, 100, ping_oneself());
	print("probe: measured exits\r\n");
}

// There and back: the hypervisor may also choose the one that yields, which counts as an attempt only.
static void switch_twice(void)
{
	last_vcpu = 0;
	while (last_vcpu == 0) {
		yield();
		yields++;
	}
}

static void measure_switches(void)
{
	begin(JOB_YIELD);
	yields = 0;
	MEASURE("YIELD_ROUND_TRIP", YIELD_BATCHES, YIELD_BATCH_SWITCHES, switch_twice());
	end();
	begin(JOB_ANSWER);
	MEASURE("IPI_ROUND_TRIP", YIELD_BATCHES, YIELD_BATCH_SWITCHES, ping());
	end();
	print("probe: measured switches, yields ");
	print_number(yields, 10);
	print("\r\n");
}

static void give_and_take_a_page(void)
{
	static uint64_t frame = (RAM_IPA + SPARE_OFFSET) / PAGE_SIZE;
	struct memory_reservation request = { &frame, 1, 0, 0, DOMID_SELF };
	check("giving a page back", hypercall(MEMORY_OP, XENMEM_DECREASE_RESERVATION, &request, 0) - 1);
	check("asking for a page", hypercall(MEMORY_OP, XENMEM_POPULATE_PHYSMAP, &request, 0) - 1);
}

static void measure_faults(void)
{
	MEASURE("STAGE2_FAULT", 100, 100, touch_and_fault((uint64_t *)NOWHERE_IPA));
	MEASURE("BALLOON", 100, 20, give_and_take_a_page());
	print("probe: measured faults\r\n");
}

static uint32_t obey(char letter)
{
	switch (letter) {
	case 'x':
		measure_exits();
		break;
	case 'y':
		measure_switches();
		break;
	case 'f':
		measure_faults();
		break;
	case 'o':
		offer(read_number());
		break;
	case 's':
		serve(read_number());
		break;
	case 'c': {
		uint32_t domid = read_number();
		connect_to(domid, read_number());
		break;
	}
	case 'g':
		measure_grants();
		break;
	case 'e':
		measure_round_trips();
		break;
	case 'n':
		measure_packets();
		break;
	case 'q':
		return 0;
	}
	return 1;
}

void probe(uint64_t birth_ticks)
{
	uint32_t ticks = (uint32_t)birth_ticks;
	enable_interrupts(0);
	map_shared_info();
	report("BIRTH", 1, &ticks, 1);
	print("probe: ready\r\n");
	while (obey(read_char()))
		;
}
