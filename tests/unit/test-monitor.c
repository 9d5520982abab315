/* SPDX-License-Identifier: MIT */
/* What the daemon tells of itself, and to whom. */
#include <criterion/criterion.h>
#include <string.h>

#include "fake-host.h"

TestSuite(monitor);

#define GET_STATUS  "io.vaild.Monitor.GetStatus"
#define GET_METRICS "io.vaild.Monitor.GetMetrics"
#define RELOAD      "io.vaild.Monitor.ReloadConfiguration"

Test(monitor, operators_are_told_of_all_and_others_of_their_own)
{
	Cast cast = cast_new();

	call(cast.world, cast.client, REGISTER, NAMES_A);
	cr_assert_str_eq(call(cast.world, cast.admin, GET_STATUS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_number(cast.world, "virtualMachines"), 1u);
	cr_assert_eq(reply_number(cast.world, "registrations"), 1u);
	cr_assert_eq(reply_count(cast.world, "limits"), 2u * LIMIT_MAX);
	cr_assert_str_eq(call(cast.world, cast.client, GET_STATUS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_number(cast.world, "virtualMachines"), 0u);
	cr_assert_eq(reply_number(cast.world, "registrations"), 1u);
	cr_assert_eq(reply_count(cast.world, "limits"), (size_t)LIMIT_MAX);
	call(cast.world, cast.stranger, GET_STATUS, NULL);
	cr_assert_eq(reply_number(cast.world, "registrations"), 0u);
	cast_free(&cast);
}

Test(monitor, remarks_are_for_operators)
{
	Cast cast = cast_new();

	statistics_remark(&cast.world->service.statistics, "a.json", "is no JSON");
	call(cast.world, cast.admin, GET_STATUS, NULL);
	cr_assert_str_eq(reply_string(cast.world, "remarks[0].message"), "is no JSON");
	call(cast.world, cast.client, GET_STATUS, NULL);
	cr_assert_eq(reply_count(cast.world, "remarks"), 0u);
	cast_free(&cast);
}

Test(monitor, metrics_count_each_answer)
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

Test(monitor, a_mistake_in_the_configuration_is_told)
{
	Cast cast = cast_new();

	cr_assert_str_eq(call(cast.world, cast.client, RELOAD, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(cast.world, cast.admin, RELOAD, NULL), "STATUS_SUCCESS");
	cast.world->mistake = "/etc/vaild/vaild.json: limits.contexts: is not an integer";
	cr_assert_str_eq(call(cast.world, cast.admin, RELOAD, NULL), "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(reply_string(cast.world, "message"), cast.world->mistake);
	cast_free(&cast);
}
