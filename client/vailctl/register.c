/* SPDX-License-Identifier: MIT */
/*
 * Commands that register vailctl's own process. Context and registration belong to the process, not
 * to the connection, so they survive execve().
 */
#include "client/vailctl/register.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/self-register.h"
#include "client/common/terminal-text.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

static int print_registered(const Tool *tool, const char *guid)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	if (!options_have(&tool->options, OPTION_JSON)) {
		_cleanup_free_ char *typed = text_escape(tool->typed, NULL);

		printf("Process %d is registered for VM %s until it is interrupted.\n",
		       (int)getpid(), typed ? typed : guid);
		return EXIT_DONE;
	}
	writer_object_begin(&writer);
	writer_key(&writer, "status");
	writer_string(&writer, "STATUS_SUCCESS");
	writer_key(&writer, "virtualMachineGuid");
	writer_string(&writer, guid);
	writer_key(&writer, "pid");
	writer_unsigned(&writer, (uint64_t)getpid());
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

/*
 * Collects the signals that end the registration, with their default actions until they are
 * blocked. Shells start background jobs with SIGINT ignored, so this undoes that. SIGHUP stays
 * ignored if it is (nohup).
 */
static void prepare_interrupt(sigset_t *ret_signals)
{
	struct sigaction hang_up;

	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGTERM);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (sigaction(SIGHUP, NULL, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN)
		sigaddset(ret_signals, SIGHUP);
}

static void wait_for_interrupt(const sigset_t *signals)
{
	while (sigwaitinfo(signals, NULL) < 0 && errno == EINTR)
		;
}

int command_register(Tool *tool)
{
	const char *guid = tool->arguments[0];
	char context[VAIL_HANDLE_SIZE] = "";
	sigset_t signals;

	prepare_interrupt(&signals);
	NTSTATUS status = self_register(tool->vail, guid, context,
					options_have(&tool->options, OPTION_CONTEXT));
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	/* Block first: a reader of the line may send the signal at once. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int exit_status = print_registered(tool, guid);
	fflush(stdout);
	if (exit_status != EXIT_DONE)
		return exit_status;
	wait_for_interrupt(&signals);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	status = vail_unregister_process(tool->vail, guid);
	return status == STATUS_SUCCESS ? EXIT_DONE : tool_refused(tool, status);
}

/*
 * Lets the program use the socket of --socket. Makes a relative path absolute, because the program
 * may change its folder, unless it would be too long for a socket.
 */
static void hand_over_socket(const char *path)
{
	_cleanup_free_ char *folder = *path == '/' ? NULL : get_current_dir_name();
	char absolute[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (folder &&
	    (size_t)snprintf(absolute, sizeof(absolute), "%s/%s", folder, path) < sizeof(absolute))
		path = absolute;
	setenv("VAILD_SOCKET", path, 1);
}

int program_exec(const Tool *tool)
{
	char *const *program = tool->options.run;

	fflush(stdout);
	if (tool->options.socket)
		hand_over_socket(tool->options.socket);
	start_state_restore(&tool->start);
	execvp(program[0], program);
	int error = errno;
	command_error("cannot run %s: %s", program[0], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int command_exec(Tool *tool)
{
	char context[VAIL_HANDLE_SIZE] = "";

	if (!tool->options.run)
		return usage_error("exec needs a command to run: vailctl exec VM -- COMMAND");
	NTSTATUS status = self_register(tool->vail, tool->arguments[0], context, true);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	return program_exec(tool);
}
