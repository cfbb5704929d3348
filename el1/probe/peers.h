// Two probe guests: one offers a page and an event channel, the other takes them.

#ifndef PROBE_PEERS_H
#define PROBE_PEERS_H

#include <stdint.h>

/** Grants our page to a domain and opens a port for it. */
void offer(uint32_t domid);
/** Answers as many events. */
void serve(uint32_t count);
/** Binds to the port of a domain that has offered. */
void connect_to(uint32_t domid, uint32_t port);
void measure_grants(void);
void measure_round_trips(void);
void measure_packets(void);

#endif
