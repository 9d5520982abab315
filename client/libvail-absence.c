/* SPDX-License-Identifier: MIT */
#include "libvail-absence.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

#include "fd-util.h"

/* Between tries, in milliseconds. */
#define DELAY_MIN 10
#define DELAY_MAX 1000

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Puts the descriptor among those of epoll. */
static int add(int epoll, int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

/* Of the folder of the path. Returns -1 where it cannot be watched. */
static int watch_folder(const char *path)
{
	_cleanup_close_ int folder = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	size_t length = (size_t)(base_name(path) - path);
	char name[PATH_MAX];

	if (folder < 0 || length >= sizeof(name))
		return -1;
	snprintf(name, sizeof(name), "%.*s", length > 0 ? (int)length : 1, length > 0 ? path : ".");
	if (inotify_add_watch(folder, name, IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0)
		return -1;
	return TAKE_DESCRIPTOR(folder);
}

int absence_begin(Absence *absence, const char *path)
{
	_cleanup_close_ int descriptor = epoll_create1(EPOLL_CLOEXEC);
	_cleanup_close_ int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	_cleanup_close_ int folder = -1;

	if (descriptor < 0 || timer < 0)
		return -errno;
	int error = add(descriptor, timer);
	if (error < 0)
		return error;
	folder = watch_folder(path);
	if (folder >= 0 && (error = add(descriptor, folder)) < 0)
		return error;
	absence->descriptor = TAKE_DESCRIPTOR(descriptor);
	absence->timer = TAKE_DESCRIPTOR(timer);
	absence->folder = TAKE_DESCRIPTOR(folder);
	return 0;
}

void absence_end(Absence *absence)
{
	fd_close(&absence->descriptor);
	fd_close(&absence->timer);
	fd_close(&absence->folder);
}

void absence_put_off(Absence *absence)
{
	unsigned int delay = absence->delay > 0 ? absence->delay * 2 : DELAY_MIN;

	absence->delay = delay < DELAY_MAX ? delay : DELAY_MAX;
	struct itimerspec at = {
		.it_value = { .tv_sec = absence->delay / 1000,
			      .tv_nsec = absence->delay % 1000 * 1000000L },
	};
	timerfd_settime(absence->timer, 0, &at, NULL);
}

/* Whether one of the events is about a file of this name. */
static bool tells_of(const char *events, size_t size, const char *name)
{
	for (size_t at = 0; at + sizeof(struct inotify_event) <= size;) {
		struct inotify_event event;

		memcpy(&event, events + at, sizeof(event));
		at += sizeof(event);
		if (event.len > 0 && strcmp(events + at, name) == 0)
			return true;
		at += event.len;
	}
	return false;
}

bool absence_may_be_over(Absence *absence, const char *path)
{
	char events[4096];
	bool has_appeared = false;
	uint64_t expirations;
	ssize_t size;

	while (absence->folder >= 0 && (size = read(absence->folder, events, sizeof(events))) > 0)
		has_appeared |= tells_of(events, (size_t)size, base_name(path));
	if (has_appeared)
		absence->delay = 0;
	return read(absence->timer, &expirations, sizeof(expirations)) > 0 || has_appeared;
}
