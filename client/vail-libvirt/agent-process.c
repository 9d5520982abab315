/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/agent-process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libvirt/libvirt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "proto/macros.h"

/* Time in which a process must end after it was asked to, in milliseconds. */
#define END_TIMEOUT 2000

/* The exit status of a program that cannot be executed, as in shells. */
#define EXIT_NO_PROGRAM 127

static void forget(AgentProcess *process)
{
	if (process->watch >= 0)
		virEventRemoveHandle(process->watch);
	process->watch = -1;
	fd_close(&process->pidfd);
	process->pid = 0;
}

static void on_exit_event(int watch, int fd, int events, void *context)
{
	AgentProcess *process = context;
	int status = 0;

	(void)watch, (void)fd, (void)events;
	if (waitpid(process->pid, &status, WNOHANG) == 0)
		return;
	forget(process);
	process->exited(process->context, status);
}

/*
 * Copies the environment without systemd's socket, on which only this process reports. The strings
 * belong to others. Returns NULL if out of memory.
 */
static char **copy_environment(void)
{
	size_t count = 0;

	while (environ[count])
		count++;
	char **variables = calloc(count + 1, sizeof(*variables));
	count = 0;
	for (char **variable = environ; variables && *variable; variable++)
		if (strncmp(*variable, "NOTIFY_SOCKET=", strlen("NOTIFY_SOCKET=")) != 0)
			variables[count++] = *variable;
	return variables;
}

/* ---- In the child process ---- */

/* Gives up all privileges of root. Returns false if that is impossible. */
static bool become(const ProcessUser *user)
{
	if (!user || (geteuid() == user->uid && geteuid() != 0))
		return true;
	return setgroups(0, NULL) == 0 && setresgid(user->gid, user->gid, user->gid) == 0 &&
	       setresuid(user->uid, user->uid, user->uid) == 0;
}

/*
 * Closes all fds but 0, 1, 2 and this one. The user may not have those of the parent, such as its
 * connection to libvirt.
 */
static bool close_others(int fd)
{
	const unsigned int first = STDERR_FILENO + 1;

	if (fd < (int)first)
		return close_range(first, ~0u, 0) == 0;
	return (fd == (int)first || close_range(first, (unsigned int)fd - 1, 0) == 0) &&
	       close_range((unsigned int)fd + 1, ~0u, 0) == 0;
}

/*
 * Makes the child process one of the user that ends with its parent. The parent blocks signals, and
 * a change of the user would remove the signal of the parent's death. To execute a program undoes
 * the protection of the memory.
 */
static bool prepare_child(pid_t parent, const AgentFunction *function)
{
	sigset_t none;

	sigemptyset(&none);
	if (!close_others(function->fd) || !become(function->user) || prctl(PR_SET_DUMPABLE, 0) < 0)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return getppid() == parent;
}

typedef struct Execution {
	const AgentProgram *program;
	char **variables;
} Execution;

/* Executes the program. Only async-signal-safe calls are made. */
static int execute(void *context)
{
	const Execution *execution = context;
	const AgentProgram *program = execution->program;
	int display = program->display;

	if (display < 0 || (display == AGENT_DISPLAY_FD ? fcntl(display, F_SETFD, 0)
							: dup2(display, AGENT_DISPLAY_FD)) >= 0)
		execve(program->path, program->arguments, execution->variables);
	return EXIT_NO_PROGRAM;
}

/* ---- In this process ---- */

int agent_process_call(AgentProcess *process, const AgentFunction *function, AgentExited *exited,
		       void *context)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(prepare_child(parent, function) ? function->call(function->argument)
						      : EXIT_NO_PROGRAM);
	*process = (AgentProcess){
		.pid = pid,
		.pidfd = pidfd_open(pid, 0),
		.watch = -1,
		.exited = exited,
		.context = context,
	};
	if (process->pidfd >= 0)
		process->watch = virEventAddHandle(process->pidfd, VIR_EVENT_HANDLE_READABLE,
						   on_exit_event, process, NULL);
	if (process->watch >= 0)
		return 0;
	agent_process_stop(process);
	return ENOMEM;
}

int agent_process_start(AgentProcess *process, const AgentProgram *program, AgentExited *exited,
			void *context)
{
	_cleanup_free_ char **variables = copy_environment();
	Execution execution = { .program = program, .variables = variables };
	const AgentFunction function = { .call = execute,
					 .argument = &execution,
					 .user = program->user,
					 .fd = program->display };

	if (!variables)
		return ENOMEM;
	return agent_process_call(process, &function, exited, context);
}

void agent_process_ask(const AgentProcess *process)
{
	if (process->pid > 0)
		kill(process->pid, SIGTERM);
}

void agent_process_stop(AgentProcess *process)
{
	struct pollfd poll_fd = { .fd = process->pidfd, .events = POLLIN };

	if (process->pid <= 0)
		return;
	agent_process_ask(process);
	if (process->pidfd < 0 || poll(&poll_fd, 1, END_TIMEOUT) <= 0)
		kill(process->pid, SIGKILL);
	waitpid(process->pid, NULL, 0);
	forget(process);
}
