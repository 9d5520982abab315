/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_QUESTION_H
#define DAEMON_HOST_EXAMINER_QUESTION_H

#include <stdint.h>

/*
 * Questions of the daemon to the examiner, and the answers. Each kind has its own socket of type
 * SOCK_SEQPACKET, and one message is one structure. An answer has the number of its question.
 */

#define EXECUTABLE_SIZE 256

/* Asks who the process with this pid is. The examiner answers these questions in order. */
typedef struct WhoQuestion {
	uint64_t number;
	int32_t pid;
	uint32_t unused;
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
	uint32_t unused;
	char executable[EXECUTABLE_SIZE]; /* its path, cut to fit; empty if it is not known */
} WhoAnswer;

/* Asks whether the process has a graphics context. Its pidfd comes with the message. */
typedef struct ContextQuestion {
	uint64_t number;
	int32_t pid;
	uint32_t payer; /* the uid that pays for the search, and its class */
	uint32_t payer_is_operator;
	uint32_t unused;
} ContextQuestion;

typedef struct ContextAnswer {
	uint64_t number;
	uint32_t lookup; /* a Lookup other than LOOKUP_PENDING */
	uint32_t kind;   /* a GraphicsContextKind if the lookup is LOOKUP_FOUND, else 0 */
} ContextAnswer;

#endif
