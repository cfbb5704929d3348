// What the probe uses of Xen's public interface (xen/include/public: xen.h, arch-arm.h, sched.h, memory.h, event_channel.h, grant_table.h)
// and of the virtual GIC that Xen gives a guest.

#ifndef PROBE_XEN_H
#define PROBE_XEN_H

#include <stdint.h>

#define PAGE_SIZE 4096
#define MIB 0x100000

// Guest physical layout: arch-arm.h, GUEST_*.
#define GICD_IPA 0x03001000
#define GICR_IPA 0x03020000
#define GICR_STRIDE 0x20000
#define GRANT_TABLE_IPA 0x38000000
#define RAM_IPA 0x40000000
// Not in the RAM of a guest as small as ours.
#define SHARED_INFO_IPA 0x60000000
#define GRANT_MAP_IPA 0x60200000
#define NOWHERE_IPA 0x60400000

#define MEMORY_OP 12
#define XEN_VERSION 17
#define GRANT_TABLE_OP 20
#define SCHED_OP 29
#define EVENT_CHANNEL_OP 32

#define SCHEDOP_YIELD 0
#define XENMEM_DECREASE_RESERVATION 1
#define XENMEM_POPULATE_PHYSMAP 6
#define XENMEM_ADD_TO_PHYSMAP 7
#define XENMAPSPACE_SHARED_INFO 0
#define XENMAPSPACE_GRANT_TABLE 1
#define EVTCHNOP_BIND_INTERDOMAIN 0
#define EVTCHNOP_SEND 4
#define EVTCHNOP_ALLOC_UNBOUND 6
#define GNTTABOP_MAP_GRANT_REF 0
#define GNTTABOP_UNMAP_GRANT_REF 1
#define GNTTABOP_COPY 5
#define GNTMAP_HOST_MAP (1 << 1)
#define GNTCOPY_SOURCE_GREF (1 << 0)
#define GTF_PERMIT_ACCESS 1
#define DOMID_SELF 0x7ff0

struct add_to_physmap {
	uint16_t domid, size;
	uint32_t space;
	uint64_t index, frame;
};

struct memory_reservation {
	uint64_t *frames;
	uint64_t count;
	uint32_t order, flags;
	uint16_t domid;
};

struct alloc_unbound {
	uint16_t domid, remote_domid;
	uint32_t port;
};

struct bind_interdomain {
	uint16_t remote_domid;
	uint32_t remote_port, port;
};

struct grant_entry {
	uint16_t flags, domid;
	uint32_t frame;
};

struct map_grant {
	uint64_t host_address;
	uint32_t flags, reference;
	uint16_t domid;
	int16_t status;
	uint32_t handle;
	uint64_t device_address;
};

struct unmap_grant {
	uint64_t host_address, device_address;
	uint32_t handle;
	int16_t status;
};

struct copy_end {
	union {
		uint32_t reference;
		uint64_t frame;
	};
	uint16_t domid, offset;
};

struct copy_grant {
	struct copy_end source, destination;
	uint16_t length, flags;
	int16_t status;
};

// The part of shared_info before the array of masks, of which a new domain has none set.
struct shared_info {
	uint8_t upcall_pending;
	uint64_t pending_selector;
	uint64_t time[4];
	uint64_t pending[64];
};

static inline int64_t hypercall(uint64_t number, uint64_t a, const volatile void *b, uint64_t c)
{
	register uint64_t x16 __asm__("x16") = number;
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = (uint64_t)b;
	register uint64_t x2 __asm__("x2") = c;
	__asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x16)::"memory");
	return (int64_t)x0;
}

#endif
