/* SPDX-License-Identifier: MIT */
/*
 * lone-fleet SOCKET [--operators GID] [--observers GID]: vaild-fleet of host "here" with an etcd in
 * its own memory, so that a test plays the other hosts. VAILD_SOCKET is the vaild. Obeys the lines
 * on stdin:
 *
 *   put KEY VALUE    somebody puts a key
 *   delete KEY       somebody deletes a key
 *   lease yes|no     the lease is there, or is lost with its keys
 *   reach yes|no     etcd is there, or is away
 *
 * Prints each change of a key by the fleet: "put KEY VALUE", "delete KEY".
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/fleet.h"
#include "daemon/fleet/local/wall-clock.h"
#include "tests/support/helper.h"

#define KEYS_MAX 8192

typedef struct Key {
	char *name;
	char *value;
	int64_t revision;
	bool is_leased;
} Key;

/* The type that etcd.h leaves open. */
struct Etcd {
	struct event_base *base;
	Fleet *fleet;
	Key keys[KEYS_MAX];
	size_t count;
	int64_t revision;
	bool is_leased;
	bool is_reached;
	EtcdStatistics statistics; /* of leases, puts and swaps; a swap that is won is a put, too */
};

/* The answer to a change, which arrives in a later turn of the loop. */
typedef struct Answer {
	EtcdDone *done;
	void *context;
	EtcdOutcome outcome;
	int64_t revision;
} Answer;

static void on_answer(evutil_socket_t fd, short what, void *context)
{
	Answer *answer = context;

	(void)fd;
	(void)what;
	answer->done(answer->context, answer->outcome, answer->revision,
		     answer->outcome == ETCD_DONE ? NULL : "the played etcd refuses it");
	free(answer);
}

static void answer_later(Etcd *etcd, EtcdOutcome outcome, EtcdDone *done, void *context)
{
	static const struct timeval now = { 0 };
	Answer *answer = calloc(1, sizeof(*answer));

	*answer = (Answer){ done, context, outcome, outcome == ETCD_DONE ? etcd->revision : 0 };
	event_base_once(etcd->base, -1, EV_TIMEOUT, on_answer, answer, &now);
}

static Key *find(Etcd *etcd, const char *name)
{
	for (size_t i = 0; i < etcd->count; i++)
		if (strcmp(etcd->keys[i].name, name) == 0)
			return &etcd->keys[i];
	return NULL;
}

static void put(Etcd *etcd, const char *name, const char *value, bool is_leased)
{
	Key *key = find(etcd, name);

	if (!key) {
		if (etcd->count == KEYS_MAX)
			exit(1);
		key = &etcd->keys[etcd->count++];
		*key = (Key){ .name = strdup(name) };
	}
	free(key->value);
	key->value = strdup(value);
	key->revision = ++etcd->revision;
	key->is_leased = is_leased;
	const EtcdEntry entry = { key->name, key->value, key->revision, is_leased };
	if (etcd->is_reached)
		fleet_etcd_handlers.on_put(etcd->fleet, &entry);
}

static void delete_key(Etcd *etcd, const char *name)
{
	Key *key = find(etcd, name);

	if (!key)
		return;
	char *freed = key->name;
	free(key->value);
	*key = etcd->keys[--etcd->count];
	etcd->revision++;
	if (etcd->is_reached)
		fleet_etcd_handlers.on_delete(etcd->fleet, freed, etcd->revision);
	free(freed);
}

/* --- what the fleet asks for ----------------------------------------------------------------- */

static bool on_put(Etcd *etcd, const char *key, const char *value, bool is_leased, EtcdDone *done,
		   void *context)
{
	bool is_possible = etcd->is_reached && (!is_leased || etcd->is_leased);

	if (is_possible) {
		printf("put %s %s\n", key, value);
		put(etcd, key, value, is_leased);
	}
	etcd->statistics.changes[ETCD_PUT][is_possible ? ETCD_DONE : ETCD_FAILED]++;
	answer_later(etcd, is_possible ? ETCD_DONE : ETCD_FAILED, done, context);
	return true;
}

static bool on_delete(Etcd *etcd, const char *key, EtcdDone *done, void *context)
{
	if (etcd->is_reached) {
		printf("delete %s\n", key);
		delete_key(etcd, key);
	}
	answer_later(etcd, etcd->is_reached ? ETCD_DONE : ETCD_FAILED, done, context);
	return true;
}

static bool has_revision(Etcd *etcd, const char *name, int64_t revision)
{
	const Key *key = find(etcd, name);

	return (key ? key->revision : 0) == revision;
}

static bool is_leased(Etcd *etcd, const char *name)
{
	const Key *key = find(etcd, name);

	return key && key->is_leased;
}

static bool on_swap(Etcd *etcd, const char *name, int64_t mod_revision, const char *value,
		    const EtcdGuard *guard, EtcdDone *done, void *context)
{
	bool is_won = has_revision(etcd, name, mod_revision) &&
		      (!guard->leased || is_leased(etcd, guard->leased)) &&
		      (!guard->other || has_revision(etcd, guard->other, guard->other_revision));

	etcd->statistics.changes[ETCD_SWAP][is_won ? ETCD_DONE : ETCD_LOST]++;
	if (is_won)
		return value ? on_put(etcd, name, value, false, done, context)
			     : on_delete(etcd, name, done, context);
	answer_later(etcd, ETCD_LOST, done, context);
	return true;
}

static bool has_lease(const Etcd *etcd)
{
	return etcd->is_leased;
}

static const EtcdStatistics *statistics(const Etcd *etcd)
{
	return &etcd->statistics;
}

static void check(Etcd *etcd)
{
	(void)etcd;
}

/* --- commands -------------------------------------------------------------------------------- */

static void set_lease(Etcd *etcd, bool is_held)
{
	etcd->is_leased = is_held;
	etcd->statistics.leases += is_held;
	etcd->statistics.lost += !is_held;
	for (size_t i = etcd->count; i > 0 && !is_held; i--)
		if (etcd->keys[i - 1].is_leased)
			delete_key(etcd, etcd->keys[i - 1].name);
	fleet_etcd_handlers.on_lease(etcd->fleet, is_held,
				     is_held ? NULL : "the test has taken it");
}

static void set_reach(Etcd *etcd, bool is_reached)
{
	EtcdEntry entries[KEYS_MAX];

	for (size_t i = 0; i < etcd->count; i++)
		entries[i] = (EtcdEntry){ etcd->keys[i].name, etcd->keys[i].value,
					  etcd->keys[i].revision, etcd->keys[i].is_leased };
	etcd->is_reached = is_reached;
	if (is_reached)
		fleet_etcd_handlers.on_snapshot(etcd->fleet, entries, etcd->count, etcd->revision);
	fleet_etcd_handlers.on_reach(etcd->fleet, is_reached,
				     is_reached ? NULL : "the test has cut the way to etcd",
				     (int64_t)boot_clock());
}

static void obey(Etcd *etcd, char *line)
{
	char *rest = NULL;
	const char *verb = strtok_r(line, " \n", &rest), *word = strtok_r(NULL, " \n", &rest);

	if (!verb || !word)
		return;
	if (strcmp(verb, "put") == 0)
		put(etcd, word, strtok_r(NULL, "\n", &rest), true);
	else if (strcmp(verb, "delete") == 0)
		delete_key(etcd, word);
	else if (strcmp(verb, "lease") == 0)
		set_lease(etcd, strcmp(word, "yes") == 0);
	else if (strcmp(verb, "reach") == 0)
		set_reach(etcd, strcmp(word, "yes") == 0);
}

static void on_line(evutil_socket_t fd, short what, void *context)
{
	Etcd *etcd = context;
	char line[4096];

	(void)fd;
	(void)what;
	if (fgets(line, sizeof(line), stdin))
		obey(etcd, line);
	else
		event_base_loopbreak(etcd->base);
}

static void on_log(void *context, const char *message)
{
	(void)context;
	fprintf(stderr, "lone-fleet: %s\n", message);
}

int main(int argc, char **argv)
{
	static const FleetEtcd functions = { on_put,    on_delete,  on_swap,
					     has_lease, statistics, check };
	FleetSettings settings = { .host_name = "here",
				   .version = "test",
				   .listening = -1,
				   .operators = (gid_t)-1,
				   .observers = (gid_t)-1,
				   .log = on_log };
	Etcd etcd = { .revision = 1 };
	int error;

	if (argc < 2 || !host_id_parse("11111111111111111111111111111111", &settings.self))
		return 2;
	settings.socket_path = argv[1];
	for (int i = 2; i + 1 < argc; i += 2)
		*(strcmp(argv[i], "--operators") == 0 ? &settings.operators : &settings.observers) =
			(gid_t)strtoul(argv[i + 1], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* the loop has to see the rest of the input */
	etcd.base = event_base_new();
	etcd.fleet = fleet_new(etcd.base, &settings, &error);
	if (!etcd.fleet) {
		fprintf(stderr, "lone-fleet: %s\n", strerror(-error));
		return 1;
	}
	fleet_set_etcd(etcd.fleet, &etcd, &functions);
	struct event *line = event_new(etcd.base, 0, EV_READ | EV_PERSIST, on_line, &etcd);
	event_add(line, NULL);
	event_base_dispatch(etcd.base);
	event_free(line);
	fleet_free(etcd.fleet);
	event_base_free(etcd.base);
	return 0;
}
