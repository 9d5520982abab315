/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/wait.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/common/user-message.h"

static int64_t system_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const WaitClock wait_system_clock = { .now = system_now, .poll = poll };

void wait_begin(Wait *wait, const WaitClock *clock, const char *format, ...)
{
	va_list arguments;

	*wait = (Wait){ .clock = clock, .begin = clock->now() };
	va_start(arguments, format);
	vsnprintf(wait->what, sizeof(wait->what), format, arguments);
	va_end(arguments);
}

bool wait_is_over(Wait *wait)
{
	int64_t passed = wait->clock->now() - wait->begin;

	if (passed >= WAIT_REMARK && !wait->has_logged) {
		log_message("waiting for %s", wait->what);
		wait->has_logged = true;
	}
	return passed >= WAIT_LIMIT;
}

bool wait_for_fd(Wait *wait, int fd, short events, int milliseconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	if (wait_is_over(wait))
		return false;
	int64_t next = wait->begin + (wait->has_logged ? WAIT_LIMIT : WAIT_REMARK);
	int64_t left = next - wait->clock->now();
	if (milliseconds < 0 || left < milliseconds)
		milliseconds = left > 0 ? (int)left : 0;
	wait->clock->poll(&poll_fd, 1, milliseconds);
	return true;
}

/* Tests whether the process is stopped by a signal or a debugger. */
static bool process_is_stopped(pid_t pid)
{
	char path[32], text[256];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	/* The state follows the program's name, which may contain parentheses. */
	const char *end = strrchr(text, ')');
	return end && (strncmp(end, ") T", 3) == 0 || strncmp(end, ") t", 3) == 0);
}

void wait_log_failure(const Wait *wait, pid_t qemu, const char *advice)
{
	if (qemu > 0 && process_is_stopped(qemu))
		log_message("gave up after %d seconds of waiting for %s: QEMU is stopped; continue "
			    "it with: kill -CONT %d",
			    WAIT_LIMIT / 1000, wait->what, (int)qemu);
	else
		log_message("gave up after %d seconds of waiting for %s: %s", WAIT_LIMIT / 1000,
			    wait->what, advice);
}
