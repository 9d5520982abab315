/* SPDX-License-Identifier: MIT */
#include "client/libvail/reconnect.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

#include "proto/fd-util.h"

/* The delay between two attempts, in milliseconds. */
#define DELAY_MIN 10
#define DELAY_MAX 1000

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int epoll_add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Watches the directory of the path. Returns an inotify fd, or -1 if it cannot be watched. */
static int watch_directory(const char *path)
{
	_cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	size_t length = (size_t)(base_name(path) - path);
	char name[PATH_MAX];

	if (inotify < 0 || length >= sizeof(name))
		return -1;
	snprintf(name, sizeof(name), "%.*s", length > 0 ? (int)length : 1, length > 0 ? path : ".");
	if (inotify_add_watch(inotify, name, IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0)
		return -1;
	return TAKE_FD(inotify);
}

int reconnect_begin(Reconnect *reconnect, const char *path)
{
	_cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	_cleanup_close_ int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	_cleanup_close_ int inotify = -1;

	if (epoll < 0 || timer < 0)
		return -errno;
	int error = epoll_add(epoll, timer);
	if (error < 0)
		return error;
	inotify = watch_directory(path);
	if (inotify >= 0 && (error = epoll_add(epoll, inotify)) < 0)
		return error;
	reconnect->epoll = TAKE_FD(epoll);
	reconnect->timer = TAKE_FD(timer);
	reconnect->inotify = TAKE_FD(inotify);
	return 0;
}

void reconnect_end(Reconnect *reconnect)
{
	fd_close(&reconnect->epoll);
	fd_close(&reconnect->timer);
	fd_close(&reconnect->inotify);
}

void reconnect_delay(Reconnect *reconnect)
{
	unsigned int delay = reconnect->delay > 0 ? reconnect->delay * 2 : DELAY_MIN;

	reconnect->delay = delay < DELAY_MAX ? delay : DELAY_MAX;
	struct itimerspec at = {
		.it_value = { .tv_sec = reconnect->delay / 1000,
			      .tv_nsec = reconnect->delay % 1000 * 1000000L },
	};
	timerfd_settime(reconnect->timer, 0, &at, NULL);
}

/* Tests whether one of the events is about a file of this name. */
static bool mentions(const char *events, size_t size, const char *name)
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

bool reconnect_is_due(Reconnect *reconnect, const char *path)
{
	char events[4096];
	bool socket_appeared = false;
	uint64_t expirations;
	ssize_t size;

	while (reconnect->inotify >= 0 &&
	       (size = read(reconnect->inotify, events, sizeof(events))) > 0)
		socket_appeared |= mentions(events, (size_t)size, base_name(path));
	if (socket_appeared)
		reconnect->delay = 0;
	return read(reconnect->timer, &expirations, sizeof(expirations)) > 0 || socket_appeared;
}
