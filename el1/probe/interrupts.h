// Interrupts and aborts of the probe guest: what has arrived, and how to cause some.

#ifndef PROBE_INTERRUPTS_H
#define PROBE_INTERRUPTS_H

#include <stdint.h>

#define SGI_PING 1 // answered by SGI_PONG to vCPU 0
#define SGI_PONG 2

extern volatile uint32_t pongs, timer_interrupts, events;

/** On the calling vCPU. */
void enable_interrupts(uint32_t vcpu);
void send_sgi(uint32_t vcpu, uint32_t sgi);
/** Sleeps until `*count` is more than `seen`. */
void wait_for_more(const volatile uint32_t *count, uint32_t seen);
/** Makes Xen's event bits visible, so that they can be cleared. */
void map_shared_info(void);
/** Reads; goes on behind the read when that is answered with a data abort. */
void touch_and_fault(const volatile uint64_t *address);
void check(const char *what, int64_t result);

#endif
