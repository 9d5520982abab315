/* SPDX-License-Identifier: MIT */
#include "tests/bench/fleet/simulation.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/measure.h"

#define TICK_MICROSECONDS 5000 /* between looks at a condition */
#define ALL_VMS           ((UINT32_C(1) << PLAYED_VMS) - 1)

static const char where_folder[] = "where/", vm_folder[] = "vms/";

/* --- what a host sees ------------------------------------------------------------------------ */

/* Tests whether a key is one that the host looks after. */
static bool is_own(const SimulatedHost *host, const char *key)
{
	size_t folder = strlen(where_folder);

	if (strncmp(key, where_folder, folder) == 0)
		return strncmp(key + folder, host->vms, strlen(host->vms)) == 0;
	return strstr(key, host->id) != NULL;
}

/* Notes that an own key is there, or is not. */
static void note_own(SimulatedHost *host, const char *key, bool is_there)
{
	FleetKey fleet_key;
	uint32_t *bits = NULL;
	const char *guid = NULL;

	if (!fleet_key_parse(key, &fleet_key))
		return;
	if (fleet_key.kind == FLEET_KEY_HOST)
		host->has_host = is_there;
	if (fleet_key.kind == FLEET_KEY_GPU)
		host->has_gpu = is_there;
	if (fleet_key.kind == FLEET_KEY_VM)
		bits = &host->has_vms, guid = key + strlen(vm_folder);
	if (fleet_key.kind == FLEET_KEY_WHERE)
		bits = &host->has_wheres, guid = key + strlen(where_folder);
	if (!bits)
		return;
	uint32_t bit = UINT32_C(1) << (strtoul(guid + strlen(host->vms), NULL, 16) - 1);
	*bits = is_there ? *bits | bit : *bits & ~bit;
}

static void note_change(SimulatedHost *host, const EtcdEntry *entry)
{
	Change *change = &host->simulation->change;

	if (change->latencies && change->seen < host->simulation->expected &&
	    strcmp(entry->key, change->key) == 0 && strstr(entry->value, change->mark))
		change->latencies[change->seen++] = (double)(bench_now() - change->began_at) / 1e6;
}

static void on_snapshot(void *context, const EtcdEntry *entries, size_t count, int64_t revision)
{
	SimulatedHost *host = context;
	EtcdEntry own[4 * PLAYED_VMS];
	size_t own_count = 0;

	host->has_host = host->has_gpu = false;
	host->has_vms = host->has_wheres = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_own(host, entries[i].key) || own_count == 4 * PLAYED_VMS)
			continue;
		own[own_count++] = entries[i];
		note_own(host, entries[i].key, true);
	}
	host->revision = revision;
	host->simulation->lists++;
	host->simulation->listed += count;
	fleet_etcd_handlers.on_snapshot(host->fleet, own, own_count, revision);
}

static void on_put(void *context, const EtcdEntry *entry)
{
	SimulatedHost *host = context;

	host->revision = entry->mod_revision;
	host->simulation->events++;
	note_change(host, entry);
	if (!is_own(host, entry->key))
		return;
	note_own(host, entry->key, true);
	fleet_etcd_handlers.on_put(host->fleet, entry);
}

static void on_delete(void *context, const char *key, int64_t revision)
{
	SimulatedHost *host = context;

	host->revision = revision;
	host->simulation->events++;
	if (!is_own(host, key))
		return;
	note_own(host, key, false);
	fleet_etcd_handlers.on_delete(host->fleet, key, revision);
}

static void on_lease(void *context, bool is_held, const char *why)
{
	SimulatedHost *host = context;

	host->simulation->lost += !is_held;
	fleet_etcd_handlers.on_lease(host->fleet, is_held, why);
}

static void on_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	SimulatedHost *host = context;

	host->simulation->breaks += host->is_reached && !is_reached;
	host->is_reached = is_reached;
	fleet_etcd_handlers.on_reach(host->fleet, is_reached, why, since);
}

/* --- hosts ----------------------------------------------------------------------------------- */

static void start_fleet(SimulatedHost *host)
{
	char name[32], number[16], path[256];
	FleetSettings settings = { .host_name = name,
				   .version = "0.1.0",
				   .vaild_socket = number,
				   .socket_path = path,
				   .listening = -1,
				   .operators = (gid_t)-1,
				   .observers = (gid_t)-1,
				   .ttl = 15 };
	int error = 0;

	snprintf(name, sizeof(name), "host-%u", host->number);
	snprintf(number, sizeof(number), "%u", host->number);
	snprintf(path, sizeof(path), "%s/fleet-%u.sock", host->simulation->folder, host->number);
	if (!host_id_parse(host->id, &settings.self))
		bench_fail("%s is no machine ID", host->id);
	host->fleet = fleet_new(host->simulation->base, &settings, &error);
	if (!host->fleet)
		bench_fail("host %u: %s", host->number, strerror(-error));
}

static void on_start(evutil_socket_t fd, short what, void *context)
{
	static const EtcdHandlers handlers = { .on_snapshot = on_snapshot,
					       .on_put = on_put,
					       .on_delete = on_delete,
					       .on_lease = on_lease,
					       .on_reach = on_reach };
	static const FleetEtcd functions = { etcd_put,       etcd_delete,     etcd_swap,
					     etcd_has_lease, etcd_statistics, etcd_check };
	SimulatedHost *host = context;
	const EtcdSettings settings = { .endpoints = &host->simulation->url,
					.endpoint_count = 1,
					.prefix = SIMULATION_PREFIX,
					.ttl = 15 };

	(void)fd;
	(void)what;
	start_fleet(host);
	host->etcd = etcd_new(host->simulation->base, &settings, &handlers, host);
	if (!host->etcd)
		bench_fail("host %u: the client of etcd cannot start", host->number);
	fleet_set_etcd(host->fleet, host->etcd, &functions);
}

void simulation_start(Simulation *simulation, unsigned int number, unsigned int milliseconds)
{
	const struct timeval after = { milliseconds / 1000, milliseconds % 1000 * 1000 };
	SimulatedHost *host = &simulation->hosts[number];

	host->start = evtimer_new(simulation->base, on_start, host);
	evtimer_add(host->start, &after);
	simulation->expected++;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	const Simulation *simulation = context;

	(void)fd;
	(void)what;
	event_base_loopbreak(simulation->base);
}

void simulation_init(Simulation *simulation, const char *url, const char *folder, size_t count)
{
	static const struct timeval tick = { 0, TICK_MICROSECONDS };

	*simulation = (Simulation){ .base = event_base_new(),
				    .url = url,
				    .folder = folder,
				    .hosts = calloc(count, sizeof(SimulatedHost)),
				    .count = count };
	for (unsigned int i = 0; i < count; i++) {
		SimulatedHost *host = &simulation->hosts[i];

		host->simulation = simulation;
		host->number = i;
		snprintf(host->id, sizeof(host->id), PLAYED_HOST_FORMAT, i + 1);
		snprintf(host->vms, sizeof(host->vms), PLAYED_VMS_FORMAT, i + 1);
	}
	simulation->tick = event_new(simulation->base, -1, EV_PERSIST, on_tick, simulation);
	event_add(simulation->tick, &tick);
}

void simulation_end(Simulation *simulation)
{
	for (size_t i = 0; i < simulation->count; i++) {
		SimulatedHost *host = &simulation->hosts[i];

		etcd_free(host->etcd);
		fleet_free(host->fleet);
		if (host->start)
			event_free(host->start);
	}
	free(simulation->hosts);
	event_free(simulation->tick);
	event_base_free(simulation->base);
}

/* --- running --------------------------------------------------------------------------------- */

double simulation_run(Simulation *simulation, bool (*condition)(const Simulation *), double seconds)
{
	uint64_t begin = bench_now();
	double took;

	do {
		event_base_loop(simulation->base, 0);
		took = (double)(bench_now() - begin) / 1e9;
		if (condition(simulation))
			return took;
	} while (took < seconds);
	return -took;
}

bool simulation_is_complete(const Simulation *simulation)
{
	size_t complete = 0;

	for (size_t i = 0; i < simulation->count; i++) {
		const SimulatedHost *host = &simulation->hosts[i];

		complete += host->is_reached && host->has_host && host->has_gpu &&
			    host->has_vms == ALL_VMS && host->has_wheres == ALL_VMS;
	}
	return complete == simulation->expected;
}

bool simulation_is_current(const Simulation *simulation)
{
	int64_t newest = 0;

	if (!simulation_is_complete(simulation))
		return false;
	for (size_t i = 0; i < simulation->count; i++)
		if (simulation->hosts[i].revision > newest)
			newest = simulation->hosts[i].revision;
	for (size_t i = 0; i < simulation->count; i++)
		if (simulation->hosts[i].etcd && simulation->hosts[i].revision < newest)
			return false;
	return true;
}

bool simulation_has_seen(const Simulation *simulation)
{
	return simulation->change.seen >= simulation->expected;
}

bool simulation_never(const Simulation *simulation)
{
	(void)simulation;
	return false;
}

void simulation_change(Simulation *simulation, unsigned int host, unsigned int vm, uint64_t mark,
		       double *latencies)
{
	Change *change = &simulation->change;

	snprintf(change->key, sizeof(change->key), "vms/" PLAYED_VM_FORMAT "/" PLAYED_HOST_FORMAT,
		 host + 1, vm + 1, host + 1);
	snprintf(change->mark, sizeof(change->mark), "\"registrations\":%llu",
		 (unsigned long long)mark);
	change->latencies = latencies;
	change->seen = 0;
	change->began_at = bench_now();
	played_local_register(host, vm, mark);
}
