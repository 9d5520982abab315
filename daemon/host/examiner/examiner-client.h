/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_EXAMINER_CLIENT_H
#define DAEMON_HOST_EXAMINER_EXAMINER_CLIENT_H

#include <bsd/sys/queue.h>
#include <event2/event_struct.h>

#include "daemon/core/account.h"
#include "daemon/core/host.h"
#include "daemon/host/examiner/examiner.h"

/*
 * The daemon's side of the examiner. If the examiner ends, is silent or sends an invalid answer, it
 * has failed: this is logged, the event loop is stopped, and no question is asked any more. The
 * daemon then exits, because it has no capability that it could give to another examiner, and
 * systemd starts both again.
 */

/* The longest silence of the examiner. The watchdog waits longer. */
#define EXAMINER_MILLISECONDS 5000

typedef struct SearchRequest SearchRequest;

/* A question that takes long, embedded in whatever waits for the answer. */
struct SearchRequest {
	/*
	 * Called once, from the event loop. The lookup is FOUND with a value, ABSENT, GONE,
	 * UNREADABLE, or EXHAUSTED if there is no answer in time, too. The value of held GPUs is
	 * their number.
	 */
	void (*answered)(SearchRequest *request, Lookup lookup, uint32_t value);
	SearchTopic topic;
	ProcessKey process; /* that is searched */
	pid_t inner_pid;    /* for SEARCH_PID: the pid to find in the process's pid namespace */
	HeldGpus *held;     /* for SEARCH_HELD_GPUS: where to store the answer if FOUND */
	struct Examiner *examiner;
	uint64_t number;
	struct event timeout;
	TAILQ_ENTRY(SearchRequest) link;
};

typedef struct Examiner {
	struct event_base *base;
	ExaminerSockets sockets;
	struct timeval patience;
	uint64_t last_number;
	bool has_failed;
	TAILQ_HEAD(, SearchRequest) asked;
	struct event answer_event;

	/* The executable that the last answer about this process had, or PROCESS_KEY_NONE. */
	ProcessKey known;
	char known_executable[EXECUTABLE_SIZE];
} Examiner;

/* Takes ownership of the sockets. The examiner may be silent for this many milliseconds. */
void examiner_init(Examiner *examiner, struct event_base *base, const ExaminerSockets *sockets,
		   unsigned int milliseconds);

/* Answers all requests with LOOKUP_EXHAUSTED. */
void examiner_deinit(Examiner *examiner);

/*
 * Ask about the process with this pid, and wait for the answer. It is about the intended process
 * only if that is found alive afterwards. with_pid_namespace asks for all of the WhoAnswer. Return
 * 0, -EPIPE if the examiner has failed, or another negative errno if out of memory.
 */
int examiner_ask_who(Examiner *examiner, pid_t pid, bool with_pid_namespace, WhoAnswer *ret);
int examiner_ask_pids(Examiner *examiner, pid_t pid, PidsAnswer *ret);

/* Remembers the executable of the process until examiner_forget(). */
void examiner_remember(Examiner *examiner, ProcessKey process, const WhoAnswer *answer);
void examiner_forget(Examiner *examiner);

/*
 * Returns the path of the process's executable, as remembered or by asking; empty if it is not
 * known. For information only: the pid may have been reused, and the path proves nothing. Valid
 * until the next call.
 */
const char *examiner_executable(Examiner *examiner, ProcessKey process, pid_t pid);

/*
 * Asks what request->topic selects about the process. The pid that SEARCH_PID finds is only a hint.
 * request->answered is set. Returns LOOKUP_PENDING; or, without a later call of it,
 * LOOKUP_EXHAUSTED.
 */
Lookup examiner_ask_search(Examiner *examiner, SearchRequest *request, pid_t pid, int pidfd,
			   const Payer *payer);

#endif
