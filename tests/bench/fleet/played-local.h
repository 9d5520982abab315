/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_FLEET_PLAYED_LOCAL_H
#define TESTS_BENCH_FLEET_PLAYED_LOCAL_H

#include <stdint.h>

#include "daemon/fleet/model/facts.h"

/*
 * Played vailds: local_new() and its siblings of daemon/fleet/local, with made-up facts. The socket
 * of a vaild is the number of its host, in decimal. Each host has PLAYED_VMS running VMs, which
 * share one adapter.
 */

#define PLAYED_VMS 20

/* Numbers in names of hosts and VMs begin with 1, because a machine ID is never all zero. */
#define PLAYED_HOST_FORMAT "be0c0000000000000000000000%06x"
#define PLAYED_VMS_FORMAT  "be0c0000-0000-4000-8000-%06x" /* the beginning of all of a host */
#define PLAYED_VM_FORMAT   PLAYED_VMS_FORMAT "%06x"

/* Returns the facts about a played host; the caller owns what they own. */
FleetFacts played_facts(unsigned int host);

/* Changes the number of processes that are registered for a VM of the host. */
void played_local_register(unsigned int host, unsigned int vm, uint64_t registrations);

#endif
