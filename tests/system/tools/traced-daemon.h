/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_TRACED_DAEMON_H
#define SYSTEM_TRACED_DAEMON_H

#include "../../faults/allocator.h"
#include "naive-manager.h"
#include "tool.h"

/*
 * A daemon under a service manager that keeps its socket and its descriptors, and starts it anew
 * when it dies; with strace(1), which lets one of its system calls fail, or kills it there.
 */
typedef struct TracedDaemon {
	char *const *prefix; /* what the daemon is executed with: PROGRAM... -- */
	const char *program;
	uid_t owner; /* of what it writes */
	char directory[64];
	char socket[80];
	int listener;
	NaiveManager *manager;
	pid_t pid;
	int pidfd; /* -1: it is dead, and nobody knows yet */
	pid_t tracer;
	int tracer_says;
	Allocator *allocator; /* of a vaild that is built to be refused memory */
	unsigned int deaths;
	int status; /* of the last that died, as waitpid() has it */
} TracedDaemon;

#define FAULT_ALLOCATION "allocation"

/* What happens at a system call, or at an allocation of vaild's own. */
typedef struct Fault {
	char call[24];     /* its name */
	unsigned int when; /* the how manieth call of that name */
	char what[24];     /* "signal=KILL" or "error=ENOSPC" */
	bool is_at_start;  /* of a daemon that has much to restore */
} Fault;

/* Folders that are new, and a socket; no daemon yet. */
void traced_daemon_init(TracedDaemon *daemon, const char *directory);

/* Ends the daemon, and removes what it has written. */
void traced_daemon_deinit(TracedDaemon *daemon);

/*
 * Starts it, and waits until it is ready, or dead: then pidfd is -1. Where there is a fault it is
 * traced from its first system call.
 */
void traced_daemon_start(TracedDaemon *daemon, const Fault *fault);

/* Ends it, without tracing it, and waits: its status is left in daemon->status. */
void traced_daemon_end(TracedDaemon *daemon, int signal_number);

/* From now on its calls are counted, and the fault comes. NULL: all of them are only listed. */
void traced_daemon_attach(TracedDaemon *daemon, const Fault *fault);
void traced_daemon_detach(TracedDaemon *daemon);

/* Allocations since it was started, or the last fault was to come. */
size_t traced_daemon_count_allocations(const TracedDaemon *daemon);

/* What strace(1) wrote; the caller frees it. */
char *traced_daemon_read_trace(const TracedDaemon *daemon);

/* Whether the error has been returned. That a signal came shows otherwise. */
bool traced_daemon_was_refused(const TracedDaemon *daemon);

/*
 * Waits until there is something to be read from the descriptor. Hears the daemon meanwhile, and
 * starts it anew, untraced, when it dies.
 */
void traced_daemon_await(TracedDaemon *daemon, int descriptor);

/* Descriptors of the daemon that are no sockets. */
size_t traced_daemon_count_descriptors(const TracedDaemon *daemon);

/* Whether something is being closed. */
bool traced_daemon_has_children(const TracedDaemon *daemon);

/* Prints the call that was refused. */
void traced_daemon_print_refused(const TracedDaemon *daemon);

/* Prints what the daemon has written to stderr, each line with a prefix; or looks into it. */
void traced_daemon_print_log(const TracedDaemon *daemon);
bool traced_daemon_log_has(const TracedDaemon *daemon, const char *text);

#endif
