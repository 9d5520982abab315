/* SPDX-License-Identifier: MIT */
/*
 * How long a daemon takes from exec to "ready". usage: start-bench COMMAND...: starts the command
 * as a service manager with a descriptor store would, and says "ready"; each line on stdin names
 * what there is by now: the command is killed and started anew, some times, and the median is
 * printed. All descriptors that it has stored are passed to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"

#define ENTRIES_MAX     4096
#define NAME_SIZE       32
#define FIRST_PASSED    3    /* as in sd_listen_fds(3) */
#define FIRST_STORED    4352 /* beyond what is passed */
#define DESCRIPTORS_MAX 8704
#define ROUNDS          11
#define MILLISECOND     1e6

typedef struct Entry {
	int descriptor;
	char name[NAME_SIZE];
} Entry;

typedef struct Manager {
	char **command;
	int socket;
	char address[64]; /* as in $NOTIFY_SOCKET */
	pid_t service;
	bool is_ready;
	size_t count;
	Entry entries[ENTRIES_MAX];
} Manager;

static void open_socket(Manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length = snprintf(manager->address, sizeof(manager->address), "@vaild-bench-%d",
			      (int)getpid());

	memcpy(address.sun_path + 1, manager->address + 1, (size_t)length - 1);
	manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(manager->socket, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)) < 0)
		bench_fail("bind: %s", strerror(errno));
}

/* The daemon never stores what is stored, so that nothing needs to be compared. */
static void store(Manager *manager, const char *name, int descriptor)
{
	if (manager->count == ENTRIES_MAX)
		bench_fail("the daemon stores more than there is room for");
	Entry *entry = &manager->entries[manager->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_STORED);
	if (entry->descriptor < 0)
		bench_fail("a descriptor cannot be stored: %s", strerror(errno));
	close(descriptor);
}

static void forget(Manager *manager, const char *name)
{
	for (size_t i = manager->count; i-- > 0;) {
		if (strcmp(manager->entries[i].name, name) != 0)
			continue;
		close(manager->entries[i].descriptor);
		manager->entries[i] = manager->entries[--manager->count];
	}
}

/* Waits for one message of the daemon's. */
static void hear(Manager *manager)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[512], name[NAME_SIZE];
	struct iovec vector = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int descriptor;
	ssize_t size = recvmsg(manager->socket, &message, MSG_CMSG_CLOEXEC);

	if (size < 0)
		bench_fail("recvmsg: %s", strerror(errno));
	text[size] = '\0';
	if (strncmp(text, "READY=1", strlen("READY=1")) == 0) {
		manager->is_ready = true;
	} else if (sscanf(text, "FDSTOREREMOVE=1\nFDNAME=%31s", name) == 1) {
		forget(manager, name);
	} else if (message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
		   sscanf(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%31s", name) == 1) {
		memcpy(&descriptor, CMSG_DATA(&control.header), sizeof(descriptor));
		store(manager, name, descriptor);
	}
}

/* In the child: what sd_listen_fds(3) and sd_notify(3) want. */
static _Noreturn void execute(const Manager *manager)
{
	static char names[ENTRIES_MAX * NAME_SIZE];
	char number[32];
	size_t length = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < manager->count; i++) {
		if (dup2(manager->entries[i].descriptor, FIRST_PASSED + (int)i) < 0)
			bench_fail("dup2: %s", strerror(errno));
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i == 0 ? "" : ":", manager->entries[i].name);
	}
	if (manager->count > 0) {
		setenv("LISTEN_FDNAMES", names, 1);
		snprintf(number, sizeof(number), "%zu", manager->count);
		setenv("LISTEN_FDS", number, 1);
		snprintf(number, sizeof(number), "%d", (int)getpid());
		setenv("LISTEN_PID", number, 1);
	}
	snprintf(number, sizeof(number), "%d", ENTRIES_MAX);
	setenv("FDSTORE", number, 1);
	setenv("NOTIFY_SOCKET", manager->address, 1);
	execvp(manager->command[0], manager->command);
	bench_fail("%s: %s", manager->command[0], strerror(errno));
}

static void wait_until_ready(Manager *manager)
{
	struct pollfd poll_for = { .fd = manager->socket, .events = POLLIN };

	for (manager->is_ready = false; !manager->is_ready;) {
		if (poll(&poll_for, 1, 100) > 0)
			hear(manager);
		else if (waitpid(manager->service, NULL, WNOHANG) != 0)
			bench_fail("the daemon does not start");
	}
}

typedef struct Start {
	uint64_t took; /* nanoseconds */
	uint64_t cpu;  /* of which it ran */
} Start;

/* From exec, which closes a pipe, to "ready". */
static Start start(Manager *manager)
{
	int ends[2], above;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe2: %s", strerror(errno));
	above = fcntl(ends[1], F_DUPFD_CLOEXEC, FIRST_STORED);
	close(ends[1]);
	manager->service = fork();
	if (manager->service < 0)
		bench_fail("fork: %s", strerror(errno));
	if (manager->service == 0)
		execute(manager);
	close(above);
	if (read(ends[0], &byte, 1) != 0)
		bench_fail("the pipe does not end");
	uint64_t begin = bench_now(), cpu = bench_cpu(manager->service);
	close(ends[0]);
	wait_until_ready(manager);
	return (Start){ .took = bench_now() - begin, .cpu = bench_cpu(manager->service) - cpu };
}

static void stop(Manager *manager)
{
	kill(manager->service, SIGKILL);
	waitpid(manager->service, NULL, 0);
}

static void measure(Manager *manager, const char *what)
{
	double took[ROUNDS], cpu[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		stop(manager);
		Start this = start(manager);
		took[round] = (double)this.took / MILLISECOND;
		cpu[round] = (double)this.cpu / MILLISECOND;
	}
	double median = bench_median(took, ROUNDS); /* sorts them */
	printf("%-66s %6zu %8.2f %8.2f  (%.2f to %.2f)\n", what, manager->count,
	       bench_median(cpu, ROUNDS), median, took[0], took[ROUNDS - 1]);
	fflush(stdout);
}

/* Hears the daemon until there is a line on stdin. Returns whether there is one. */
static bool read_line(Manager *manager, char *line, int size)
{
	struct pollfd poll_for[] = {
		{ .fd = manager->socket, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	/* What it has stored comes first. */
	while (poll(poll_for, 2, -1) < 0 || (poll_for[0].revents & POLLIN))
		hear(manager);
	if (!fgets(line, size, stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	static Manager manager;
	struct rlimit limit = { DESCRIPTORS_MAX, DESCRIPTORS_MAX };
	char line[256];

	if (argc < 2)
		bench_fail("usage: start-bench COMMAND...");
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		printf("starts: skipped, this host allows too few descriptors\n");
		return EXIT_SUCCESS;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	manager.command = argv + 1;
	open_socket(&manager);
	start(&manager);
	puts("ready");
	fflush(stdout);
	while (read_line(&manager, line, sizeof(line)))
		measure(&manager, line);
	stop(&manager);
	return EXIT_SUCCESS;
}
