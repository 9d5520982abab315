/* SPDX-License-Identifier: MIT */
/*
 * Connections whose maker exits before the daemon accepts them. The daemon must be stopped when
 * this starts. Prints "ready" when it may continue.
 *
 *   early-exit SOCKET dies UID COUNT            COUNT processes with this uid connect and exit.
 * Then this process sends a request on each connection. Prints "served N refused N closed N".
 *   early-exit SOCKET reused UID OTHER REQUEST  a process with the uid UID connects and exits. Then
 *                                               one with the same pid and the uid OTHER sends the
 *                                               request and prints the reply, or "closed". Must be
 *                                               started by root of the pid namespace.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

#define REQUEST "{\"method\":\"io.vaild.ListRegistrations\"}\n"

static void become(uid_t uid)
{
	if (uid == geteuid())
		return;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		err(2, "cannot become uid %u", uid);
}

/* Connects a socket of this process from a child, which exits. Returns the child's former pid. */
static pid_t connect_from_child(int connection, const char *path, uid_t uid)
{
	struct sockaddr_un address = helper_address(path);
	pid_t child = fork();
	int status;

	if (child < 0)
		err(2, "fork");
	if (child == 0) {
		become(uid);
		if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
			err(2, "connect");
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		errx(2, "the child failed");
	return child;
}

static int new_socket(void)
{
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connection < 0)
		err(2, "socket");
	return connection;
}

static void report_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void dies(const char *path, uid_t uid, size_t count)
{
	int *connections = calloc(count, sizeof(*connections));
	size_t served = 0, refused = 0, closed = 0;
	char reply[4096];

	if (!connections)
		err(2, "calloc");
	for (size_t i = 0; i < count; i++) {
		connections[i] = new_socket();
		connect_from_child(connections[i], path, uid);
	}
	report_ready();
	for (size_t i = 0; i < count; i++)
		send(connections[i], REQUEST, strlen(REQUEST), MSG_NOSIGNAL);
	for (size_t i = 0; i < count; i++) {
		ssize_t size = recv(connections[i], reply, sizeof(reply) - 1, 0);

		reply[size > 0 ? size : 0] = '\0';
		if (size <= 0)
			closed++;
		else if (strstr(reply, "STATUS_SUCCESS"))
			served++;
		else
			refused++;
	}
	printf("served %zu refused %zu closed %zu\n", served, refused, closed);
	free(connections);
}

static void reused(const char *path, uid_t uid, uid_t other, const char *request)
{
	int connection = new_socket();
	pid_t pid = connect_from_child(connection, path, uid);

	if (helper_fork_at(pid) > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	become(other);
	send(connection, request, strlen(request), MSG_NOSIGNAL);
	send(connection, "\n", 1, MSG_NOSIGNAL);
	report_ready();
	helper_print_reply(connection);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[2], "dies") == 0)
		dies(argv[1], (uid_t)helper_number(argv[3]), helper_number(argv[4]));
	else if (argc == 6 && strcmp(argv[2], "reused") == 0)
		reused(argv[1], (uid_t)helper_number(argv[3]), (uid_t)helper_number(argv[4]),
		       argv[5]);
	else
		errx(2, "usage: early-exit SOCKET dies UID COUNT|reused UID OTHER REQUEST");
	return 0;
}
