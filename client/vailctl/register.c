/* SPDX-License-Identifier: MIT */
/*
 * Commands that register vailctl's own process. Context and registration belong to the process, not
 * to the connection, so they survive execve().
 */
#include "client/vailctl/register.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/common/plain-words.h"
#include "client/common/program-options.h"
#include "client/common/run-program.h"
#include "client/common/self-register.h"
#include "client/common/terminal-text.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/fd-util.h"
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

/* The watch of the VM for which this process is registered. */
typedef struct RegisterWatch {
	Tool *tool;
	bool is_listed; /* the watch has reported the registration */
	bool has_ended; /* the registration, so there is nothing more to wait for */
	int exit_status;
} RegisterWatch;

static void end_registration(RegisterWatch *watch, NTSTATUS status, const char *why)
{
	char quoted[SHELL_QUOTE_SIZE];

	watch->has_ended = true;
	watch->exit_status = tool_failed(
		watch->tool, status,
		"process %d is no longer registered for VM %s: %s; to see the VM, run: "
		"vailctl show %s",
		(int)getpid(), watch->tool->typed, why, shell_quote(watch->tool->typed, quoted));
}

/* Tests whether the event is the end of this process's registration. */
static bool is_own_end(const VailEvent *event, bool continues)
{
	return event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED ||
	       (event->kind == VAIL_EVENT_UNREGISTERED && (!continues || event->pid == getpid()));
}

/* A VailWatch. A watch that is refused for another reason, such as a limit, tells nothing. */
static bool on_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		     void *context)
{
	RegisterWatch *watch = context;

	(void)vail;
	if (watch->has_ended)
		return false; /* the handle is being closed */
	if (event && event->kind == VAIL_EVENT_REGISTERED && event->pid == getpid())
		watch->is_listed = true;
	else if (event && event->kind == VAIL_EVENT_CURRENT && !watch->is_listed)
		end_registration(watch, STATUS_NOT_FOUND, "the registration has ended");
	else if (event && is_own_end(event, continues))
		end_registration(watch, STATUS_NOT_FOUND, plain_ending(event->reason));
	else if (!event && status == STATUS_NOT_FOUND)
		end_registration(watch, status, "the VM does not run any more");
	else if (!event && status == STATUS_ACCESS_DENIED)
		end_registration(watch, status, "the registration has ended");
	return !watch->has_ended;
}

/* Starts the watch. Returns NULL if it cannot: then only a signal ends the command. */
static struct vail *open_watch(RegisterWatch *watch, const char *guid)
{
	struct vail *vail = NULL;

	if (vail_new(vail_path(watch->tool->vail), &vail) != STATUS_SUCCESS)
		return NULL;
	if (vail_watch(vail, guid, on_event, watch) == STATUS_SUCCESS)
		return vail;
	vail_close(vail);
	return NULL;
}

/* Waits for one of the signals, which are blocked, or for the end of the registration. */
static void wait_for_end(RegisterWatch *watch, const char *guid, const sigset_t *signals)
{
	_cleanup_close_ int signal_fd = signalfd(-1, signals, SFD_CLOEXEC);
	struct vail *vail = open_watch(watch, guid);
	struct signalfd_siginfo taken;
	struct pollfd fds[2] = { { .fd = signal_fd, .events = POLLIN } };

	while (!watch->has_ended && fds[0].revents == 0) {
		fds[1].fd = vail ? vail_descriptor(vail) : -1;
		fds[1].events = vail ? vail_events(vail) : 0;
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents != 0)
			vail_process(vail); /* reports errors to on_event() */
	}
	/* Take the signal, or it would end this process before it has unregistered. */
	if (fds[0].revents != 0 && read(signal_fd, &taken, sizeof(taken)) < 0)
		command_error("cannot read the signal: %s", strerror(errno));
	vail_close(vail);
}

int command_register(Tool *tool)
{
	RegisterWatch watch = { .tool = tool };
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
	wait_for_end(&watch, guid, &signals);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	if (watch.has_ended)
		return watch.exit_status;
	status = vail_unregister_process(tool->vail, guid);
	return status == STATUS_SUCCESS ? EXIT_DONE : tool_refused(tool, status);
}

int tool_exec(const Tool *tool)
{
	return program_exec(tool->options.run, tool->options.socket, &tool->start);
}

int command_exec(Tool *tool)
{
	char context[VAIL_HANDLE_SIZE] = "";

	NTSTATUS status = self_register(tool->vail, tool->arguments[0], context, true);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	return tool_exec(tool);
}
