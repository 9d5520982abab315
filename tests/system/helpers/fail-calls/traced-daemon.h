/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FAIL_CALLS_TRACED_DAEMON_H
#define TESTS_SYSTEM_HELPERS_FAIL_CALLS_TRACED_DAEMON_H

#include "tests/faults/allocator.h"
#include "tests/support/fake-service-manager.h"
#include "tests/support/helper.h"

/*
 * A daemon under a fake service manager, which owns its listening socket and its fd store and
 * restarts it when it dies. strace(1) or the allocator injects faults into it.
 */
typedef struct TracedDaemon {
	char *const *prefix; /* command that the daemon is started through: PROGRAM... */
	const char *program;
	uid_t owner; /* of the files that it writes */
	char directory[64];
	char socket[80];
	int listener;
	FakeServiceManager *manager;
	pid_t pid;
	int pidfd; /* -1 if the daemon does not run */
	pid_t tracer;
	int tracer_output;
	Allocator *allocator; /* only a daemon with tests/faults/daemon-allocator.c uses it */
	unsigned int deaths;  /* number of unexpected deaths */
	int status;           /* of the last daemon that died, from waitpid() */
} TracedDaemon;

#define FAULT_ALLOCATION "allocation"

/* A fault at a system call, or at a memory allocation of vaild's own code. */
typedef struct Fault {
	char call[24];     /* name of the call, or FAULT_ALLOCATION */
	unsigned int when; /* ordinal of the call among those with that name; 0 for no fault */
	char what[24];     /* such as "signal=KILL" or "error=ENOSPC" */
	bool is_at_start;  /* during a start that restores state, not during the scenario */
} Fault;

/* Makes new folders and a listening socket. Does not start a daemon. */
void traced_daemon_init(TracedDaemon *daemon, const char *directory);

/* Kills the daemon and removes its folders. */
void traced_daemon_deinit(TracedDaemon *daemon);

/*
 * Starts the daemon and waits until it is ready or dead; pidfd is -1 if it is dead. If fault is not
 * NULL, the daemon is traced from its first system call.
 */
void traced_daemon_start(TracedDaemon *daemon, const Fault *fault);

/* Detaches the tracer, sends the signal, waits for the end and stores daemon->status. */
void traced_daemon_end(TracedDaemon *daemon, int signal_number);

/* Starts tracing and counting the calls, and injects the fault. NULL only traces the calls. */
void traced_daemon_attach(TracedDaemon *daemon, const Fault *fault);
void traced_daemon_detach(TracedDaemon *daemon);

/* Returns the number of allocations since the daemon started or the last attach. */
size_t traced_daemon_count_allocations(const TracedDaemon *daemon);

/* Returns the output of strace(1), which the caller frees. */
char *traced_daemon_read_trace(const TracedDaemon *daemon);

/* Tells whether the daemon got the injected error. An injected signal is not reported here. */
bool traced_daemon_was_refused(const TracedDaemon *daemon);

/*
 * Waits until the fd is readable. Handles the daemon's messages to its service manager meanwhile,
 * and restarts it without tracing if it dies.
 */
void traced_daemon_await(TracedDaemon *daemon, int fd);

/* Counts the daemon's open fds, without sockets. */
size_t traced_daemon_count_fds(const TracedDaemon *daemon);

/* Tells whether the daemon has children that close discarded fds. */
bool traced_daemon_has_children(const TracedDaemon *daemon);

/* Prints the calls that strace(1) made fail. */
void traced_daemon_print_refused(const TracedDaemon *daemon);

/* Prints the daemon's stderr, each line with a prefix. */
void traced_daemon_print_log(const TracedDaemon *daemon);

/* Tells whether the daemon's stderr contains the text. */
bool traced_daemon_log_has(const TracedDaemon *daemon, const char *text);

#endif
