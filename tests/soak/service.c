/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>

#include "tests/soak/soak.h"
#include "tests/support/fake-service-manager.h"

#define STORE_ENTRIES 1024 /* fewer than the clients need, so that the fd store fills up */
#define LOG_SIZE      (64 << 10)

typedef struct Service {
	const Soak *soak;
	FakeServiceManager manager;
	int listener;
	int log, log_end; /* the ends of a pipe, which the daemon's stderr writes to */
	int commands;
	int pidfd;
	char tail[LOG_SIZE + 1]; /* end of the log, which is printed if the daemon fails */
	size_t tail_size;
} Service;

static int command_socket; /* soak's end of Service.commands */

static int listen_on(const char *path)
{
	struct sockaddr_un address = helper_address(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(listener, SOMAXCONN) < 0)
		err(2, "%s", path);
	return listener;
}

static void read_log(Service *service)
{
	ssize_t size;

	do {
		if (service->tail_size > LOG_SIZE / 2) {
			service->tail_size -= LOG_SIZE / 4;
			memmove(service->tail, service->tail + LOG_SIZE / 4, service->tail_size);
		}
		size = read(service->log, service->tail + service->tail_size,
			    LOG_SIZE - service->tail_size);
		if (size > 0)
			service->tail_size += (size_t)size;
	} while (size > 0);
}

static _Noreturn void fail(Service *service, const char *why, int status)
{
	read_log(service);
	printf("not ok soak: the daemon %s (status %#x)\n%.*s", why, status,
	       (int)service->tail_size, service->tail);
	fflush(stdout);
	_exit(1);
}

/* Handles the daemon's messages to its service manager and reads its log. */
static void receive_messages(Service *service)
{
	fake_service_manager_read(&service->manager);
	service->soak->board->stored = service->manager.count;
	service->soak->board->dropped = service->manager.dropped;
	read_log(service);
}

/* Waits for messages, or for input on the commands fd. Returns true if the daemon is dead. */
static bool wait_for_input(Service *service, int commands)
{
	struct pollfd poll_for[] = {
		{ .fd = service->manager.socket, .events = POLLIN },
		{ .fd = service->log, .events = POLLIN },
		{ .fd = service->pidfd, .events = POLLIN },
		{ .fd = commands, .events = POLLIN },
	};

	if (poll(poll_for, sizeof(poll_for) / sizeof(poll_for[0]), -1) < 0)
		err(2, "poll");
	receive_messages(service);
	return poll_for[2].revents & POLLIN;
}

static void start(Service *service)
{
	int own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	dup2(service->log_end, STDERR_FILENO);
	pid_t pid = fake_service_manager_start(&service->manager, service->soak->command,
					       service->listener);
	dup2(own_stderr, STDERR_FILENO);
	close(own_stderr);
	service->pidfd = pidfd_open(pid, 0);
	while (!service->manager.is_ready)
		if (wait_for_input(service, -1))
			fail(service, "did not start", 0);
	service->soak->board->daemon = pid;
}

/* Sends the signal, waits for the end of the daemon and handles its last messages. */
static void end(Service *service, int signal)
{
	pid_t pid = service->soak->board->daemon;
	int status;

	service->soak->board->daemon = 0;
	kill(pid, signal);
	while (!wait_for_input(service, -1))
		;
	if (waitpid(pid, &status, 0) != pid)
		err(2, "waitpid");
	receive_messages(service);
	close(service->pidfd);
	service->pidfd = -1;
	if (signal == SIGTERM && status != 0)
		fail(service, "did not exit with status 0 after SIGTERM", status);
}

static void measure(Service *service)
{
	static const char key[] = "heap in use: ";
	const char *found;

	service->tail_size = 0;
	kill(service->soak->board->daemon, SIGUSR2);
	do {
		if (wait_for_input(service, -1))
			fail(service, "died", 0);
		service->tail[service->tail_size] = '\0';
	} while (!(found = strstr(service->tail, key)) || !strchr(found, '\n'));
	service->soak->board->heap = strtoul(found + strlen(key), NULL, 10);
}

static void execute(Service *service, char command)
{
	switch ((ServiceCommand)command) {
	case SERVICE_KILL:
		end(service, SIGKILL);
		start(service);
		break;
	case SERVICE_RESTART:
		end(service, SIGTERM);
		start(service);
		break;
	case SERVICE_RELOAD:
		kill(service->soak->board->daemon, SIGHUP);
		break;
	case SERVICE_MEASURE:
		measure(service);
		break;
	case SERVICE_STOP:
		end(service, SIGTERM);
		break;
	}
}

static _Noreturn void serve(Service *service)
{
	char command;

	for (start(service);;) {
		bool is_dead = wait_for_input(service, service->commands);

		if (is_dead && service->pidfd >= 0)
			fail(service, "died", 0);
		ssize_t size = recv(service->commands, &command, 1, MSG_DONTWAIT);
		if (size == 0)
			_exit(0);
		if (size < 0)
			continue;
		execute(service, command);
		send(service->commands, &command, 1, MSG_NOSIGNAL);
	}
}

void service_start(const Soak *soak)
{
	static Service service;
	int pair[2], log[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    pipe2(log, O_CLOEXEC) < 0)
		err(2, "a socket pair and a pipe");
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	service = (Service){ .soak = soak, .commands = pair[1], .log = log[0], .log_end = log[1] };
	service.listener = listen_on(soak->socket);
	pid_t pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_service_manager_init(&service.manager, STORE_ENTRIES);
		serve(&service);
	}
	command_socket = pair[0];
	close(pair[1]);
	close(log[0]);
	close(log[1]);
	close(service.listener);
}

void service_command(ServiceCommand command)
{
	char byte = (char)command;

	if (send(command_socket, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recv(command_socket, &byte, 1, 0) != 1)
		errx(1, "the fake service manager has ended");
}
