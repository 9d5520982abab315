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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"
#include "naive-manager.h"

#define ABOVE_PASSED    8704 /* where no descriptor that is passed comes to lie */
#define DESCRIPTORS_MAX 16384
#define ROUNDS          11
#define MILLISECOND     1e6

typedef struct Bench {
	char **command;
	NaiveManager manager;
	pid_t service;
} Bench;

static void wait_until_ready(Bench *bench)
{
	struct pollfd poll_for = { .fd = bench->manager.socket, .events = POLLIN };

	while (!bench->manager.is_ready) {
		if (poll(&poll_for, 1, 100) > 0)
			naive_manager_hear(&bench->manager);
		else if (waitpid(bench->service, NULL, WNOHANG) != 0)
			bench_fail("the daemon does not start");
	}
}

typedef struct Start {
	uint64_t took; /* nanoseconds */
	uint64_t cpu;  /* of which it ran */
} Start;

/* From exec, which closes a pipe, to "ready". */
static Start start(Bench *bench)
{
	int ends[2], above;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe2: %s", strerror(errno));
	above = fcntl(ends[1], F_DUPFD_CLOEXEC, ABOVE_PASSED);
	close(ends[1]);
	bench->service = naive_manager_start(&bench->manager, bench->command, -1);
	close(above);
	if (read(ends[0], &byte, 1) != 0)
		bench_fail("the pipe does not end");
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
	double median = bench_median(took, ROUNDS); /* sorts them */
	printf("%-66s %6zu %8.2f %8.2f  (%.2f to %.2f)\n", what, bench->manager.count,
	       bench_median(cpu, ROUNDS), median, took[0], took[ROUNDS - 1]);
	fflush(stdout);
}

/* Hears the daemon until there is a line on stdin. Returns whether there is one. */
static bool read_line(Bench *bench, char *line, int size)
{
	struct pollfd poll_for[] = {
		{ .fd = bench->manager.socket, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	/* What it has stored comes first. */
	while (poll(poll_for, 2, -1) < 0 || (poll_for[0].revents & POLLIN))
		naive_manager_hear(&bench->manager);
	if (!fgets(line, size, stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	static Bench bench;
	struct rlimit limit = { DESCRIPTORS_MAX, DESCRIPTORS_MAX };
	char line[256];

	if (argc < 2)
		bench_fail("usage: start-bench COMMAND...");
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		printf("starts: skipped, this host allows too few descriptors\n");
		return EXIT_SUCCESS;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	bench.command = argv + 1;
	naive_manager_init(&bench.manager, NAIVE_ENTRIES_MAX);
	start(&bench);
	puts("ready");
	fflush(stdout);
	while (read_line(&bench, line, sizeof(line)))
		measure(&bench, line);
	stop(&bench);
	return EXIT_SUCCESS;
}
