/* SPDX-License-Identifier: MIT */
/* The arguments with which vail-libvirt starts a guest's vail-qemu, and its child processes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/vail-libvirt/agent-arguments.h"
#include "client/vail-libvirt/agent-process.h"
#include "proto/fd-util.h"
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

/* Larger than the number of any fd of the test. */
#define FDS 4096

/* Returns 0 if the process has only this fd beside 0, 1 and 2, and no other may trace it. */
static int look_at_this_process(void *context)
{
	const int *kept = context;

	for (int fd = STDERR_FILENO + 1; fd < FDS; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == *kept))
			return 1;
	return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 2;
}

static void note_exit(void *context, int status)
{
	int *exit_status = context;

	*exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* Calls the function with this fd, and returns its result. */
static int call_with(int fd)
{
	AgentProcess process = AGENT_PROCESS_INIT;
	const ProcessUser self = { .uid = geteuid(), .gid = getegid() };
	const AgentFunction function = {
		.call = look_at_this_process, .argument = &fd, .user = &self, .fd = fd
	};
	int result = -1;

	cr_assert_eq(agent_process_call(&process, &function, note_exit, &result), 0);
	while (result == -1)
		cr_assert_eq(virEventRunDefaultImpl(), 0);
	return result;
}

Test(libvirt_agent, a_child_process_of_another_user_has_nothing_of_this_one)
{
	_cleanup_close_ int one = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(virEventRegisterDefaultImpl(), 0);
	cr_assert_eq(call_with(-1), 0);
	cr_assert_eq(call_with(one), 0);
	cr_assert_eq(call_with(other), 0);
}
