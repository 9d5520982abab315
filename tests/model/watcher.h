/* SPDX-License-Identifier: MIT */
#ifndef TESTS_WATCHER_H
#define TESTS_WATCHER_H

#include "fake-host.h"
#include "texts.h"

/*
 * Somebody who watches: a session with io.vaild.Watch under way, and what it makes of the events.
 * Each event is held against what the watcher knows already (nothing comes twice, nothing goes that
 * never came) and, once it is current, against the broker's own order of events.
 */
typedef struct Watcher {
	Session session;
	World *world;
	Buffer out;
	SessionState state;
	bool is_ready;   /* the service says that there is something to tell */
	bool is_current; /* the event of that kind has come */
	bool is_over;    /* the last reply has come */
	char guid[40];   /* "" for all */
	Texts known;     /* see state_read(): what there is, from the events alone */
	size_t told;     /* events of the world that it has heard, or need not hear */
	size_t events;
	char last_kind[32];
	char last_reason[48];
	uint64_t last_pid;
} Watcher;

/* Watches one VM, or all with guid NULL. The world's watch_ready has to be watcher_ready(). */
Watcher *watcher_new(World *world, Caller *caller, const char *guid);
void watcher_free(Watcher *watcher);

void watcher_ready(Session *session);

/*
 * Lets the session write until about so many bytes are there, or it waits, and takes them. A few
 * bytes are one event. Nothing happens while it waits and nothing is ready, as in the daemon.
 */
void watcher_take(Watcher *watcher, size_t bytes);

/* Takes all that there is, until it waits, is over or is dropped. */
void watcher_drain(Watcher *watcher);

/* Writes without anything being taken, as for one that has stopped reading. */
void watcher_stall(Watcher *watcher);

/* All that an operator is told by the lists, as texts: "vm GUID", "vgpu GUID HANDLE ADAPTER",
 * "registration GUID PID", "quarantine GUID REASON", "adapter HANDLE". guid: of one VM, or NULL. */
void state_read(World *world, Caller *operator, const char * guid, Texts *ret);

#endif
