/* SPDX-License-Identifier: MIT */
/*
 * start-bench COMMAND...: measures the time of the daemon COMMAND... from exec to "ready". Starts
 * it under a fake service manager with an fd store, and prints "ready". Each line on stdin
 * describes the entities that the daemon has by then: start-bench kills and restarts the daemon
 * several times, passing it the stored fds, and prints the description and the medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fake-service-manager.h"
#include "tests/support/measure.h"

#define ABOVE_PASSED 8704 /* greater than the number of any passed fd */
#define FDS_MAX      16384
#define ROUNDS       11
#define MILLISECOND  1e6

typedef struct Bench {
	char **command;
	FakeServiceManager manager;
	pid_t service;
} Bench;

static void wait_until_ready(Bench *bench)
{
	struct pollfd poll_for = { .fd = bench->manager.socket, .events = POLLIN };

	while (!bench->manager.is_ready) {
		if (poll(&poll_for, 1, 100) > 0)
			fake_service_manager_read(&bench->manager);
		else if (waitpid(bench->service, NULL, WNOHANG) != 0)
			bench_fail("the daemon did not start");
	}
}

typedef struct Start {
	uint64_t took; /* nanoseconds */
	uint64_t cpu;  /* CPU time in nanoseconds */
} Start;

/* Measures a start from exec, when a pipe with O_CLOEXEC closes, to "ready". */
static Start start(Bench *bench)
{
	int ends[2], above;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe2: %s", strerror(errno));
	above = fcntl(ends[1], F_DUPFD_CLOEXEC, ABOVE_PASSED);
	close(ends[1]);
	bench->service = fake_service_manager_start(&bench->manager, bench->command, -1);
	close(above);
	if (read(ends[0], &byte, 1) != 0)
		bench_fail("the daemon wrote to a pipe that exec should have closed");
	uint64_t begin = bench_now(), cpu = bench_cpu(bench->service);
	close(ends[0]);
	wait_until_ready(bench);
	return (Start){ .took = bench_now() - begin, .cpu = bench_cpu(bench->service) - cpu };
}

static void stop(Bench *bench)
{
	kill(bench->service, SIGKILL);
	waitpid(bench->service, NULL, 0);
}

static void measure(Bench *bench, const char *what)
{
	double took[ROUNDS], cpu[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		stop(bench);
		Start this = start(bench);
		took[round] = (double)this.took / MILLISECOND;
		cpu[round] = (double)this.cpu / MILLISECOND;
	}
	double median = bench_median(took, ROUNDS); /* sorts the times */
	printf("%-66s %6zu %8.2f %8.2f  (%.2f to %.2f)\n", what, bench->manager.count,
	       bench_median(cpu, ROUNDS), median, took[0], took[ROUNDS - 1]);
	fflush(stdout);
}

/* Handles the daemon's messages until stdin has a line. Returns false at the end of stdin. */
static bool read_line(Bench *bench, char *line, int size)
{
	struct pollfd poll_for[] = {
		{ .fd = bench->manager.socket, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	/* Handle all messages first, because they store fds. */
	while (poll(poll_for, 2, -1) < 0 || (poll_for[0].revents & POLLIN))
		fake_service_manager_read(&bench->manager);
	if (!fgets(line, size, stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	static Bench bench;
	struct rlimit limit = { FDS_MAX, FDS_MAX };
	char line[256];

	if (argc < 2)
		bench_fail("usage: start-bench COMMAND...");
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		printf("starts: skipped, because this host limits processes to fewer than %d fds\n",
		       FDS_MAX);
		return EXIT_SUCCESS;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	bench.command = argv + 1;
	fake_service_manager_init(&bench.manager, FAKE_FDSTORE_MAX);
	start(&bench);
	puts("ready");
	fflush(stdout);
	while (read_line(&bench, line, sizeof(line)))
		measure(&bench, line);
	stop(&bench);
	return EXIT_SUCCESS;
}
