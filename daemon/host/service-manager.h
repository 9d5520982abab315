/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_SERVICE_MANAGER_H
#define DAEMON_HOST_SERVICE_MANAGER_H

#include <event2/event_struct.h>

#include "daemon/api/service.h"

/*
 * Notifies systemd when the daemon is ready, reloads or stops, serves the watchdog, and updates the
 * status line. Does nothing without a service manager.
 */
#define STATUS_LINE_SIZE (STATISTICS_CONFIGURATION_SIZE + 128)

typedef struct ServiceManager {
	const Service *service;
	bool listens; /* there is a service manager */
	struct event watchdog_event;
	struct event status_event;
	char status[STATUS_LINE_SIZE]; /* as last sent */
	uint64_t restoring_told; /* time of the last progress message, in microseconds; 0 if none */
} ServiceManager;

void service_manager_init(ServiceManager *manager, struct event_base *base, const Service *service);
void service_manager_deinit(ServiceManager *manager);

/* Call after the start, and after each reload whether it succeeded or not. */
void service_manager_ready(ServiceManager *manager);

void service_manager_reloading(ServiceManager *manager);

/*
 * Reports the progress of a restore: done of count persisted records. Extends the start timeout at
 * most once a second, so that a long restore is not killed, but one that hangs is.
 */
void service_manager_restoring(ServiceManager *manager, size_t done, size_t count);

void service_manager_stopping(ServiceManager *manager);

/*
 * Call if the daemon cannot start. The unit's status line then names the last error. Waits for
 * a few seconds, because systemd starts the daemon again as soon as it exits.
 */
void service_manager_failed(void);

/* Call when a number in the status line may have changed. It is sent within a second. */
void service_manager_changed(ServiceManager *manager);

#endif
