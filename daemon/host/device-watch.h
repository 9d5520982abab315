/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_DEVICE_WATCH_H
#define DAEMON_HOST_DEVICE_WATCH_H

#include <event2/event_struct.h>

/*
 * Lists the GPU devices of the host at the start, and again when one comes or goes.
 *
 * udev has a file for each DRM node in its database, and this folder is watched. The messages of
 * udev itself do not reach the network namespace of the unit. Their other ways would need
 * AF_NETLINK in the host's network, or the system bus. This one needs no permission at all.
 */
typedef struct DeviceWatch {
	struct Server *server;
	int inotify; /* -1 if there is none */
	int error;   /* negative errno if the folder exists and cannot be watched, else 0 */
	struct event changed_event;
	struct event settled_event; /* 200 ms after a change, for the other nodes of the device */
} DeviceWatch;

void device_watch_init(DeviceWatch *watch, struct Server *server);
void device_watch_deinit(DeviceWatch *watch);

/*
 * Reads the devices now. Call it at the start and at each reload. A failure to read or watch
 * them is logged, and is a remark of GetStatus until that has succeeded.
 */
void device_watch_read(DeviceWatch *watch);

#endif
