// Interrupts of the probe guest. Each has the shortest handler that lets the next one come.

#include "interrupts.h"
#include "console.h"
#include "xen.h"

#define PPI_TIMER 27
#define PPI_EVENT 31
#define GICD_CTLR 0x0000
#define GICD_CTLR_ENABLE_G1A (1 << 1)
#define GICR_WAKER 0x0014
#define GICR_ISENABLER0 0x10100
#define IDLE_TICKS 312500 // 5 ms

volatile uint32_t pongs, timer_interrupts, events;
static volatile struct shared_info *const shared_info = (struct shared_info *)SHARED_INFO_IPA;

static void write32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

void enable_interrupts(uint32_t vcpu)
{
	uint64_t redistributor = GICR_IPA + (uint64_t)vcpu * GICR_STRIDE;
	__asm__ volatile("msr s3_0_c12_c12_5, %0\n isb" ::"r"(7ul)); // ICC_SRE_EL1
	write32(GICD_IPA + GICD_CTLR, GICD_CTLR_ENABLE_G1A);
	write32(redistributor + GICR_WAKER, 0);
	write32(redistributor + GICR_ISENABLER0, 1u << SGI_PING | 1u << SGI_PONG | 1u << PPI_TIMER | 1u << PPI_EVENT);
	__asm__ volatile("msr s3_0_c4_c6_0, %0" ::"r"(0xfful)); // ICC_PMR_EL1
	__asm__ volatile("msr s3_0_c12_c12_7, %0" ::"r"(1ul)); // ICC_IGRPEN1_EL1
	__asm__ volatile("isb\n msr daifclr, #2");
}

void send_sgi(uint32_t vcpu, uint32_t sgi)
{
	uint64_t value = (uint64_t)sgi << 24 | 1ul << vcpu;
	__asm__ volatile("dsb sy\n msr s3_0_c12_c11_5, %0\n isb" ::"r"(value) : "memory"); // ICC_SGI1R_EL1
}

void wait_for_more(const volatile uint32_t *count, uint32_t seen)
{
	__asm__ volatile("msr daifset, #2" ::: "memory"); // else one that came just before the WFI would be slept through
	while (*count == seen)
		__asm__ volatile("wfi\n msr daifclr, #2\n isb\n msr daifset, #2" ::: "memory");
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}

void idle(void)
{
	uint32_t seen = timer_interrupts;
	__asm__ volatile("msr cntv_cval_el0, %0\n msr cntv_ctl_el0, %1\n isb" ::"r"(now() + IDLE_TICKS), "r"(1ul));
	wait_for_more(&timer_interrupts, seen);
}

void check(const char *what, int64_t result)
{
	if (result == 0)
		return;
	print("probe: ");
	print(what);
	print(" failed with ");
	print_number((uint64_t)(result < 0 ? -result : result), 10);
	print("\r\n");
	for (;;)
		__asm__ volatile("wfi");
}

void map_shared_info(void)
{
	struct add_to_physmap request = { DOMID_SELF, 0, XENMAPSPACE_SHARED_INFO, 0, SHARED_INFO_IPA / PAGE_SIZE };
	check("mapping shared_info", hypercall(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &request, 0));
}

static void take_event(void)
{
	shared_info->upcall_pending = 0;
	shared_info->pending_selector = 0;
	shared_info->pending[0] = 0; // the few ports that we have
	events++;
}

/** From the vector. */
void interrupt(void)
{
	uint64_t intid;
	__asm__ volatile("mrs %0, s3_0_c12_c12_0" : "=r"(intid)::"memory"); // ICC_IAR1_EL1
	switch (intid) {
	case SGI_PING:
		send_sgi(0, SGI_PONG);
		break;
	case SGI_PONG:
		pongs++;
		break;
	case PPI_TIMER:
		__asm__ volatile("msr cntv_ctl_el0, xzr");
		timer_interrupts++;
		break;
	case PPI_EVENT:
		take_event();
		break;
	}
	__asm__ volatile("msr s3_0_c12_c12_1, %0" ::"r"(intid)); // ICC_EOIR1_EL1
}
