/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_LOCAL_LOCAL_H
#define DAEMON_FLEET_LOCAL_LOCAL_H

#include "daemon/fleet/model/facts.h"
#include "daemon/fleet/model/quarantine.h"

/*
 * The vaild of this host, as its observer sees it: a watch tells when something changes, and the
 * lists are read again then. If vaild is away, the facts stay as they were, without is_known, and
 * everything goes on when it is back.
 */

struct event_base;

typedef struct Local Local;

typedef struct LocalHandlers {
	/* The facts have changed. */
	void (*on_facts)(void *context);
	/* vaild has answered SetQuarantine, or was lost. */
	void (*on_quarantine)(void *context, const Guid *guid, QuarantineOutcome outcome);
	/* A sentence without a full stop, when vaild goes away or refuses something. */
	void (*on_problem)(void *context, const char *message);
} LocalHandlers;

/*
 * Begins to connect. socket: of vaild; NULL for the usual one. host_name: of this host; copied. The
 * base and the context have to outlive it. Returns NULL if out of memory.
 */
Local *local_new(struct event_base *base, const char *socket, const char *host_name,
		 const LocalHandlers *handlers, void *context);

/* Drops changes in progress without calling on_quarantine. Accepts NULL. */
void local_free(Local *local);

/* The facts are valid until the next one of the handlers. */
const FleetFacts *local_facts(const Local *local);

/*
 * Imposes a quarantine, or lifts it if reason is NULL. Answered by on_quarantine: later, or at once
 * if vaild cannot be called.
 */
void local_set_quarantine(Local *local, const Guid *guid, const char *reason);

#endif
