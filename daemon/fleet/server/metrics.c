/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/server/metrics.h"

#include <inttypes.h>

#include "daemon/fleet/model/freshness.h"
#include "daemon/fleet/model/size.h"
#include "proto/macros.h"
#include "proto/open-metrics.h"

static void put_gauge(OpenMetrics *text, const char *name, const char *unit, uint64_t value,
		      const char *help)
{
	open_metrics_family(text, name, "gauge", unit, help);
	open_metrics_put(text, "vaild_fleet_%s %" PRIu64 "\n", name, value);
}

static void put_counter(OpenMetrics *text, const char *name, uint64_t value, const char *help)
{
	open_metrics_family(text, name, "counter", NULL, help);
	open_metrics_put(text, "vaild_fleet_%s_total %" PRIu64 "\n", name, value);
}

/* --- what is known --------------------------------------------------------------------------- */

static void put_state(OpenMetrics *text, const FleetIndex *index, uint64_t now)
{
	FleetFreshness freshness;

	fleet_index_freshness(index, now, &freshness);
	put_gauge(text, "etcd_reached", NULL, index->is_reached, "1 if etcd is reached, else 0.");
	put_gauge(text, "etcd_alarm", NULL, index->has_alarm,
		  "1 if etcd takes no changes because of an alarm, else 0.");
	put_gauge(text, "current", NULL, freshness.is_current,
		  "1 if all that is known is of now, else 0.");
	if (!freshness.has_age)
		return;
	open_metrics_family(text, "age_seconds", "gauge", "seconds",
			    "Time since what is shown was right; 0 if it is.");
	open_metrics_put(text, "vaild_fleet_age_seconds %" PRIu64 ".%03" PRIu64 "\n",
			 freshness.age / 1000, freshness.age % 1000);
}

/* Counts the quarantines that are not lifted. */
static size_t count_quarantines(const FleetIndex *index)
{
	const FleetEntry *entry = fleet_index_first(index, FLEET_KEY_QUARANTINE);
	size_t count = 0;

	for (; entry; entry = fleet_index_next(entry))
		count += !entry->value.quarantine.is_released;
	return count;
}

static void put_index(OpenMetrics *text, const FleetIndex *index)
{
	put_gauge(text, "hosts", NULL, index->counts[FLEET_KEY_HOST],
		  "Hosts that are there, with this one.");
	put_gauge(text, "virtual_machines", NULL, index->counts[FLEET_KEY_VM],
		  "VMs on hosts that are there; one that several hosts have counts for each.");
	put_gauge(text, "claims", NULL, index->counts[FLEET_KEY_WHERE],
		  "VMs that a host has claimed, also one that has gone.");
	put_gauge(text, "adapters", NULL, index->counts[FLEET_KEY_GPU],
		  "GPU adapters of hosts that are there.");
	put_gauge(text, "quarantines", NULL, count_quarantines(index), "Quarantines of the fleet.");
	put_gauge(text, "index_bytes", "bytes", fleet_index_size(index),
		  "Memory of what is known of etcd.");
	put_counter(text, "ignored_keys", index->ignored,
		    "Keys in etcd that were ignored, because they are malformed or too many.");
}

/* --- what was done --------------------------------------------------------------------------- */

static void put_changes(OpenMetrics *text, const FleetMetrics *metrics)
{
	static const char *const changes[] = {
		[METRICS_PUT] = "put", [METRICS_DELETE] = "delete", [METRICS_SWAP] = "swap"
	};
	static const char *const outcomes[] = { [METRICS_DONE] = "done",
						[METRICS_LOST] = "lost",
						[METRICS_UNKNOWN] = "unknown",
						[METRICS_FAILED] = "failed" };

	_Static_assert(ARRAY_SIZE(changes) == METRICS_CHANGE_MAX, "each change has a name");
	_Static_assert(ARRAY_SIZE(outcomes) == METRICS_OUTCOME_MAX, "each outcome has a name");
	open_metrics_family(text, "changes", "counter", NULL,
			    "Changes of keys in etcd, by kind and outcome; a swap claims a VM.");
	for (MetricsChange change = 0; change < METRICS_CHANGE_MAX; change++)
		for (MetricsOutcome outcome = 0; outcome < METRICS_OUTCOME_MAX; outcome++)
			open_metrics_put(
				text,
				"vaild_fleet_changes_total{change=\"%s\",outcome=\"%s\"} %" PRIu64
				"\n",
				changes[change], outcomes[outcome],
				metrics->changes[change][outcome]);
}

static void put_work(OpenMetrics *text, const FleetMetrics *metrics)
{
	put_gauge(text, "vaild_present", NULL, metrics->has_vaild,
		  "1 if the vaild of this host is there, else 0.");
	put_gauge(text, "lease_held", NULL, metrics->has_lease,
		  "1 if this host has a lease, so that others see it, else 0.");
	put_counter(text, "leases", metrics->leases, "Leases that etcd has granted.");
	put_counter(text, "lost_leases", metrics->leases_lost, "Leases that were lost.");
	put_counter(text, "keepalives", metrics->keepalives, "Keepalives that etcd has answered.");
	put_counter(text, "connects", metrics->reached, "Times that etcd was reached.");
	put_counter(text, "breaks", metrics->breaks, "Times that etcd was reached no more.");
	put_counter(text, "lists", metrics->lists, "Lists of all keys that were read.");
	put_counter(text, "events", metrics->events, "Changes of keys that the watch has shown.");
	put_changes(text, metrics);
	put_counter(text, "mended_keys", metrics->mended,
		    "Changes of keys of this host by others, which it has undone.");
}

bool fleet_metrics_write(Buffer *out, const FleetIndex *index, const FleetMetrics *metrics,
			 const char *version, uint64_t now)
{
	OpenMetrics text = { .out = out, .prefix = "vaild_fleet" };

	open_metrics_family(&text, "build_info", "gauge", NULL,
			    "Version of the running vaild-fleet.");
	open_metrics_put(&text, "vaild_fleet_build_info{version=\"%s\"} 1\n", version);
	put_state(&text, index, now);
	put_index(&text, index);
	put_work(&text, metrics);
	return open_metrics_end(&text);
}
