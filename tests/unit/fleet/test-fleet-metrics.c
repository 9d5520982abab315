/* SPDX-License-Identifier: MIT */
/* The metrics of vaild-fleet: their text, and the age and size of the index. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/model/size.h"
#include "daemon/fleet/server/metrics.h"
#include "proto/macros.h"

#define HOST_1 "01000000000000000000000000000000"
#define HOST_2 "02000000000000000000000000000000"
#define VM_1   "01000000-0000-0000-0000-000000000000"
#define VM_2   "02000000-0000-0000-0000-000000000000"

static FleetIndex index_of;
static FleetMetrics metrics;
static Buffer out;

static void begin(void)
{
	HostId self;

	cr_assert(host_id_parse(HOST_1, &self));
	cr_assert(fleet_index_init(&index_of, &self));
	metrics = (FleetMetrics){ .has_vaild = false };
	out = BUFFER_INIT;
}

static void end(void)
{
	fleet_index_deinit(&index_of);
	buffer_deinit(&out);
}

TestSuite(fleet_metrics, .init = begin, .fini = end);

/* Writes the metrics at the time. */
static const char *text_at(uint64_t now)
{
	buffer_truncate(&out, 0);
	cr_assert(fleet_metrics_write(&out, &index_of, &metrics, "1.2", now));
	return buffer_head(&out);
}

static void expect_line(const char *line, uint64_t now)
{
	char between[256];

	snprintf(between, sizeof(between), "\n%s\n", line);
	cr_assert(strstr(text_at(now), between), "%s is missing in:\n%s", line, buffer_head(&out));
}

static void put(const char *key, const char *value)
{
	fleet_index_put(&index_of, key, value, 1 + index_of.revision, 1);
}

Test(fleet_metrics, before_etcd_was_reached)
{
	expect_line("vaild_fleet_build_info{version=\"1.2\"} 1", 5000);
	expect_line("vaild_fleet_etcd_reached 0", 5000);
	expect_line("vaild_fleet_current 0", 5000);
	expect_line("vaild_fleet_hosts 0", 5000);
	expect_line("vaild_fleet_lease_held 0", 5000);
	cr_assert_null(strstr(text_at(5000), "age_seconds"), "there is no age");
}

Test(fleet_metrics, the_age_grows_while_etcd_is_away)
{
	put("hosts/" HOST_1, "{}");
	fleet_index_reach(&index_of, true, NULL, 1000);
	expect_line("vaild_fleet_etcd_reached 1", 5000);
	expect_line("vaild_fleet_current 1", 5000);
	expect_line("vaild_fleet_age_seconds 0.000", 5000);
	fleet_index_reach(&index_of, false, "no answer", 3500);
	expect_line("vaild_fleet_etcd_reached 0", 5000);
	expect_line("vaild_fleet_age_seconds 1.500", 5000);
	expect_line("vaild_fleet_age_seconds 60.000", 63500);
	/* A clock that is read before the break. */
	expect_line("vaild_fleet_age_seconds 0.000", 3000);
}

Test(fleet_metrics, an_incomplete_index_is_not_current)
{
	fleet_index_reach(&index_of, true, NULL, 1000);
	index_of.is_incomplete = true;
	expect_line("vaild_fleet_etcd_reached 1", 5000);
	expect_line("vaild_fleet_current 0", 5000);
}

Test(fleet_metrics, an_alarm_makes_the_state_old)
{
	put("hosts/" HOST_1, "{}");
	fleet_index_reach(&index_of, true, NULL, 1000);
	expect_line("vaild_fleet_etcd_alarm 0", 5000);
	fleet_index_alarm(&index_of, "NOSPACE", 3500);
	expect_line("vaild_fleet_etcd_reached 1", 5000);
	expect_line("vaild_fleet_etcd_alarm 1", 5000);
	expect_line("vaild_fleet_current 0", 5000);
	expect_line("vaild_fleet_age_seconds 1.500", 5000);
	fleet_index_alarm(&index_of, "NOSPACE", 0);
	cr_assert_null(strstr(text_at(5000), "age_seconds"), "nobody knows when it began");
}

Test(fleet_metrics, what_is_known_is_counted)
{
	put("hosts/" HOST_1, "{}");
	put("hosts/" HOST_2, "{}");
	put("vms/" VM_1 "/" HOST_1, "{}");
	put("vms/" VM_1 "/" HOST_2, "{}");
	put("vms/" VM_2 "/" HOST_2, "{}");
	put("where/" VM_1, "{\"host\":\"" HOST_1 "\"}");
	put("gpus/" HOST_1 "/software", "{}");
	put("quarantine/" VM_1, "{\"reason\":\"x\"}");
	put("quarantine/" VM_2, "{\"released\":true}");
	put("strange", "{}");
	put("hosts/" HOST_1 "/", "{}");
	expect_line("vaild_fleet_hosts 2", 1);
	expect_line("vaild_fleet_virtual_machines 3", 1);
	expect_line("vaild_fleet_claims 1", 1);
	expect_line("vaild_fleet_adapters 1", 1);
	expect_line("vaild_fleet_quarantines 1", 1);
	expect_line("vaild_fleet_ignored_keys_total 2", 1);
}

Test(fleet_metrics, what_was_done_is_counted)
{
	metrics = (FleetMetrics){ .has_vaild = true,
				  .has_lease = true,
				  .leases = 3,
				  .leases_lost = 2,
				  .keepalives = 700,
				  .reached = 5,
				  .breaks = 4,
				  .lists = 6,
				  .events = 800,
				  .mended = 9 };
	metrics.changes[METRICS_PUT][METRICS_DONE] = 11;
	metrics.changes[METRICS_DELETE][METRICS_FAILED] = 12;
	metrics.changes[METRICS_SWAP][METRICS_DONE] = 13;
	metrics.changes[METRICS_SWAP][METRICS_LOST] = 14;
	metrics.changes[METRICS_PUT][METRICS_UNKNOWN] = 15;
	static const char *const lines[] = {
		"vaild_fleet_vaild_present 1",
		"vaild_fleet_lease_held 1",
		"vaild_fleet_leases_total 3",
		"vaild_fleet_lost_leases_total 2",
		"vaild_fleet_keepalives_total 700",
		"vaild_fleet_connects_total 5",
		"vaild_fleet_breaks_total 4",
		"vaild_fleet_lists_total 6",
		"vaild_fleet_events_total 800",
		"vaild_fleet_mended_keys_total 9",
		"vaild_fleet_changes_total{change=\"put\",outcome=\"done\"} 11",
		"vaild_fleet_changes_total{change=\"delete\",outcome=\"failed\"} 12",
		"vaild_fleet_changes_total{change=\"swap\",outcome=\"done\"} 13",
		"vaild_fleet_changes_total{change=\"swap\",outcome=\"lost\"} 14",
		"vaild_fleet_changes_total{change=\"put\",outcome=\"unknown\"} 15",
		"vaild_fleet_changes_total{change=\"put\",outcome=\"lost\"} 0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expect_line(lines[i], 1);
}

/* Each family has a type, a help and samples, in this order, and the text ends with EOF. */
Test(fleet_metrics, the_form_of_the_text)
{
	_cleanup_free_ char *text = NULL;
	char family[128] = "";
	size_t families = 0;

	fleet_index_reach(&index_of, true, NULL, 1);
	text = strdup(text_at(1));
	char *rest = text, *line;
	cr_assert(text && strlen(text) > 6);
	cr_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
	while ((line = strsep(&rest, "\n")) && strcmp(line, "# EOF") != 0) {
		if (strncmp(line, "# TYPE ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "),
				 line + 7);
			families++;
			continue;
		}
		const char *name = *line == '#' ? line + 7 : line;
		cr_assert_eq(strncmp(name, family, strlen(family)), 0, "%s is not of %s", line,
			     family);
	}
	cr_assert_geq(families, 20);
}

Test(fleet_metrics, the_size_grows_and_shrinks_with_the_index)
{
	size_t empty = fleet_index_size(&index_of);

	cr_assert_eq(empty, 0);
	put("vms/" VM_1 "/" HOST_2, "{\"name\":\"short\"}");
	size_t one = fleet_index_size(&index_of);
	cr_assert_geq(one, sizeof(FleetEntry) + sizeof("short"));
	put("vms/" VM_1 "/" HOST_2, "{\"name\":\"a longer name\"}");
	cr_assert_eq(fleet_index_size(&index_of), one + strlen("a longer name") - strlen("short"));
	put("gpus/" HOST_2 "/software",
	    "{\"types\":[{\"name\":\"t\",\"free\":1}],\"holders\":[{\"virtualMachineGuid\":\"" VM_1
	    "\"}]}");
	cr_assert_geq(fleet_index_size(&index_of),
		      one + sizeof(FleetEntry) + sizeof(FleetGpuType) + sizeof(FleetGpuHolder));
	/* Own keys keep their text. */
	put("hosts/" HOST_2, "{}");
	size_t before = fleet_index_size(&index_of);
	put("hosts/" HOST_1, "{}");
	cr_assert_eq(fleet_index_size(&index_of) - before, sizeof(FleetEntry) + 2 + sizeof("{}"));
	fleet_index_begin_snapshot(&index_of);
	fleet_index_end_snapshot(&index_of, 100, 1);
	cr_assert_eq(fleet_index_size(&index_of), 0);
}
