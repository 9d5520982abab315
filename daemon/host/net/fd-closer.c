/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/fd-closer.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/core/limit.h"
#include "daemon/host/log/log.h"
#include "daemon/host/process/child-clone.h"
#include "proto/fd-util.h"

/* A running child process that closes fds. */
typedef struct ClosingChild {
	FdCloser *closer;
	PeerUser *user;
	pid_t pid;
	TAILQ_ENTRY(ClosingChild) link;
} ClosingChild;

static const struct timeval retry_delay = { .tv_sec = 1 };

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

bool fd_closer_is_stuck(const PeerUser *user)
{
	return fd_closer_is_full(user) && monotonic_microseconds() - user->last_close >=
						  UINT64_C(1000) * LIMIT_CLOSE_MILLISECONDS;
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

/* Frees a finished child and starts the user's next one, if fds are waiting. */
static void child_finish(ClosingChild *child)
{
	FdCloser *closer = child->closer;
	PeerUser *user = child->user;

	TAILQ_REMOVE(&closer->under_way, child, link);
	free(child);
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
	ClosingChild *child;

	event_del(&closer->retry_event);
	event_del(&closer->child_event);
	/*
	 * Abandon children that still hang: they cannot be killed, and waiting for them would hang
	 * too.
	 */
	while ((child = TAILQ_FIRST(&closer->under_way))) {
		TAILQ_REMOVE(&closer->under_way, child, link);
		free(child);
	}
}

/*
 * Starts a child that shares only the fd table with the daemon. The kernel kills the child when the
 * daemon dies, unless it hangs in close().
 */
static pid_t clone_sharing_fds(void)
{
	pid_t pid = child_clone(CLONE_FILES);

	if (pid == 0)
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return pid;
}

/* An fd to drain before it is closed is queued as its bitwise complement, a negative number. */
static int fd_to_drain(int fd)
{
	return ~fd;
}

/*
 * Closes the fd. Of a socket to drain, reads all data before, so that the kernel closes here the
 * fds that were sent with it. Makes only system calls, because the child has no thread of its own.
 */
static void close_in_child(int fd)
{
	char data[4096];

	if (fd >= 0) {
		syscall(SYS_close, fd);
		return;
	}
	fd = fd_to_drain(fd);
	while (syscall(SYS_recvfrom, fd, data, sizeof(data), MSG_DONTWAIT, NULL, NULL) > 0)
		;
	syscall(SYS_close, fd);
}

/* Starts a child that closes the fds. Returns false if out of memory or processes. */
static bool child_start(FdCloser *closer, PeerUser *user, const int *fds, size_t count)
{
	ClosingChild *child = calloc(1, sizeof(*child));

	if (!child)
		return false;
	*child = (ClosingChild){
		.closer = closer,
		.user = user,
		.pid = clone_sharing_fds(),
	};
	if (child->pid == 0) {
		for (size_t i = 0; i < count; i++)
			close_in_child(fds[i]);
		child_exit();
	}
	if (child->pid < 0) {
		free(child);
		return false;
	}
	TAILQ_INSERT_TAIL(&closer->under_way, child, link);
	user->closes_under_way++;
	user->last_close = monotonic_microseconds();
	return true;
}

/*
 * Starts a child that closes all waiting fds, unless the user has the maximum of running children.
 */
static void fd_closer_run(FdCloser *closer, PeerUser *user)
{
	if (user->waiting_count == 0 || fd_closer_is_full(user))
		return;
	if (child_start(closer, user, user->waiting, user->waiting_count))
		user->waiting_count = 0;
	else
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
		if (fd_closer_is_full(user) || !child_start(closer, user, &fd, 1))
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
