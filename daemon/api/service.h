/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SERVICE_H
#define DAEMON_API_SERVICE_H

#include "daemon/api/statistics.h"
#include "daemon/core/broker.h"
#include "daemon/store/store.h"
#include "proto/json.h"

/* A group that the configuration names. */
typedef struct ConfiguredGroup {
	bool exists; /* false if none is named, or if it has been removed */
	gid_t gid;
	char name[LIMIT_USER_NAME_LENGTH + 1]; /* empty if it does not exist */
} ConfiguredGroup;

/* A snapshot of the configuration, replaced as a whole at reload. */
typedef struct Settings {
	bool allow_user_machines;
	bool require_sealed_memory;
	bool operators_only; /* refuse all others, because there is no configuration */
	ConfiguredGroup operators;
	ConfiguredGroup observers;
	ConfiguredGroup quarantiners;
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
	LIST_HEAD(, Stream) full_watches;                     /* of callers that see everything */
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

static inline bool group_has_member(const ConfiguredGroup *group, const Caller *caller)
{
	return group->exists && groups_contain(&caller->credentials.groups, group->gid);
}

/*
 * Gives the caller the rights that the settings give it. It is an operator if it is uid 0 or a
 * member of the operators' group. Outside the initial user namespace it gets no right, because root
 * of a namespace below chooses its groups itself.
 */
static inline void settings_grant(const Settings *settings, Caller *caller)
{
	const bool is_inside = caller->in_initial_user_namespace;

	caller->is_operator = is_inside && (caller->credentials.uid == 0 ||
					    group_has_member(&settings->operators, caller));
	caller->is_observer = is_inside && group_has_member(&settings->observers, caller);
	caller->may_quarantine = is_inside && group_has_member(&settings->quarantiners, caller);
}

#endif
