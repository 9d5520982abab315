/* SPDX-License-Identifier: MIT */
#include "daemon/host/service-manager.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon/host/log/log.h"

static const struct timeval status_delay = { .tv_sec = 1 };

/* Interval between progress messages, and the start timeout that each sets, in microseconds. */
#define RESTORING_INTERVAL UINT64_C(1000000)
#define RESTORING_TIMEOUT  UINT64_C(30000000)

/* The time for which a start that has failed shows its status line. */
#define FAILED_START_SECONDS 5

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	sd_notify(false, "WATCHDOG=1");
}

/* Updates the status line. Returns whether it has changed. */
static bool write_status(ServiceManager *manager)
{
	const uint64_t *used = manager->service->broker->accounts.used;
	uint64_t machines = used[LIMIT_VIRTUAL_MACHINES];
	uint64_t registrations = used[LIMIT_REGISTRATIONS];
	uint64_t connections = used[LIMIT_CONNECTIONS];
	const char *mistake = manager->service->statistics.configuration;
	char status[STATUS_LINE_SIZE];

	snprintf(status, sizeof(status),
		 "%s%s%s%" PRIu64 " VM%s, %" PRIu64 " registration%s, %" PRIu64 " connection%s",
		 *mistake ? "The configuration " : "", mistake, *mistake ? "; " : "", machines,
		 machines == 1 ? "" : "s", registrations, registrations == 1 ? "" : "s",
		 connections, connections == 1 ? "" : "s");
	bool is_new = strcmp(status, manager->status) != 0;
	memcpy(manager->status, status, sizeof(status));
	return is_new;
}

static void on_status(evutil_socket_t fd, short what, void *context)
{
	ServiceManager *manager = context;

	(void)fd;
	(void)what;
	if (write_status(manager))
		sd_notifyf(false, "STATUS=%s", manager->status);
}

/*
 * The watchdog event has the same priority as connections, so a watchdog message proves that they
 * are served.
 */
void service_manager_init(ServiceManager *manager, struct event_base *base, const Service *service)
{
	uint64_t period;

	*manager = (ServiceManager){ .service = service, .listens = getenv("NOTIFY_SOCKET") };
	event_assign(&manager->status_event, base, -1, 0, on_status, manager);
	event_assign(&manager->watchdog_event, base, -1, EV_PERSIST, on_watchdog, manager);
	event_priority_set(&manager->watchdog_event, 1);
	if (sd_watchdog_enabled(false, &period) > 0) {
		struct timeval half = {
			.tv_sec = (time_t)(period / 2 / 1000000),
			.tv_usec = (suseconds_t)(period / 2 % 1000000),
		};
		event_add(&manager->watchdog_event, &half);
	}
}

void service_manager_deinit(ServiceManager *manager)
{
	event_del(&manager->watchdog_event);
	event_del(&manager->status_event);
}

void service_manager_ready(ServiceManager *manager)
{
	write_status(manager);
	sd_notifyf(false, "READY=1\nSTATUS=%s", manager->status);
}

static uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void service_manager_reloading(ServiceManager *manager)
{
	(void)manager;
	sd_notifyf(false,
		   "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading the configuration.",
		   monotonic_now());
}

void service_manager_restoring(ServiceManager *manager, size_t done, size_t count)
{
	uint64_t now = manager->listens ? monotonic_now() : 0;

	if (!manager->listens || now - manager->restoring_told < RESTORING_INTERVAL)
		return;
	manager->restoring_told = now;
	sd_notifyf(false,
		   "EXTEND_TIMEOUT_USEC=%" PRIu64
		   "\nSTATUS=Restoring persisted records: %zu of %zu.",
		   RESTORING_TIMEOUT, done, count);
}

void service_manager_stopping(ServiceManager *manager)
{
	(void)manager;
	sd_notify(false, "STOPPING=1\nSTATUS=Stopping.");
}

void service_manager_failed(void)
{
	if (sd_booted() <= 0 || !getenv("INVOCATION_ID") || !getenv("NOTIFY_SOCKET"))
		return;
	sd_notifyf(false, "STATUS=Cannot start, and will try again: %s", log_last_error());
	sleep(FAILED_START_SECONDS);
}

void service_manager_changed(ServiceManager *manager)
{
	if (manager->listens && !event_pending(&manager->status_event, EV_TIMEOUT, NULL))
		event_add(&manager->status_event, &status_delay);
}
