/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_FLEET_H
#define DAEMON_FLEET_FLEET_H

#include <sys/types.h>

#include "daemon/fleet/etcd/etcd.h"
#include "daemon/fleet/model/key.h"

/*
 * vaild-fleet without its command line: joins the local vaild, the client of etcd, the model and
 * the socket. Everything that happens on one of them changes the facts or the index, and then the
 * model plans what has to be done on the others.
 */

struct event_base;

typedef struct Fleet Fleet;

typedef struct FleetSettings {
	HostId self;              /* the machine ID */
	const char *host_name;    /* copied */
	const char *version;      /* of vaild-fleet; has to outlive the fleet */
	const char *vaild_socket; /* NULL for the usual one */
	const char *socket_path;  /* of io.vaild.Fleet */
	int listening;   /* its listening socket, which the fleet takes over; -1 for none */
	gid_t operators; /* (gid_t)-1 for no group */
	gid_t observers;
	unsigned int ttl; /* of the lease, in seconds: other hosts that are away keep VMs as long */

	/* Writes a sentence without a full stop to the log. */
	void (*log)(void *context, const char *message);
	void *context;
} FleetSettings;

/* The functions of etcd.h, which a test may replace. */
typedef struct FleetEtcd {
	__typeof__(etcd_put) *put;
	__typeof__(etcd_delete) *remove;
	__typeof__(etcd_swap) *swap;
	__typeof__(etcd_has_lease) *has_lease;
	__typeof__(etcd_statistics) *statistics;
	__typeof__(etcd_check) *check;
} FleetEtcd;

/* Returns NULL, with *ret_error a negative errno, if it cannot listen or out of memory. */
Fleet *fleet_new(struct event_base *base, const FleetSettings *settings, int *ret_error);

/* The handlers for etcd_new(), whose context is the fleet. */
extern const EtcdHandlers fleet_etcd_handlers;

/* Sets the client of etcd. Call before the loop runs. */
void fleet_set_etcd(Fleet *fleet, Etcd *etcd, const FleetEtcd *functions);

/* Free the client of etcd before, so that it calls nothing any more. Accepts NULL. */
void fleet_free(Fleet *fleet);

#endif
