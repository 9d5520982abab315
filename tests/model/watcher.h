/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_WATCHER_H
#define TESTS_MODEL_WATCHER_H

#include "tests/model/texts.h"
#include "tests/support/fake-host.h"

/*
 * A session with a running io.vaild.Watch call. It checks every event that it receives, and no
 * reply may follow the last one. Two kinds of watcher differ in what else they check:
 *
 * watcher_new() derives the state of the service from the events. No event may add something that
 * exists or end something that does not. Once the watcher is current, the events must also come in
 * the order in which the broker reported them to the fake host.
 *
 * watcher_new_expecting() ignores all events but the ends of GPU processes and resident page
 * tables. Each of these must have been announced with watcher_expect(), and each must come once.
 */

#define WATCHER_EXPECTED_MAX 256

/* An event that a watcher must still receive. */
typedef struct ExpectedEvent {
	char text[160]; /* see watcher_expect() */
	uint64_t step;
} ExpectedEvent;

typedef struct Watcher Watcher;

struct Watcher {
	Session session;
	FakeHost *fake_host;
	void (*check)(Watcher *watcher, const char *kind, const JsonValue *event);
	Buffer out;
	SessionState state;
	bool is_ready;   /* the service has announced output since the last read */
	bool is_current; /* the event "current" has been received */
	bool is_over;    /* the last reply has been received */
	char guid[40];   /* empty if all VMs are watched */
	size_t events;   /* number of events received */
	char last_kind[32];
	char last_reason[48];
	uint64_t last_pid;

	/* Used by watcher_new() only. */
	Texts derived;      /* state according to the events, in the format of state_read() */
	size_t events_seen; /* events of the fake host that were received or do not concern it */

	/* Used by watcher_new_expecting() only. */
	ExpectedEvent expected[WATCHER_EXPECTED_MAX];
	size_t expected_count;
	size_t matched;                /* number of expected events received */
	size_t matched_before_current; /* those received while the existing state was reported */
};

/*
 * Start watching one VM, or all if guid is NULL, and read the first event. The watch_ready function
 * of the fake host's service must be watcher_ready().
 */
Watcher *watcher_new(FakeHost *fake_host, Caller *caller, const char *guid);
Watcher *watcher_new_expecting(FakeHost *fake_host, Caller *caller, const char *guid);
void watcher_free(Watcher *watcher);

void watcher_ready(Session *session);

/*
 * Announces an event as "KIND PROCESS ADAPTER GUID DETAIL". GUID is empty if the GPU process serves
 * no VM. DETAIL is the reason of an end or the address of a page table. Events of one step may come
 * in any order, events of different steps must not.
 */
void watcher_expect(Watcher *watcher, const char *text, uint64_t step);

/*
 * Lets the session write until about this many bytes are available or it waits, then reads them. A
 * few bytes are one event. Does nothing if the session waits and is not ready, like the daemon.
 */
void watcher_take(Watcher *watcher, size_t bytes);

/* Reads until the session waits, ends or is dropped. Asserts that every expected event has come. */
void watcher_drain(Watcher *watcher);

/* Lets the session write without reading anything, like a client that has stopped reading. */
void watcher_stall(Watcher *watcher);

/*
 * Reads the state that the lists show to an operator: "vm GUID", "vgpu GUID HANDLE ADAPTER",
 * "registration GUID PID", "quarantine GUID REASON", "adapter HANDLE". Only entries of one VM are
 * returned unless guid is NULL. The caller deinitialises *ret.
 */
void state_read(FakeHost *fake_host, Caller *operator, const char * guid, Texts *ret);

#endif
