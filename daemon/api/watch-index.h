/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_WATCH_INDEX_H
#define DAEMON_API_WATCH_INDEX_H

#include "daemon/api/stream.h"

/*
 * Finds the watches that may see an event, so that the watches of all other callers cost nothing.
 * Watches are found by what their callers are: operators and observers, a process, or processes of
 * a user.
 */

void watch_index_add(Service *service, Stream *watch);
void watch_index_remove(Service *service, Stream *watch);

/* Moves the watch to its place if a reload has changed whether its caller sees everything. */
void watch_index_reclassify(Service *service, Stream *watch);

typedef struct WatchVisit WatchVisit;

/* A visit to the watches that may see an event. */
struct WatchVisit {
	Service *service;
	const Event *event;
	void (*visit)(WatchVisit *visit, Stream *watch);
};

/*
 * Calls visit once for each watch whose caller may see the event, and perhaps for some others. It
 * must not add or remove watches. event->entity is not NULL; vm is the running VM that it belongs
 * to, or NULL.
 */
void watch_index_visit(WatchVisit *visit, const VirtualMachine *vm);

#endif
