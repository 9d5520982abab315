/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_CONTEXT_SEARCH_H
#define DAEMON_HOST_EXAMINER_CONTEXT_SEARCH_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <time.h>

#include "daemon/host/examiner/question.h"
#include "daemon/host/process/fs-roots.h"

/*
 * Searches for graphics contexts, held GPUs and pids, each in a child process. The child sends the
 * answer, and exits when the close of every fd that was fetched has returned. That can take for
 * ever, so nobody waits for it.
 *
 * A payer has at most LIMIT_CLOSES_UNDER_WAY children. Its next question waits until one of them
 * exits, or is answered with LOOKUP_EXHAUSTED when the youngest is LIMIT_CLOSE_MILLISECONDS old.
 *
 * Others ask for the GPUs that a process holds, and its owner pays without having asked. Therefore
 * these children are counted apart from those of the owner's own questions. One process has only
 * one of them. The next question about it waits for as long, and is then answered with
 * LOOKUP_EXHAUSTED until that child has exited.
 */
typedef struct ContextSearches {
	FsRoots roots;
	int answers;      /* the socket for answers */
	int other_socket; /* a child gives it up */
	TAILQ_HEAD(, SearchPayer) payers;
	TAILQ_HEAD(, SearchChild) children;
	TAILQ_HEAD(, SearchWait) waits;
} ContextSearches;

void context_searches_init(ContextSearches *searches, const FsRoots *roots, int answers,
			   int other_socket);

/* Begins a search, now or later. Takes ownership of the pidfd. */
void context_searches_begin(ContextSearches *searches, const SearchQuestion *question, int pidfd);

/* Notices children that have exited, and begins or refuses the questions that wait. */
void context_searches_update(ContextSearches *searches);

/* Tests whether a question waits, and stores how long at most. */
bool context_searches_timeout(const ContextSearches *searches, struct timespec *ret);

#endif
