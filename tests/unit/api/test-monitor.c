/* SPDX-License-Identifier: MIT */
/* Checks which data about the daemon each caller gets. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(monitor, .init = set_up, .fini = tear_down);

#define GET_STATUS  "io.vaild.Monitor.GetStatus"
#define GET_METRICS "io.vaild.Monitor.GetMetrics"
#define RELOAD      "io.vaild.Monitor.ReloadConfiguration"

static size_t limits_of_owners(void)
{
	size_t count = 0;

	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		count += limit_entity_name(kind) != NULL;
	return count;
}

/* Returns the reported use of a limit, or UINT64_MAX if the limit is not reported. */
static uint64_t used_of(FakeHost *fake_host, Caller *caller, const char *name)
{
	char path[64];

	call(fake_host, caller, GET_STATUS, NULL);
	for (size_t i = 0; i < reply_count(fake_host, "limits"); i++) {
		snprintf(path, sizeof(path), "limits[%zu].name", i);
		if (strcmp(reply_string(fake_host, path), name) != 0)
			continue;
		snprintf(path, sizeof(path), "limits[%zu].used", i);
		return reply_number(fake_host, path);
	}
	return UINT64_MAX;
}

Test(monitor, limits_per_process_report_the_largest_use)
{
	char process[64], of_driver[64];
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");

	/*
	 * One GPU process of the viewer is on the software adapter; the other was created by an
	 * adapter's driver, which pays for it.
	 */
	call(fake_host, fixture.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(fake_host, "process"));
	map(fake_host, fixture.client, process, 4096, NULL);
	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", of_driver);
	reserve_range(fake_host, fixture.admin, of_driver, 2 << 20, "");
	complete_process(fake_host, fixture.admin, of_driver);
	map(fake_host, fixture.client, of_driver, 4096, NULL);
	map(fake_host, fixture.client, of_driver, 4096, NULL);
	cr_assert_eq(used_of(fake_host, fixture.admin, "userRangesPerProcess"), 2u);
	cr_assert_eq(used_of(fake_host, fixture.admin, "driverReservationsPerProcess"), 1u);
	cr_assert_eq(used_of(fake_host, fixture.client, "userRangesPerProcess"), 2u);
	cr_assert_eq(used_of(fake_host, fixture.client, "userRangesPerUid"), 3u);
	cr_assert_eq(used_of(fake_host, fixture.stranger, "userRangesPerProcess"), 0u);
}

Test(monitor, operators_see_everything_and_others_their_own)
{
	call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, GET_STATUS, NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachines"), 1u);
	cr_assert_eq(reply_number(fixture.fake_host, "registrations"), 1u);
	size_t of_operators = reply_count(fixture.fake_host, "limits");
	cr_assert_geq(of_operators, 2u * LIMIT_MAX + limits_of_owners());
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, GET_STATUS, NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(reply_number(fixture.fake_host, "virtualMachines"), 0u);
	cr_assert_eq(reply_number(fixture.fake_host, "registrations"), 1u);
	cr_assert_eq(reply_count(fixture.fake_host, "limits"), of_operators - LIMIT_MAX);
	call(fixture.fake_host, fixture.stranger, GET_STATUS, NULL);
	cr_assert_eq(reply_number(fixture.fake_host, "registrations"), 0u);
}

Test(monitor, only_operators_get_remarks)
{
	statistics_remark(&fixture.fake_host->service.statistics, "a.json", "is no JSON");
	call(fixture.fake_host, fixture.admin, GET_STATUS, NULL);
	cr_assert_str_eq(reply_string(fixture.fake_host, "remarks[0].message"), "is no JSON");
	call(fixture.fake_host, fixture.client, GET_STATUS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "remarks"), 0u);
}

Test(monitor, only_operators_get_restart_counts)
{
	fixture.fake_host->service.statistics.restored = 5;
	fixture.fake_host->service.statistics.dropped = 3;
	call(fixture.fake_host, fixture.admin, GET_STATUS, NULL);
	cr_assert_eq(reply_number(fixture.fake_host, "restored"), 5u);
	cr_assert_eq(reply_number(fixture.fake_host, "dropped"), 3u);
	call(fixture.fake_host, fixture.client, GET_STATUS, NULL);
	cr_assert_eq(reply_number(fixture.fake_host, "restored"), 0u);
	cr_assert_eq(reply_number(fixture.fake_host, "dropped"), 0u);
}

Test(monitor, metrics_count_each_reply)
{
	call(fixture.fake_host, fixture.stranger, REGISTER, NAMES_A);
	cr_assert_str_eq(call(fixture.fake_host, fixture.stranger, GET_METRICS, NULL),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, GET_METRICS, NULL),
			 "STATUS_SUCCESS");
	const char *text = reply_string(fixture.fake_host, "openMetrics");
	cr_assert_not_null(strstr(text, "vaild_used{limit=\"virtualMachines\"} 1\n"));
	cr_assert_not_null(strstr(text, "vaild_requests_total{method=\"io.vaild."
					"RegisterVailProcess\",status=\"STATUS_ACCESS_DENIED\"} "
					"1\n"));
	cr_assert_str_eq(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
}

Test(monitor, a_configuration_mistake_is_reported)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, RELOAD, NULL),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, RELOAD, NULL), "STATUS_SUCCESS");
	fixture.fake_host->mistake = "/etc/vaild/vaild.json: limits.contexts: is not an integer";
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, RELOAD, NULL),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(fixture.fake_host, "message"), fixture.fake_host->mistake);
}
