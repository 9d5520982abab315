/* SPDX-License-Identifier: MIT */
/* Measures the daemon's memory for an idle connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/requests/bench.h"
#include "tests/support/measure.h"

#define CONNECTIONS 8000

size_t bench_anonymous_memory(pid_t pid)
{
	char path[64], line[256];
	size_t kilobytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		bench_fail("cannot read %s", path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kilobytes = strtoul(line + 8, NULL, 10);
	fclose(file);
	return kilobytes * 1024;
}

void bench_idle_connections(const char *path, pid_t pid)
{
	static const char request[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	struct rlimit limit = { CONNECTIONS + 64, CONNECTIONS + 64 };
	static int connections[CONNECTIONS];

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
		printf("idle connections: skipped, because this host limits processes to fewer "
		       "than %d "
		       "fds\n",
		       CONNECTIONS + 64);
		return;
	}
	size_t before = bench_anonymous_memory(pid);
	for (int i = 0; i < CONNECTIONS; i++) {
		connections[i] = bench_connect(path);
		bench_measure_reply(connections[i], request, sizeof(request));
	}
	size_t after = bench_anonymous_memory(pid);
	printf("Memory of an idle connection after one request, average of %d: %zu bytes\n",
	       CONNECTIONS, (after - before) / CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++)
		close(connections[i]);
}
