/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_QUESTION_H
#define DAEMON_HOST_EXAMINER_QUESTION_H

#include <stdint.h>

#include "daemon/core/adapter-device.h"

/*
 * Questions of the daemon to the examiner, and the answers. Each kind has its own socket of type
 * SOCK_SEQPACKET, and one message is one structure. An answer has the number of its question.
 */

#define EXECUTABLE_SIZE 256

/* Pid namespaces below the daemon's that a process can be in; the kernel allows no more. */
#define PID_LEVELS_MAX 32

/* Selects what the examiner answers about a process. */
typedef enum WhoTopic {
	WHO_IS_IT,              /* a WhoAnswer without is_in_own_pid_namespace */
	WHO_WITH_PID_NAMESPACE, /* a complete WhoAnswer */
	WHO_PIDS,               /* a PidsAnswer */
	WHO_MAX,
} WhoTopic;

/* Asks about the process with this pid. The examiner answers these questions in order. */
typedef struct WhoQuestion {
	uint64_t number;
	int32_t pid;
	uint32_t topic; /* a WhoTopic */
} WhoQuestion;

/* Errors are positive numbers of errno.h, or 0. */
typedef struct WhoAnswer {
	uint64_t number;
	uint64_t namespace_device; /* of its user namespace; valid if error is 0 */
	uint64_t namespace_inode;
	int32_t error;
	int32_t owner_error;
	uint32_t owner; /* of the outermost namespace below the daemon's; valid if owner_error is 0,
			 * and the namespace is not the daemon's */
	uint32_t is_in_own_pid_namespace; /* 1 if it is known to be in the daemon's, else 0 */
	char executable[EXECUTABLE_SIZE]; /* its path, cut to fit; empty if it is not known */
} WhoAnswer;

/* A pid namespace below the daemon's, and the pid of a process there. */
typedef struct PidLevel {
	uint64_t inode;
	int32_t pid;
	uint32_t unused;
} PidLevel;

typedef struct PidsAnswer {
	uint64_t number;
	int32_t error;
	uint32_t count;                  /* 0 if the process is in the daemon's namespace */
	PidLevel levels[PID_LEVELS_MAX]; /* the innermost last */
} PidsAnswer;

/* Selects what the examiner searches for. */
typedef enum SearchTopic {
	SEARCH_CONTEXT,   /* whether the process has a graphics context */
	SEARCH_PID,       /* which process has another pid in its pid namespace */
	SEARCH_HELD_GPUS, /* which GPUs the process has open */
	SEARCH_MAX,
} SearchTopic;

/* Asks for a search that can take long. The pidfd of the process comes with the message. */
typedef struct SearchQuestion {
	uint64_t number;
	uint64_t process; /* its key: pids are reused */
	int32_t pid;
	uint32_t payer; /* the uid that pays for the search, and its class */
	uint32_t payer_is_operator;
	int32_t inner_pid; /* the other pid, for SEARCH_PID */
	uint32_t topic;    /* a SearchTopic */
	uint32_t unused;
} SearchQuestion;

typedef struct SearchAnswer {
	uint64_t number;
	uint32_t lookup; /* a Lookup other than LOOKUP_PENDING */
	uint32_t value;  /* if FOUND: a GraphicsContextKind, or the pid that the daemon sees; else 0
			  */
} SearchAnswer;

/* The answer about held GPUs, if FOUND. The value is their number. Otherwise a SearchAnswer. */
typedef struct HeldGpusAnswer {
	SearchAnswer head;
	HeldGpu items[LIMIT_HELD_GPUS];
	uint32_t is_complete; /* 1 if these are all, else 0 */
	uint32_t unused;
} HeldGpusAnswer;

#endif
