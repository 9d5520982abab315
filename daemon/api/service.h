/* SPDX-License-Identifier: MIT */
#ifndef API_SERVICE_H
#define API_SERVICE_H

#include "broker.h"
#include "json.h"
#include "statistics.h"
#include "store.h"

/* What the configuration decides for requests: a snapshot, swapped whole at reload. */
typedef struct Settings {
	bool allow_user_machines;
	bool require_sealed_memory;
	bool has_operator_group;
	gid_t operator_group;
	Limits limits;
	SoftwareAdapterSettings software_adapter;
} Settings;

typedef struct Stream Stream;
typedef struct Session Session;

/* All that requests are served with. One for the daemon; owned by whoever wires it. */
typedef struct Service {
	Broker *broker;
	const Host *host;
	Store store;
	JsonParser *parser;
	Settings settings;
	Statistics statistics;
	TAILQ_HEAD(, Stream) watches;

	/* A watch has something to tell: the session is to be pumped, at the end of the turn. */
	void (*watch_ready)(Session *session);
} Service;

#define SERVICE_VENDOR  "The vaild authors"
#define SERVICE_PRODUCT "vaild"
#define SERVICE_URL     "https://varlink.org/"

/* Whether the caller is an operator under these settings: uid 0 in the initial user namespace, or a
 * member of the operators' group there. */
static inline bool settings_make_operator(const Settings *settings, const Caller *caller)
{
	if (!caller->in_initial_user_namespace)
		return false;
	return caller->credentials.uid == 0 ||
	       (settings->has_operator_group &&
		groups_contain(&caller->credentials.groups, settings->operator_group));
}

#endif
