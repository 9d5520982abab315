/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SERVICE_H
#define DAEMON_API_SERVICE_H

#include "daemon/api/statistics.h"
#include "daemon/core/broker.h"
#include "daemon/store/store.h"
#include "proto/json.h"

/* A snapshot of the configuration, replaced as a whole at reload. */
typedef struct Settings {
	bool allow_user_machines;
	bool require_sealed_memory;
	bool operators_only; /* refuse all others, because there is no configuration */
	bool has_operator_group;
	gid_t operator_group;
	char operator_group_name[LIMIT_USER_NAME_LENGTH + 1]; /* empty if there is none */
	Limits limits;
	SoftwareAdapterSettings software_adapter;
} Settings;

typedef struct Stream Stream;
typedef struct Session Session;

/* Everything that requests need. The daemon has one, owned by its server. */
typedef struct Service {
	Broker *broker;
	const Host *host;
	Store store;
	JsonParser *parser;
	Settings settings;
	Statistics statistics;

	LIST_HEAD(, Stream) display_streams; /* of ServeDisplays */

	/* All watches, and an index of them (watch-index.h). */
	TAILQ_HEAD(, Stream) watches;
	LIST_HEAD(, Stream) operator_watches;
	RB_HEAD(WatchProcessTree, Stream) watches_by_process; /* those of all others */
	RB_HEAD(WatchUidTree, Stream) watches_by_uid;         /* the same */
	size_t user_watch_count;                              /* number of those */
	uint64_t last_watch;                                  /* number of the newest watch */
	uint64_t watch_visits;                                /* number of visits to the index */

	uint64_t turn_ends; /* on the host's clock: when sessions pause; 0 if turns do not end */

	/* Called when a watch has an event. The session has to be pumped at the end of the turn. */
	void (*watch_ready)(Session *session);
} Service;

#define SERVICE_VENDOR  "The vaild authors"
#define SERVICE_PRODUCT "vaild"
#define SERVICE_URL     "https://varlink.org/"

/*
 * Tests whether the caller is an operator: uid 0 or a member of the operator group, and in the
 * initial user namespace.
 */
static inline bool settings_make_operator(const Settings *settings, const Caller *caller)
{
	if (!caller->in_initial_user_namespace)
		return false;
	return caller->credentials.uid == 0 ||
	       (settings->has_operator_group &&
		groups_contain(&caller->credentials.groups, settings->operator_group));
}

#endif
