// Work of two probe guests with each other: grants, events, and both together as a network would use them.

#include "peers.h"
#include "console.h"
#include "interrupts.h"
#include "xen.h"

#define GRANT_REFERENCE 8 // the first that is not reserved
#define PACKET_SIZE 1536 // an Ethernet frame, in whole words
#define BURST_PACKETS 8
#define EVENT_BATCHES 40
#define EVENT_BATCH_CALLS 25

static uint64_t page[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static uint32_t peer, port;
static uint64_t sum;

static uint64_t frame_of(const void *address)
{
	return (uint64_t)address / PAGE_SIZE;
}

void offer(uint32_t domid)
{
	struct add_to_physmap request = { DOMID_SELF, 0, XENMAPSPACE_GRANT_TABLE, 0, GRANT_TABLE_IPA / PAGE_SIZE };
	check("mapping the grant table", hypercall(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &request, 0));
	volatile struct grant_entry *entry = (struct grant_entry *)GRANT_TABLE_IPA + GRANT_REFERENCE;
	entry->domid = (uint16_t)domid;
	entry->frame = (uint32_t)frame_of(page);
	__asm__ volatile("dsb sy" ::: "memory");
	entry->flags = GTF_PERMIT_ACCESS;

	struct alloc_unbound unbound = { DOMID_SELF, (uint16_t)domid, 0 };
	check("opening an event channel", hypercall(EVENT_CHANNEL_OP, EVTCHNOP_ALLOC_UNBOUND, &unbound, 0));
	port = unbound.port;
	print("probe: offered port ");
	print_number(port, 10);
	print("\r\n");
}

void connect_to(uint32_t domid, uint32_t remote_port)
{
	struct bind_interdomain binding = { (uint16_t)domid, remote_port, 0 };
	check("binding an event channel", hypercall(EVENT_CHANNEL_OP, EVTCHNOP_BIND_INTERDOMAIN, &binding, 0));
	peer = domid;
	port = binding.port;
	print("probe: connected\r\n");
}

static void send_event(void)
{
	check("sending an event", hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, &port, 0));
}

void serve(uint32_t count)
{
	print("probe: serving\r\n");
	uint32_t seen = 0; // what came before, on binding, is served as well
	for (; count > 0; count--) {
		wait_for_more(&events, seen);
		seen++;
		send_event();
	}
	events = 0;
	print("probe: served\r\n");
}

static void map_and_unmap(void)
{
	struct map_grant map = { GRANT_MAP_IPA, GNTMAP_HOST_MAP, GRANT_REFERENCE, (uint16_t)peer, 0, 0, 0 };
	check("mapping a grant", hypercall(GRANT_TABLE_OP, GNTTABOP_MAP_GRANT_REF, &map, 1));
	check("mapping a grant", map.status);
	sum += *(volatile uint64_t *)GRANT_MAP_IPA;
	struct unmap_grant unmap = { GRANT_MAP_IPA, 0, map.handle, 0 };
	check("unmapping a grant", hypercall(GRANT_TABLE_OP, GNTTABOP_UNMAP_GRANT_REF, &unmap, 1));
	check("unmapping a grant", unmap.status);
}

static void copy_packet(void)
{
	struct copy_grant copy = { { { GRANT_REFERENCE }, (uint16_t)peer, 0 },
				   { { 0 }, DOMID_SELF, 0 },
				   PACKET_SIZE,
				   GNTCOPY_SOURCE_GREF,
				   0 };
	copy.destination.frame = frame_of(page);
	check("copying from a grant", hypercall(GRANT_TABLE_OP, GNTTABOP_COPY, &copy, 1));
	check("copying from a grant", copy.status);
}

void measure_grants(void)
{
	MEASURE("GRANT_MAP_UNMAP", 100, 20, map_and_unmap());
	MEASURE("GRANT_COPY", 100, 20, copy_packet());
	print("probe: measured grants\r\n");
}

static void round_trip(void)
{
	uint32_t seen = events;
	send_event();
	wait_for_more(&events, seen);
}

/** A burst of packets: each is copied from the peer and read; then the peer is told, and its answer awaited. */
static void burst(void)
{
	for (uint32_t packet = 0; packet < BURST_PACKETS; packet++) {
		copy_packet();
		for (uint32_t at = 0; at < PACKET_SIZE / 8; at++)
			sum += ((volatile uint64_t *)page)[at];
	}
	round_trip();
}

void measure_round_trips(void)
{
	MEASURE("EVENT_ROUND_TRIP", EVENT_BATCHES, EVENT_BATCH_CALLS, round_trip());
	print("probe: measured round trips\r\n");
}

void measure_packets(void)
{
	MEASURE("NETWORK_LIKE", EVENT_BATCHES, EVENT_BATCH_CALLS, burst());
	print("probe: measured packets\r\n");
}
