/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/fd-closer.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/child/child-clone.h"
#include "daemon/child/raw-call.h"
#include "daemon/core/limit.h"
#include "daemon/host/log/log.h"
#include "proto/fd-util.h"

/* The memory that belongs to a child process until that has exited. */
typedef struct Batch {
	volatile bool has_begun; /* the child runs, or that cannot be seen */
	int *fds;                /* allocated, unless it points to single */
	size_t count;
	int single;
	struct msghdr discarded; /* of a socket to drain */
	struct iovec bytes;
	ChildStack stack;
} Batch;

/* A running child process that closes fds. */
typedef struct ClosingChild {
	FdCloser *closer;
	PeerUser *user;
	pid_t pid;
	TAILQ_ENTRY(ClosingChild) link;
	Batch batch;
} ClosingChild;

static const struct timeval retry_delay = { .tv_sec = 1 };

/*
 * Children that were still running when their closer ended. They may use their batch as long as the
 * daemon lives.
 */
static TAILQ_HEAD(, ClosingChild) abandoned = TAILQ_HEAD_INITIALIZER(abandoned);

static void fd_closer_run(FdCloser *closer, PeerUser *user);

bool fd_closer_is_full(const PeerUser *user)
{
	return user->closes_under_way >= LIMIT_CLOSES_UNDER_WAY;
}

static uint64_t monotonic_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Tests whether the child is closing, rather than waiting for a CPU or to be reaped. */
static bool child_is_closing(const ClosingChild *child)
{
	siginfo_t info = { .si_pid = 0 };

	return child->batch.has_begun &&
	       waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

bool fd_closer_is_stuck(const FdCloser *closer, const PeerUser *user)
{
	const ClosingChild *child;

	if (!fd_closer_is_full(user) ||
	    monotonic_microseconds() - user->last_close < UINT64_C(1000) * LIMIT_CLOSE_MILLISECONDS)
		return false;
	TAILQ_FOREACH (child, &closer->under_way, link)
		if (child->user == user && !child_is_closing(child))
			return false;
	return true;
}

/* Retries later, because no child could be started. */
static void peer_user_retry(FdCloser *closer, PeerUser *user)
{
	if (user->retries_closing)
		return;
	user->retries_closing = true;
	TAILQ_INSERT_TAIL(&closer->retries, user, retry);
	event_add(&closer->retry_event, &retry_delay);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	FdCloser *closer = context;
	TAILQ_HEAD(, PeerUser) retries = TAILQ_HEAD_INITIALIZER(retries);
	PeerUser *user;

	(void)fd;
	(void)what;
	TAILQ_CONCAT(&retries, &closer->retries, retry);
	while ((user = TAILQ_FIRST(&retries))) {
		TAILQ_REMOVE(&retries, user, retry);
		user->retries_closing = false;
		fd_closer_run(closer, user);
		peer_user_put(user);
	}
}

static void child_free(ClosingChild *child)
{
	if (child->batch.fds != &child->batch.single)
		free(child->batch.fds);
	free(child);
}

/* Frees a finished child and starts the user's next one, if fds are waiting. */
static void child_finish(ClosingChild *child)
{
	FdCloser *closer = child->closer;
	PeerUser *user = child->user;

	TAILQ_REMOVE(&closer->under_way, child, link);
	child_free(child);
	user->closes_under_way--;
	fd_closer_run(closer, user);
	peer_user_put(user);
	closer->closed(closer->context);
}

static void on_child(evutil_socket_t signal_number, short what, void *context)
{
	FdCloser *closer = context;
	ClosingChild *child, *next;

	(void)signal_number;
	(void)what;
	TAILQ_FOREACH_SAFE (child, &closer->under_way, link, next)
		if (waitpid(child->pid, NULL, WNOHANG) != 0)
			child_finish(child);
}

void fd_closer_init(FdCloser *closer, struct event_base *base, Turns *turns,
		    void (*closed)(void *context), void *context)
{
	*closer = (FdCloser){ .turns = turns, .closed = closed, .context = context };
	TAILQ_INIT(&closer->retries);
	TAILQ_INIT(&closer->under_way);
	event_assign(&closer->retry_event, base, -1, 0, on_retry, closer);
	event_assign(&closer->child_event, base, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, closer);
	event_add(&closer->child_event, NULL);
}

void fd_closer_deinit(FdCloser *closer)
{
	event_del(&closer->retry_event);
	event_del(&closer->child_event);
	/*
	 * Abandon children that still hang: they cannot be killed, and waiting for them would hang
	 * too.
	 */
	TAILQ_CONCAT(&abandoned, &closer->under_way, link);
}

/* An fd to drain before it is closed is queued as its bitwise complement, a negative number. */
static int fd_to_drain(int fd)
{
	return ~fd;
}

/*
 * Closes the fd. Of a socket to drain, reads all data before, so that the kernel closes here the
 * fds that were sent with it.
 */
CHILD_FUNCTION static void close_in_child(Batch *batch, int fd)
{
	if (fd >= 0) {
		raw_call(SYS_close, fd, 0, 0);
		return;
	}
	fd = fd_to_drain(fd);
	while (raw_call(SYS_recvmsg, fd, (long)&batch->discarded, MSG_DONTWAIT) > 0)
		;
	raw_call(SYS_close, fd, 0, 0);
}

/* The kernel kills the child when the daemon dies, unless it hangs in close(). */
CHILD_FUNCTION static int run_child(void *context)
{
	Batch *batch = context;

	batch->has_begun = true;
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
	for (size_t i = 0; i < batch->count; i++)
		close_in_child(batch, batch->fds[i]);
	return 0;
}

/* Returns a child with one fd, which does not run yet, or NULL if out of memory. */
static ClosingChild *child_new(FdCloser *closer, PeerUser *user)
{
	static char discarded[4096];
	ClosingChild *child = malloc(sizeof(*child)); /* calloc would clear the stack */

	if (!child)
		return NULL;
	child->closer = closer;
	child->user = user;
	child->batch.has_begun = !RAW_CALLS_SPARE_ERRNO; /* the memory is not shared then */
	child->batch.fds = &child->batch.single;
	child->batch.count = 1;
	child->batch.bytes = (struct iovec){ discarded, sizeof(discarded) };
	child->batch.discarded = (struct msghdr){ .msg_iov = &child->batch.bytes, .msg_iovlen = 1 };
	return child;
}

/* Starts the child. Returns false if out of processes. */
static bool child_run(ClosingChild *child)
{
	child->pid = child_start(&child->batch.stack, run_child, &child->batch);
	if (child->pid < 0)
		return false;
	TAILQ_INSERT_TAIL(&child->closer->under_way, child, link);
	child->user->closes_under_way++;
	child->user->last_close = monotonic_microseconds();
	return true;
}

/* Closes one fd in a child at once. Returns false if out of memory or processes. */
static bool close_alone(FdCloser *closer, PeerUser *user, int fd)
{
	ClosingChild *child = child_new(closer, user);

	if (!child)
		return false;
	child->batch.single = fd;
	if (child_run(child))
		return true;
	child_free(child);
	return false;
}

/* Closes all waiting fds in a child. Returns false if out of memory or processes. */
static bool close_waiting(FdCloser *closer, PeerUser *user)
{
	ClosingChild *child = child_new(closer, user);

	if (!child)
		return false;
	child->batch.fds = user->waiting;
	child->batch.count = user->waiting_count;
	if (!child_run(child)) {
		child->batch.fds = &child->batch.single; /* the user keeps the array */
		child_free(child);
		return false;
	}
	user->waiting = NULL;
	user->waiting_count = user->waiting_room = 0;
	return true;
}

/*
 * Starts a child that closes all waiting fds, unless the user has the maximum of running children.
 */
static void fd_closer_run(FdCloser *closer, PeerUser *user)
{
	if (user->waiting_count == 0 || fd_closer_is_full(user))
		return;
	if (!close_waiting(closer, user))
		peer_user_retry(closer, user);
}

/* Makes room for one more waiting fd. Returns false if out of memory. */
static bool peer_user_reserve_waiting(PeerUser *user)
{
	size_t room = user->waiting_room > 0 ? user->waiting_room * 2 : 16;

	if (user->waiting_count < user->waiting_room)
		return true;
	int *waiting = realloc(user->waiting, room * sizeof(*waiting));
	if (!waiting)
		return false;
	user->waiting = waiting;
	user->waiting_room = room;
	return true;
}

static bool run_closing(Task *task)
{
	PeerUser *user = container_of(task, PeerUser, closing);

	fd_closer_run(user->closer, user);
	peer_user_put(user);
	return false;
}

void fd_closer_drain(FdCloser *closer, PeerUser *user, int fd)
{
	fd_closer_close(closer, user, fd_to_drain(fd));
}

void fd_closer_close(FdCloser *closer, PeerUser *user, int fd)
{
	if (!peer_user_reserve_waiting(user)) {
		/* Close it in a child at once, because it cannot be queued. */
		if (fd_closer_is_full(user) || !close_alone(closer, user, fd))
			log_warning(
				"cannot close fd %d of uid %u now: out of memory; it stays open",
				fd, user->uid);
		return;
	}
	user->waiting[user->waiting_count++] = fd;
	/* Do not wait with this many fds: examining one more process can add as many again. */
	if (user->waiting_count >= LIMIT_FDS_EXAMINED)
		fd_closer_run(closer, user);
	user->closer = closer;
	user->closing.run = run_closing;
	turns_queue(closer->turns, &user->turn_owner, &user->closing);
}
