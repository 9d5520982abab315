/* SPDX-License-Identifier: MIT */
#ifndef HOST_SERVICE_MANAGER_H
#define HOST_SERVICE_MANAGER_H

#include <event2/event_struct.h>

#include "service.h"

/*
 * What systemd is told: that the daemon is ready, reloads or stops, that its event loop turns, and
 * in a line what is going on. Without a service manager nothing is said, and nothing costs.
 */
#define STATUS_LINE_SIZE 128

typedef struct ServiceManager {
	const Service *service;
	bool listens;
	struct event watchdog_event;
	struct event status_event;
	char status[STATUS_LINE_SIZE]; /* that was told last */
	uint64_t restoring_told;       /* when, in microseconds; 0: never */
} ServiceManager;

void service_manager_init(ServiceManager *manager, struct event_base *base, const Service *service);
void service_manager_deinit(ServiceManager *manager);

/* Also after a reload, whether it succeeded or not. */
void service_manager_ready(ServiceManager *manager);

void service_manager_reloading(ServiceManager *manager);

/*
 * A restore goes on: so many of its things are done. Now and then the service manager is told, so
 * that it waits for as long as it takes: one that does not go on is killed nevertheless.
 */
void service_manager_restoring(ServiceManager *manager, size_t done, size_t count);

void service_manager_stopping(ServiceManager *manager);

/* What the status line counts may be another: it is told within a second, once. */
void service_manager_changed(ServiceManager *manager);

#endif
