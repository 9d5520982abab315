/* SPDX-License-Identifier: MIT */
#include "daemon/host/device-watch.h"

#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "daemon/discovery/device-adapters.h"
#include "daemon/host/log/log.h"
#include "daemon/host/server.h"
#include "proto/fd-util.h"

#define UDEV_DATABASE "/run/udev/data"

/* The names of the files of DRM nodes, which have the major number 226. */
#define DRM_NODE_PREFIX "c226:"

/* A device has several nodes, which udev handles one after another. */
static const struct timeval settling = { .tv_usec = 200000 };

/* --- reading --------------------------------------------------------------------------------- */

/* Logs a problem, unless it was the last one, and keeps it for GetStatus. NULL means none. */
static void set_problem(Server *server, const char *problem)
{
	char *text = server->service.statistics.devices;

	if (problem && strcmp(text, problem) != 0)
		log_warning("the GPU devices of the host %s", problem);
	snprintf(text, STATISTICS_DEVICES_SIZE, "%s", problem ? problem : "");
}

static void report(const DeviceWatch *watch, int error, const DeviceAdapters *result)
{
	Server *server = watch->server;
	char problem[STATISTICS_DEVICES_SIZE];

	if (error < 0)
		snprintf(problem, sizeof(problem),
			 "cannot be read from %s/class/drm: %s; let vaild read it, then run "
			 "\"vailctl reload\"",
			 server->options.roots.sys, strerror(-error));
	else if (result->has_no_room)
		snprintf(problem, sizeof(problem),
			 "are not all listed, because memory ran out; run \"vailctl reload\" when "
			 "there is more");
	else if (result->unreadable > 0)
		snprintf(problem, sizeof(problem),
			 "could not all be looked at, and those are listed as they were: %zu of "
			 "them below %s, %s; let vaild read them, then run \"vailctl reload\"",
			 result->unreadable, server->options.roots.sys, strerror(-result->error));
	else if (result->left_out > 0)
		snprintf(problem, sizeof(problem),
			 "are too many: %zu of them are not listed, because vaild lists at most %d",
			 result->left_out, LIMIT_FOUND_ADAPTERS);
	else if (watch->error < 0)
		snprintf(problem, sizeof(problem),
			 "are not watched, because %s cannot be: %s; run \"vailctl reload\" when a "
			 "device has come or gone",
			 UDEV_DATABASE, strerror(-watch->error));
	else
		problem[0] = '\0';
	set_problem(server, problem[0] != '\0' ? problem : NULL);
	if (error == 0 && result->added + result->removed > 0)
		log_info("GPU devices of the host: %zu new, %zu gone", result->added,
			 result->removed);
}

static void read_devices(DeviceWatch *watch)
{
	Server *server = watch->server;
	DeviceAdapters result = { 0 };
	int error =
		device_adapters_update(server->service.broker, server->options.roots.sys, &result);

	report(watch, error, &result);
	upkeep_after_change(&server->upkeep);
}

/* --- changes --------------------------------------------------------------------------------- */

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	read_devices(context);
}

/* Tests whether one of the events is about a DRM node, or says that events were lost. */
static bool concern_gpus(const char *events, size_t size)
{
	size_t offset = 0;

	while (offset + sizeof(struct inotify_event) <= size) {
		struct inotify_event head;

		memcpy(&head, events + offset, sizeof(head));
		offset += sizeof(head);
		if (head.mask & IN_Q_OVERFLOW)
			return true;
		if (head.len > 0 &&
		    strncmp(events + offset, DRM_NODE_PREFIX, sizeof(DRM_NODE_PREFIX) - 1) == 0)
			return true;
		offset += head.len;
	}
	return false;
}

/* Reads the devices a while after the first change, so that a storm of changes is one. */
static void on_changed(evutil_socket_t fd, short what, void *context)
{
	DeviceWatch *watch = context;
	char events[4 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	ssize_t size = read(fd, events, sizeof(events));

	(void)what;
	if (size > 0 && concern_gpus(events, (size_t)size) &&
	    !event_pending(&watch->settled_event, EV_TIMEOUT, NULL))
		event_add(&watch->settled_event, &settling);
}

/* Starts the watch of udev's database. Returns its inotify fd, or a negative errno. */
static int open_inotify(void)
{
	_cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (inotify < 0 ||
	    inotify_add_watch(inotify, UDEV_DATABASE, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0)
		return -errno;
	return TAKE_FD(inotify);
}

/* Watches udev's database, unless that has begun. A host without udev has none. */
static void begin_to_watch(DeviceWatch *watch)
{
	if (watch->inotify >= 0)
		return;
	int inotify = open_inotify();
	watch->error = inotify < 0 && inotify != -ENOENT ? inotify : 0;
	if (inotify < 0)
		return;
	watch->inotify = inotify;
	event_assign(&watch->changed_event, watch->server->base, watch->inotify,
		     EV_READ | EV_PERSIST, on_changed, watch);
	event_priority_set(&watch->changed_event, 1);
	event_add(&watch->changed_event, NULL);
}

void device_watch_init(DeviceWatch *watch, struct Server *server)
{
	*watch = (DeviceWatch){ .server = server, .inotify = -1 };
	event_assign(&watch->settled_event, server->base, -1, 0, on_settled, watch);
	event_priority_set(&watch->settled_event, 1);
}

void device_watch_deinit(DeviceWatch *watch)
{
	event_del(&watch->settled_event);
	if (watch->inotify >= 0)
		event_del(&watch->changed_event);
	fd_close(&watch->inotify);
}

void device_watch_read(DeviceWatch *watch)
{
	/* Watch first, so that no change is lost in between. */
	begin_to_watch(watch);
	read_devices(watch);
}
