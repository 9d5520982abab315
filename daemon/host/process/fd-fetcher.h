/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_FD_FETCHER_H
#define DAEMON_HOST_PROCESS_FD_FETCHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "daemon/core/host.h"
#include "daemon/core/limit.h"

/*
 * Looks at the fds of another process, one after another, in a child process. The child fetches an
 * fd, stores what it is, and closes it before it fetches the next one. It has no other fd of
 * others then. If the close never returns, the child keeps this one fd open and nothing else: no
 * GPU, no memory and no lock of the process outlives its own close.
 *
 * The process that waits starts the next child, which begins behind that fd. After FETCHERS_MAX of
 * them it gives up.
 */

#define FETCHERS_MAX 5

/* The process whose fds are looked at. */
typedef struct SearchedProcess {
	pid_t pid;
	int pidfd;

	/* Each child calls this first, in order to give up fds that it must not keep; or NULL. */
	void (*enter_child)(void);
} SearchedProcess;

/* An fd that was looked at. */
typedef struct FetchedFd {
	_Atomic Lookup lookup; /* FOUND if it is a character device that is open */
	_Atomic dev_t device;  /* its number, if FOUND */
} FetchedFd;

/* Shared with the children. */
typedef struct FetchedFds {
	int numbers[LIMIT_FDS_EXAMINED]; /* to be looked at; the caller sets them */
	unsigned int count;
	FetchedFd items[LIMIT_FDS_EXAMINED];
	_Atomic unsigned int seen; /* items that are valid */
	atomic_bool is_over;       /* the rest is not needed */
} FetchedFds;

typedef struct FdFetcher {
	const SearchedProcess *process;
	FetchedFds *fds;
	unsigned int started; /* children */
} FdFetcher;

/* Returns false if out of memory. Set fds->numbers and fds->count afterwards. */
bool fd_fetcher_init(FdFetcher *fetcher, const SearchedProcess *process);

/*
 * Waits until more than this number of fds have been seen. Call it only while there are more.
 * Returns false if out of processes, or if the last child is too slow.
 */
bool fd_fetcher_wait(FdFetcher *fetcher, unsigned int seen);

/* Ends the children, except for those that hang. */
void fd_fetcher_deinit(FdFetcher *fetcher);

#endif
