/* SPDX-License-Identifier: MIT */
/* The arguments with which vail-libvirt starts a guest's vail-qemu. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/vail-libvirt/agent-arguments.h"
#include "proto/macros.h"
#include <vail.h>

static Domain clients = { .clients = { "alice", "bob" },
			  .rights = { VAIL_DISPLAY_VIEW, VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT },
			  .client_count = 2 };

/* Checks the arguments, joined by spaces. */
static void assert_arguments(char *const *arguments, const char *expected)
{
	char text[512] = "";

	cr_assert_not_null(arguments);
	for (size_t i = 0; arguments[i]; i++) {
		size_t length = strlen(text);

		snprintf(text + length, sizeof(text) - length, "%s%s", i > 0 ? " " : "",
			 arguments[i]);
	}
	cr_assert_str_eq(text, expected);
}

Test(libvirt_agent, a_display_peer_to_peer_is_passed_with_the_display_clients)
{
	_cleanup_(agent_arguments_free) char **arguments =
		agent_arguments_new("guest", "/run/vaild.sock", NULL, &clients);

	assert_arguments(arguments, "vail-qemu --label=guest --socket=/run/vaild.sock "
				    "--display-fd=3 --settings-source=libvirt --user alice "
				    "--user bob:view,input");
}

/* A vail-qemu of QEMU's user may name no display clients. */
Test(libvirt_agent, a_display_on_a_bus_is_joined_for_a_registered_vm)
{
	_cleanup_(agent_arguments_free) char **arguments =
		agent_arguments_new("guest", NULL, "unix:path=/run/1.sock", &clients);

	assert_arguments(arguments,
			 "vail-qemu --label=guest --bus=unix:path=/run/1.sock --registered");
}

Test(libvirt_agent, a_name_that_begins_with_a_dash_is_no_option)
{
	_cleanup_(agent_arguments_free) char **arguments =
		agent_arguments_new("--help", NULL, "unix:path=/run/1.sock", &(const Domain){ 0 });

	assert_arguments(arguments,
			 "vail-qemu --label=--help --bus=unix:path=/run/1.sock --registered");
}
