/* SPDX-License-Identifier: MIT */
/* Functions that all benchmarks use. */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/measure.h"

void bench_fail(const char *format, ...)
{
	va_list arguments;

	fputs("bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

int bench_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		bench_fail("%s: %s", path, strerror(errno));
	return connection;
}

void bench_send(int connection, const void *data, size_t size)
{
	const char *rest = data;

	while (size > 0) {
		ssize_t sent = send(connection, rest, size, MSG_NOSIGNAL);
		if (sent < 0)
			bench_fail("send: %s", strerror(errno));
		rest += sent;
		size -= (size_t)sent;
	}
}

void bench_receive(int connection, size_t size)
{
	static char input[65536];

	while (size > 0) {
		ssize_t received =
			read(connection, input, size < sizeof(input) ? size : sizeof(input));
		if (received <= 0)
			bench_fail("the server closed the connection");
		size -= (size_t)received;
	}
}

size_t bench_measure_reply(int connection, const char *request, size_t request_size)
{
	size_t size = 0;
	char byte;

	bench_send(connection, request, request_size);
	do {
		if (read(connection, &byte, 1) != 1)
			bench_fail("the server closed the connection");
		size++;
	} while (byte != '\0');
	return size;
}

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_cpu(pid_t pid)
{
	char path[64];
	unsigned long long used = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &used) != 1)
		bench_fail("cannot read %s", path);
	fclose(file);
	return used;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void bench_pin_to_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		bench_fail("cannot pin to one CPU: %s", strerror(errno));
}
