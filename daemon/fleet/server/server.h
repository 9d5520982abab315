/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SERVER_SERVER_H
#define DAEMON_FLEET_SERVER_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/fleet/server/answer.h"

/*
 * The Unix socket of io.vaild.Fleet. The kernel says who a peer is: its uid and groups when it
 * connected (SO_PEERCRED, SO_PEERGROUPS), and for each message that the peer itself has sent it
 * (SCM_CREDENTIALS).
 */

struct event_base;

#define FLEET_CONNECTIONS_MAX         256
#define FLEET_CONNECTIONS_RESERVED    16 /* of those, for root */
#define FLEET_CONNECTIONS_PER_UID_MAX 32 /* of other uids than 0 */
#define FLEET_STRANGERS_MAX           64 /* of all users who are neither operators nor observers */
#define FLEET_STRANGERS_PER_UID_MAX   4

/* Milliseconds for the whole of a message that has begun, and for the reading of its answer. */
#define FLEET_PATIENCE 10000

typedef struct FleetServer FleetServer;

typedef struct FleetServerSettings {
	const char *path;        /* of the socket to make; unused with a listening one */
	int listening;           /* a listening socket that the server takes over; -1 for none */
	gid_t operators;         /* (gid_t)-1 for no group; 0 and 65534 count as none, too */
	gid_t observers;         /* the same */
	const char *version;     /* of vaild-fleet */
	const FleetIndex *index; /* has to outlive the server */
	uint64_t (*now)(void);   /* milliseconds on CLOCK_BOOTTIME */
	FleetChange *change;     /* the request is answered with fleet_server_changed() */
	FleetMeasure *measure;
	FleetIsViewer *is_viewer;
	void (*check)(void *context); /* makes the index old if it is; called before each answer */
	void *context;
} FleetServerSettings;

/* Returns NULL, with *ret_error a negative errno, if it cannot listen. */
FleetServer *fleet_server_new(struct event_base *base, const FleetServerSettings *settings,
			      int *ret_error);

/* Closes all connections. Removes the socket if the server has made it. Accepts NULL. */
void fleet_server_free(FleetServer *server);

/*
 * Answers a change of a quarantine. request: as given to the change. why: NULL if it is done. Does
 * nothing if the caller has gone.
 */
void fleet_server_changed(FleetServer *server, uint64_t request, const char *why);

#endif
