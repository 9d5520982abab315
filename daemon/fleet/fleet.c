/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/fleet.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/local/local.h"
#include "daemon/fleet/local/wall-clock.h"
#include "daemon/fleet/model/quarantine.h"
#include "daemon/fleet/model/viewers.h"
#include "daemon/fleet/model/wanted.h"
#include "daemon/fleet/model/warnings.h"
#include "daemon/fleet/server/server.h"
#include "proto/macros.h"

#define RETRY_MILLISECONDS 1000 /* after memory has run out */

/* An unchanged problem is logged again only after this time, because changes are tried again. */
#define REPEAT_MILLISECONDS 600000

/* A change in etcd that is not answered yet. */
typedef struct Pending {
	Fleet *fleet;
	char key[FLEET_KEY_SIZE];
	uint64_t request; /* of the socket; 0 for a change of the model */
	TAILQ_ENTRY(Pending) link;
} Pending;

struct Fleet {
	FleetSettings settings;
	char *host_name;
	FleetIndex index;
	Wanted wanted;
	Quarantines quarantines;
	Viewers viewers;
	Local *local;
	FleetServer *server;
	Etcd *etcd;
	const FleetEtcd *functions;
	bool is_leased;
	char *problem; /* logged last, or NULL */
	uint64_t problem_time;
	bool must_forget; /* a quarantine was changed here, so there may be too many */
	Warnings warnings;
	struct event *plan; /* runs the model, once for all changes in a turn of the loop */
	TAILQ_HEAD(, Pending) pending;
};

static void say(const Fleet *fleet, const char *message)
{
	if (fleet->settings.log)
		fleet->settings.log(fleet->settings.context, message);
}

static void on_warning(void *context, const char *message)
{
	say(context, message);
}

static void on_problem(void *context, const char *message)
{
	Fleet *fleet = context;
	uint64_t now = boot_clock();

	if (fleet->problem && strcmp(fleet->problem, message) == 0 &&
	    now - fleet->problem_time < REPEAT_MILLISECONDS)
		return;
	free(fleet->problem);
	fleet->problem = strdup(message);
	fleet->problem_time = now;
	say(fleet, message);
}

/* --- the model ------------------------------------------------------------------------------- */

static void plan_soon(Fleet *fleet)
{
	event_active(fleet->plan, EV_TIMEOUT, 0);
}

/* Sets the timer to the earlier one of two times that are not 0. */
static void plan_at(Fleet *fleet, uint64_t one, uint64_t other, uint64_t now)
{
	uint64_t due = one == 0 || (other > 0 && other < one) ? other : one;
	uint64_t wait = due > now ? due - now : 1;
	const struct timeval after = { (time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000) };

	evtimer_del(fleet->plan);
	if (due > 0)
		evtimer_add(fleet->plan, &after);
}

/* --- changes in etcd ------------------------------------------------------------------------- */

static void pending_free(Pending *pending)
{
	TAILQ_REMOVE(&pending->fleet->pending, pending, link);
	free(pending);
}

static Pending *pending_new(Fleet *fleet, const char *key, uint64_t request)
{
	Pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return NULL;
	pending->fleet = fleet;
	pending->request = request;
	snprintf(pending->key, sizeof(pending->key), "%s", key);
	TAILQ_INSERT_TAIL(&fleet->pending, pending, link);
	return pending;
}

/*
 * Logs that a change has failed although etcd is reached, for example because its database is full.
 * The other hosts cannot notice that. Not every such change was sent to etcd.
 */
static void tell_failed(Fleet *fleet, const char *why)
{
	char message[512];

	if (!fleet->index.is_reached || !fleet->functions->has_lease(fleet->etcd) || !why)
		return;
	snprintf(message, sizeof(message),
		 "a change of etcd has failed, so other hosts do not see what is new here (%s); if "
		 "etcd refuses it, see the log of etcd",
		 why);
	on_problem(fleet, message);
}

static void on_done(void *context, EtcdOutcome outcome, int64_t revision, const char *why)
{
	static const WantedOutcome outcomes[ETCD_OUTCOME_MAX] = {
		[ETCD_DONE] = WANTED_DONE,
		[ETCD_LOST] = WANTED_LOST,
		[ETCD_UNKNOWN] = WANTED_UNKNOWN,
		[ETCD_FAILED] = WANTED_FAILED,
	};
	Pending *pending = context;
	Fleet *fleet = pending->fleet;

	if (pending->request)
		fleet_server_changed(fleet->server, pending->request,
				     outcome == ETCD_DONE ? NULL
				     : why                ? why
							  : "it has failed");
	else
		wanted_answered(&fleet->wanted, pending->key, outcomes[outcome], revision,
				boot_clock());
	if (!pending->request && outcome == ETCD_FAILED)
		tell_failed(fleet, why);
	fleet->must_forget |= pending->request && outcome == ETCD_DONE;
	pending_free(pending);
	plan_soon(fleet);
}

/* Ends a change of the model that could not be begun. */
static void fail_change(Fleet *fleet, const char *key, Pending *pending)
{
	if (pending)
		pending_free(pending);
	wanted_answered(&fleet->wanted, key, WANTED_FAILED, 0, boot_clock());
}

static void on_put(void *context, const char *key, const char *value)
{
	Fleet *fleet = context;
	Pending *pending = pending_new(fleet, key, 0);

	if (!pending || !fleet->functions->put(fleet->etcd, key, value, true, on_done, pending))
		fail_change(fleet, key, pending);
}

static void on_remove(void *context, const char *key)
{
	Fleet *fleet = context;
	Pending *pending = pending_new(fleet, key, 0);

	if (!pending || !fleet->functions->remove(fleet->etcd, key, on_done, pending))
		fail_change(fleet, key, pending);
}

static void on_swap(void *context, const char *key, int64_t mod_revision, const char *value,
		    const WantedGuard *guard)
{
	Fleet *fleet = context;
	Pending *pending = pending_new(fleet, key, 0);
	EtcdGuard rests_on = { .leased = NULL };

	if (guard)
		rests_on = (EtcdGuard){ guard->own, guard->other, guard->other_revision };
	if (!pending || !fleet->functions->swap(fleet->etcd, key, mod_revision, value, &rests_on,
						on_done, pending))
		fail_change(fleet, key, pending);
}

/*
 * Deletes the oldest released quarantine if there are too many, once after each change of one by
 * this host. Compares its revision, because it may have been imposed again.
 */
static void forget_released(Fleet *fleet)
{
	const FleetEntry *entry;
	char key[FLEET_KEY_SIZE];

	if (!fleet->must_forget || !fleet->etcd || !fleet_index_is_current(&fleet->index))
		return;
	fleet->must_forget = false;
	entry = quarantine_to_forget(&fleet->index);
	if (entry)
		on_swap(fleet, fleet_key_format(&entry->key, key), entry->mod_revision, NULL, NULL);
}

static void on_plan(evutil_socket_t fd, short what, void *context)
{
	Fleet *fleet = context;
	const FleetFacts *facts = local_facts(fleet->local);
	uint64_t now = boot_clock();
	char date[DATE_SIZE];

	(void)fd;
	(void)what;
	date_for_people(0, date);
	/* The process may have been stopped for longer than the lease lasts. */
	fleet->wanted.is_leased =
		fleet->etcd && fleet->is_leased && fleet->functions->has_lease(fleet->etcd);
	bool has_memory = wanted_plan(&fleet->wanted, &fleet->index, facts, date, now);
	has_memory &= quarantines_plan(&fleet->quarantines, &fleet->index, facts, now);
	forget_released(fleet);
	warnings_tell(&fleet->warnings, &fleet->index, fleet->wanted.mended, on_warning, fleet);
	plan_at(fleet, has_memory ? fleet->wanted.due : now + RETRY_MILLISECONDS,
		fleet->quarantines.due, now);
}

/* --- what etcd shows ------------------------------------------------------------------------- */

static void on_snapshot(void *context, const EtcdEntry *entries, size_t count, int64_t revision)
{
	Fleet *fleet = context;
	uint64_t now = boot_clock();

	fleet_index_begin_snapshot(&fleet->index);
	for (size_t i = 0; i < count; i++)
		fleet_index_put(&fleet->index, entries[i].key, entries[i].value,
				entries[i].mod_revision, now);
	fleet_index_end_snapshot(&fleet->index, revision, now);
	wanted_noticed(&fleet->wanted, &fleet->index, NULL, now);
	plan_soon(fleet);
}

static void on_etcd_put(void *context, const EtcdEntry *entry)
{
	Fleet *fleet = context;
	uint64_t now = boot_clock();

	fleet_index_put(&fleet->index, entry->key, entry->value, entry->mod_revision, now);
	wanted_noticed(&fleet->wanted, &fleet->index, entry->key, now);
	plan_soon(fleet);
}

static void on_etcd_delete(void *context, const char *key, int64_t revision)
{
	Fleet *fleet = context;
	uint64_t now = boot_clock();
	FleetKey fleet_key;

	fleet_index_delete(&fleet->index, key, revision, now);
	if (fleet_key_parse(key, &fleet_key) && fleet_key.kind == FLEET_KEY_QUARANTINE)
		quarantines_deleted(&fleet->quarantines, &fleet_key.vm);
	wanted_noticed(&fleet->wanted, &fleet->index, key, now);
	plan_soon(fleet);
}

static void on_lease(void *context, bool is_held, const char *why)
{
	Fleet *fleet = context;

	(void)why;
	fleet->is_leased = is_held;
	wanted_lease(&fleet->wanted, is_held);
	plan_soon(fleet);
}

static void on_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	Fleet *fleet = context;

	fleet_index_reach(&fleet->index, is_reached, why, since > 0 ? (uint64_t)since : 0);
	plan_soon(fleet);
}

static void on_alarm(void *context, const char *alarm, int64_t since)
{
	Fleet *fleet = context;

	fleet_index_alarm(&fleet->index, alarm, since > 0 ? (uint64_t)since : 0);
}

/* Only a snapshot brings back what the index had to leave out. */
static bool may_resume(void *context)
{
	const Fleet *fleet = context;

	return fleet_index_is_whole(&fleet->index);
}

const EtcdHandlers fleet_etcd_handlers = {
	.on_snapshot = on_snapshot,
	.on_put = on_etcd_put,
	.on_delete = on_etcd_delete,
	.on_lease = on_lease,
	.on_reach = on_reach,
	.on_alarm = on_alarm,
	.may_resume = may_resume,
};

/* --- the local vaild and the socket ---------------------------------------------------------- */

static void on_facts(void *context)
{
	Fleet *fleet = context;

	viewers_note(&fleet->viewers, local_facts(fleet->local));
	plan_soon(fleet);
}

static bool on_is_viewer(void *context, const FleetCaller *caller, const Guid *guid,
			 const char *name)
{
	const Fleet *fleet = context;

	if (guid)
		return viewers_contain(&fleet->viewers, guid, caller->uid);
	return viewers_contain_name(&fleet->viewers, &fleet->index, name, caller->uid);
}

static void on_quarantine_answered(void *context, const Guid *guid, QuarantineOutcome outcome)
{
	Fleet *fleet = context;

	quarantines_answered(&fleet->quarantines, guid, outcome, boot_clock());
	plan_soon(fleet);
}

static void on_set_quarantine(void *context, const Guid *guid, const char *reason)
{
	Fleet *fleet = context;

	local_set_quarantine(fleet->local, guid, reason);
}

/*
 * Changes quarantine/GUID for a request of the socket. A released one keeps its key, so that hosts
 * that are down now find it later.
 */
static bool on_change(void *context, const FleetCaller *caller, const Guid *guid,
		      const char *reason, uint64_t request)
{
	Fleet *fleet = context;
	const FleetKey fleet_key = fleet_key_quarantine(guid);
	char key[FLEET_KEY_SIZE], who[FLEET_TEXT_MAX + 32], date[DATE_SIZE];

	snprintf(who, sizeof(who), "uid %u on %s", (unsigned int)caller->uid, fleet->host_name);
	const FleetValue value = {
		.kind = FLEET_KEY_QUARANTINE,
		.quarantine = { .reason = (char *)reason,
				.who = who,
				.date = date_for_people(0, date),
				.is_released = !reason },
	};
	_cleanup_free_ char *text = fleet_value_format(&value);
	Pending *pending = fleet->etcd && text
				   ? pending_new(fleet, fleet_key_format(&fleet_key, key), request)
				   : NULL;

	if (!pending)
		return false;
	bool has_begun =
		fleet->functions->put(fleet->etcd, pending->key, text, false, on_done, pending);
	if (!has_begun)
		pending_free(pending);
	return has_begun;
}

/* The keys of a full host, a claim for each, and the removal of as many old ones. */
_Static_assert(ETCD_CHANGES_MAX > 4 * FLEET_ENTRIES_PER_HOST_MAX,
	       "a full host can publish and remove all its keys at once");

_Static_assert((int)METRICS_PUT == (int)ETCD_PUT && (int)METRICS_DELETE == (int)ETCD_DELETE &&
		       (int)METRICS_SWAP == (int)ETCD_SWAP &&
		       (int)METRICS_CHANGE_MAX == (int)ETCD_CHANGE_KIND_MAX &&
		       (int)METRICS_DONE == (int)ETCD_DONE && (int)METRICS_LOST == (int)ETCD_LOST &&
		       (int)METRICS_UNKNOWN == (int)ETCD_UNKNOWN &&
		       (int)METRICS_FAILED == (int)ETCD_FAILED &&
		       (int)METRICS_OUTCOME_MAX == (int)ETCD_OUTCOME_MAX,
	       "changes are counted in the same order");

static void on_measure(void *context, FleetMetrics *ret)
{
	const Fleet *fleet = context;

	*ret = (FleetMetrics){ .has_vaild = local_facts(fleet->local)->is_known,
			       .mended = fleet->wanted.mended };
	if (!fleet->etcd)
		return;
	const EtcdStatistics *statistics = fleet->functions->statistics(fleet->etcd);
	ret->has_lease = fleet->functions->has_lease(fleet->etcd);
	ret->leases = statistics->leases;
	ret->leases_lost = statistics->lost;
	ret->keepalives = statistics->keepalives;
	ret->reached = statistics->reached;
	ret->breaks = statistics->breaks;
	ret->lists = statistics->lists;
	ret->events = statistics->events;
	memcpy(ret->changes, statistics->changes, sizeof(ret->changes));
}

/* --- the fleet ------------------------------------------------------------------------------- */

static void on_check(void *context)
{
	const Fleet *fleet = context;

	if (fleet->etcd)
		fleet->functions->check(fleet->etcd);
}

static FleetServer *make_server(Fleet *fleet, struct event_base *base, int *ret_error)
{
	const FleetServerSettings settings = {
		.path = fleet->settings.socket_path,
		.listening = fleet->settings.listening,
		.operators = fleet->settings.operators,
		.observers = fleet->settings.observers,
		.version = fleet->settings.version,
		.index = &fleet->index,
		.now = boot_clock,
		.change = on_change,
		.measure = on_measure,
		.is_viewer = on_is_viewer,
		.check = on_check,
		.context = fleet,
	};

	return fleet_server_new(base, &settings, ret_error);
}

Fleet *fleet_new(struct event_base *base, const FleetSettings *settings, int *ret_error)
{
	static const LocalHandlers handlers = { on_facts, on_quarantine_answered, on_problem };
	Fleet *fleet = calloc(1, sizeof(*fleet));
	const WantedActions actions = { fleet, on_put, on_remove, on_swap };

	*ret_error = -ENOMEM;
	if (!fleet)
		return NULL;
	fleet->settings = *settings;
	TAILQ_INIT(&fleet->pending);
	wanted_init(&fleet->wanted, &actions);
	fleet->wanted.patience = UINT64_C(1000) * settings->ttl;
	viewers_init(&fleet->viewers);
	quarantines_init(&fleet->quarantines, on_set_quarantine, fleet);
	fleet->host_name = fleet_text_copy(settings->host_name);
	fleet->plan = evtimer_new(base, on_plan, fleet);
	if (fleet_index_init(&fleet->index, &settings->self) && fleet->host_name && fleet->plan)
		fleet->local = local_new(base, settings->vaild_socket, settings->host_name,
					 &handlers, fleet);
	if (fleet->local)
		fleet->server = make_server(fleet, base, ret_error);
	if (fleet->server)
		return fleet;
	fleet_free(fleet);
	return NULL;
}

void fleet_set_etcd(Fleet *fleet, Etcd *etcd, const FleetEtcd *functions)
{
	fleet->etcd = etcd;
	fleet->functions = functions;
}

void fleet_free(Fleet *fleet)
{
	if (!fleet)
		return;
	fleet_server_free(fleet->server);
	local_free(fleet->local);
	while (!TAILQ_EMPTY(&fleet->pending))
		pending_free(TAILQ_FIRST(&fleet->pending));
	if (fleet->plan)
		event_free(fleet->plan);
	viewers_deinit(&fleet->viewers);
	quarantines_deinit(&fleet->quarantines);
	wanted_deinit(&fleet->wanted);
	fleet_index_deinit(&fleet->index);
	free(fleet->host_name);
	free(fleet->problem);
	free(fleet);
}
