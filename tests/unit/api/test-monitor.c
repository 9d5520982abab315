/* SPDX-License-Identifier: MIT */
/* Checks which data about the daemon each caller gets. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-gpu.h"

TestSuite(monitor);

#define GET_STATUS  "io.vaild.Monitor.GetStatus"
#define GET_METRICS "io.vaild.Monitor.GetMetrics"
#define RELOAD      "io.vaild.Monitor.ReloadConfiguration"

static size_t limits_of_owners(void)
{
	size_t count = 0;

	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		count += limit_owner_name(kind) != NULL;
	return count;
}

/* Returns the reported use of a limit, or UINT64_MAX if the limit is not reported. */
static uint64_t used_of(World *world, Caller *caller, const char *name)
{
	char path[64];

	call(world, caller, GET_STATUS, NULL);
	for (size_t i = 0; i < reply_count(world, "limits"); i++) {
		snprintf(path, sizeof(path), "limits[%zu].name", i);
		if (strcmp(reply_string(world, path), name) != 0)
			continue;
		snprintf(path, sizeof(path), "limits[%zu].used", i);
		return reply_number(world, path);
	}
	return UINT64_MAX;
}

Test(monitor, limits_per_process_report_the_largest_use)
{
	char process[64], of_driver[64];
	Cast cast = cast_new_quiet();
	World *world = cast.world;
	FakeAdapter adapter = fake_running_adapter(world, cast.admin, "9,9,9,9");

	/*
	 * One GPU process of the viewer is on the software adapter; the other was created by an
	 * adapter's driver, which pays for it.
	 */
	call(world, cast.client, CREATE_CONTEXT, NULL);
	strcpy(process, reply_string(world, "process"));
	map(world, cast.client, process, 4096, NULL);
	create_gpu_process(world, cast.admin, &adapter, ",\"pid\":300", of_driver);
	reserve_range(world, cast.admin, of_driver, 2 << 20, "");
	complete_process(world, cast.admin, of_driver);
	map(world, cast.client, of_driver, 4096, NULL);
	map(world, cast.client, of_driver, 4096, NULL);
	cr_assert_eq(used_of(world, cast.admin, "userRangesPerProcess"), 2u);
	cr_assert_eq(used_of(world, cast.admin, "driverReservationsPerProcess"), 1u);
	cr_assert_eq(used_of(world, cast.client, "userRangesPerProcess"), 2u);
	cr_assert_eq(used_of(world, cast.client, "userRangesPerUid"), 3u);
	cr_assert_eq(used_of(world, cast.stranger, "userRangesPerProcess"), 0u);
	cast_free(&cast);
}

Test(monitor, operators_see_everything_and_others_their_own)
{
	Cast cast = cast_new();

	call(cast.world, cast.client, REGISTER, NAMES_A);
	cr_assert_str_eq(call(cast.world, cast.admin, GET_STATUS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_number(cast.world, "virtualMachines"), 1u);
	cr_assert_eq(reply_number(cast.world, "registrations"), 1u);
	cr_assert_eq(reply_count(cast.world, "limits"), 2u * LIMIT_MAX + limits_of_owners());
	cr_assert_str_eq(call(cast.world, cast.client, GET_STATUS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_number(cast.world, "virtualMachines"), 0u);
	cr_assert_eq(reply_number(cast.world, "registrations"), 1u);
	cr_assert_eq(reply_count(cast.world, "limits"), LIMIT_MAX + limits_of_owners());
	call(cast.world, cast.stranger, GET_STATUS, NULL);
	cr_assert_eq(reply_number(cast.world, "registrations"), 0u);
	cast_free(&cast);
}

Test(monitor, only_operators_get_remarks)
{
	Cast cast = cast_new();

	statistics_remark(&cast.world->service.statistics, "a.json", "is no JSON");
	call(cast.world, cast.admin, GET_STATUS, NULL);
	cr_assert_str_eq(reply_string(cast.world, "remarks[0].message"), "is no JSON");
	call(cast.world, cast.client, GET_STATUS, NULL);
	cr_assert_eq(reply_count(cast.world, "remarks"), 0u);
	cast_free(&cast);
}

Test(monitor, only_operators_get_restart_counts)
{
	Cast cast = cast_new();

	cast.world->service.statistics.restored = 5;
	cast.world->service.statistics.dropped = 3;
	call(cast.world, cast.admin, GET_STATUS, NULL);
	cr_assert_eq(reply_number(cast.world, "restored"), 5u);
	cr_assert_eq(reply_number(cast.world, "dropped"), 3u);
	call(cast.world, cast.client, GET_STATUS, NULL);
	cr_assert_eq(reply_number(cast.world, "restored"), 0u);
	cr_assert_eq(reply_number(cast.world, "dropped"), 0u);
	cast_free(&cast);
}

Test(monitor, metrics_count_each_reply)
{
	Cast cast = cast_new();

	call(cast.world, cast.stranger, REGISTER, NAMES_A);
	cr_assert_str_eq(call(cast.world, cast.stranger, GET_METRICS, NULL),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(cast.world, cast.admin, GET_METRICS, NULL), "STATUS_SUCCESS");
	const char *text = reply_string(cast.world, "openMetrics");
	cr_assert_not_null(strstr(text, "vaild_used{limit=\"virtualMachines\"} 1\n"));
	cr_assert_not_null(strstr(text, "vaild_requests_total{method=\"io.vaild."
					"RegisterVailProcess\",status=\"STATUS_ACCESS_DENIED\"} "
					"1\n"));
	cr_assert_str_eq(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
	cast_free(&cast);
}

Test(monitor, a_configuration_mistake_is_reported)
{
	Cast cast = cast_new();

	cr_assert_str_eq(call(cast.world, cast.client, RELOAD, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(cast.world, cast.admin, RELOAD, NULL), "STATUS_SUCCESS");
	cast.world->mistake = "/etc/vaild/vaild.json: limits.contexts: is not an integer";
	cr_assert_str_eq(call(cast.world, cast.admin, RELOAD, NULL), "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(cast.world, "message"), cast.world->mistake);
	cast_free(&cast);
}
