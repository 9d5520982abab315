/* SPDX-License-Identifier: MIT */
/*
 * passed-socket SOCKET MODE REQUEST [PROGRAM]: connects, sends the request from the process that
 * MODE selects, and prints the reply. The modes are
 *
 *   own        the process that connected sends
 *   inherited  its child sends on the inherited socket
 *   passed     another process gets the socket by SCM_RIGHTS and sends
 *   orphaned   the same, after the process that connected has exited
 *   changed    as inherited, after the process that connected has executed PROGRAM, which has
 *              another uid
 *   mixed      the process that connected sends the first half, its child the rest
 *   becomes    the process that connected executes PROGRAM, a socat with another uid, which sends
 *              stdin instead of the request and prints the reply
 */
#include "tests/support/helper.h"

typedef struct Task {
	const char *socket;
	const char *request;
	char *program;
} Task;

static void send_line(int connection, const char *text)
{
	helper_send(connection, text, strlen(text));
	helper_send(connection, "\n", 1);
}

static void await(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(1, "the other process failed");
}

static pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	return pid;
}

static void own(const Task *task)
{
	int connection = helper_connect(task->socket);

	send_line(connection, task->request);
	helper_print_reply(connection);
}

static void inherited(const Task *task)
{
	int connection = helper_connect(task->socket);
	pid_t child = fork_or_die();

	if (child == 0) {
		send_line(connection, task->request);
		_exit(0);
	}
	await(child);
	helper_print_reply(connection);
}

/* Waits until the daemon has accepted the connection, because it closes it if its maker is gone. */
static void await_accept(int connection)
{
	static const char request[] = "{\"method\":\"org.varlink.service.GetInfo\"}\n";
	char byte = '\0';

	helper_send(connection, request, strlen(request));
	while (byte != '\n')
		if (recv(connection, &byte, 1, 0) != 1)
			errx(1, "the daemon does not answer");
}

static void pass_and(const Task *task, bool stay)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		err(2, "socketpair");
	pid_t connector = fork_or_die();
	if (connector == 0) {
		int connection = helper_connect(task->socket);
		char byte;

		if (!stay)
			await_accept(connection);
		if (!helper_send_fds(pair[1], "x", &connection, 1))
			err(2, "sendmsg");
		close(pair[0]);
		if (stay && read(pair[1], &byte, 1) < 0)
			err(2, "read");
		_exit(0);
	}
	close(pair[1]);
	int connection = helper_receive_fd(pair[0]);
	if (!stay)
		await(connector);
	send_line(connection, task->request);
	helper_print_reply(connection);
}

static void passed(const Task *task)
{
	pass_and(task, true);
}

static void orphaned(const Task *task)
{
	pass_and(task, false);
}

/* Tells whether the process has another effective uid than this one. */
static bool has_changed(pid_t pid)
{
	char path[40], line[128];
	unsigned int real, effective = geteuid();

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *status = fopen(path, "re");
	if (!status)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
			break;
	fclose(status);
	return effective != geteuid();
}

/* The program reads from a pipe that closes when the child exits, so that it runs until then. */
static void changed(const Task *task)
{
	int connection = helper_connect(task->socket), hold[2];

	if (!task->program)
		errx(2, "mode changed needs a PROGRAM");
	if (pipe(hold) < 0)
		err(2, "pipe");
	pid_t connector = getpid(), child = fork_or_die();
	if (child == 0) {
		close(hold[0]);
		while (!has_changed(connector))
			poll(NULL, 0, 10);
		send_line(connection, task->request);
		helper_print_reply(connection);
		_exit(0);
	}
	close(hold[1]);
	if (dup2(hold[0], STDIN_FILENO) < 0)
		err(2, "dup2");
	execl(task->program, task->program, (char *)NULL);
	err(2, "%s", task->program);
}

static void mixed(const Task *task)
{
	int connection = helper_connect(task->socket);
	size_t half = strlen(task->request) / 2;

	helper_send(connection, task->request, half);
	pid_t child = fork_or_die();
	if (child == 0) {
		send_line(connection, task->request + half);
		_exit(0);
	}
	await(child);
	helper_print_reply(connection);
}

static void becomes(const Task *task)
{
	int connection = helper_connect(task->socket);

	if (!task->program)
		errx(2, "mode becomes needs a PROGRAM");
	if (dup2(connection, 3) < 0)
		err(2, "dup2");
	execl(task->program, task->program, "-t5", "-", "FD:3,shut-down", (char *)NULL);
	err(2, "%s", task->program);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const Task *task);
	} modes[] = {
		{ "own", own },           { "inherited", inherited }, { "passed", passed },
		{ "orphaned", orphaned }, { "changed", changed },     { "mixed", mixed },
		{ "becomes", becomes },
	};

	if (argc < 4 || argc > 5)
		errx(2, "usage: passed-socket SOCKET MODE REQUEST [PROGRAM]");
	Task task = { .socket = argv[1], .request = argv[3], .program = argv[4] };
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[2]) == 0) {
			modes[i].run(&task);
			return 0;
		}
	}
	errx(2, "%s: unknown mode", argv[2]);
}
