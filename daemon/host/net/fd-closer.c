/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/fd-closer.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/core/limit.h"
#include "daemon/host/log/log.h"
#include "proto/fd-util.h"

/* A running child process that closes fds. */
typedef struct ClosingChild {
	Closer *closer;
	Owner *owner;
	pid_t pid;
	TAILQ_ENTRY(ClosingChild) link;
} ClosingChild;

static const struct timeval retry_delay = { .tv_sec = 1 };

static void closer_run(Closer *closer, Owner *owner);

bool closer_is_full(const Owner *owner)
{
	return owner->closes_under_way >= LIMIT_CLOSES_UNDER_WAY;
}

static uint64_t monotonic_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool closer_is_stuck(const Owner *owner)
{
	return closer_is_full(owner) && monotonic_microseconds() - owner->last_close >=
						UINT64_C(1000) * LIMIT_CLOSE_MILLISECONDS;
}

static void owner_set_due(Closer *closer, Owner *owner)
{
	if (owner->closing_due)
		return;
	owner->closing_due = true;
	TAILQ_INSERT_TAIL(&closer->due, owner, due);
}

/* Retries later, because no child could be started. */
static void owner_retry(Closer *closer, Owner *owner)
{
	owner_set_due(closer, owner);
	event_add(&closer->due_event, &retry_delay);
}

static void on_due(evutil_socket_t descriptor, short what, void *context)
{
	Closer *closer = context;
	TAILQ_HEAD(, Owner) due = TAILQ_HEAD_INITIALIZER(due);
	Owner *owner;

	(void)descriptor;
	(void)what;
	TAILQ_CONCAT(&due, &closer->due, due);
	while ((owner = TAILQ_FIRST(&due))) {
		TAILQ_REMOVE(&due, owner, due);
		owner->closing_due = false;
		closer_run(closer, owner);
		owner_put(owner);
	}
}

/* Frees a finished child and starts the user's next one, if fds are waiting. */
static void child_finish(ClosingChild *child)
{
	Closer *closer = child->closer;
	Owner *owner = child->owner;

	TAILQ_REMOVE(&closer->under_way, child, link);
	free(child);
	owner->closes_under_way--;
	closer_run(closer, owner);
	owner_put(owner);
	closer->closed(closer->context);
}

static void on_child(evutil_socket_t signal_number, short what, void *context)
{
	Closer *closer = context;
	ClosingChild *child, *next;

	(void)signal_number;
	(void)what;
	TAILQ_FOREACH_SAFE (child, &closer->under_way, link, next)
		if (waitpid(child->pid, NULL, WNOHANG) != 0)
			child_finish(child);
}

void closer_init(Closer *closer, struct event_base *base, void (*closed)(void *context),
		 void *context)
{
	*closer = (Closer){ .base = base, .closed = closed, .context = context };
	TAILQ_INIT(&closer->due);
	TAILQ_INIT(&closer->under_way);
	event_assign(&closer->due_event, base, -1, 0, on_due, closer);
	event_assign(&closer->child_event, base, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, closer);
	event_add(&closer->child_event, NULL);
}

void closer_deinit(Closer *closer)
{
	ClosingChild *child;

	event_del(&closer->due_event);
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
 * Starts a child that shares only the fd table with the daemon and has every signal blocked.
 * clone() needs no fd, so this works even when fds have run out. The kernel kills the child when
 * the daemon dies, unless it hangs in close().
 */
static pid_t clone_sharing_descriptors(void)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	else
		sigprocmask(SIG_SETMASK, &before, NULL);
	return (pid_t)pid;
}

/* Starts a child that closes the fds. Returns false if out of memory or processes. */
static bool child_start(Closer *closer, Owner *owner, const int *descriptors, size_t count)
{
	ClosingChild *child = calloc(1, sizeof(*child));

	if (!child)
		return false;
	*child = (ClosingChild){
		.closer = closer,
		.owner = owner,
		.pid = clone_sharing_descriptors(),
	};
	if (child->pid == 0) {
		for (size_t i = 0; i < count; i++)
			syscall(SYS_close, descriptors[i]);
		syscall(SYS_exit_group, 0);
		__builtin_unreachable();
	}
	if (child->pid < 0) {
		free(child);
		return false;
	}
	TAILQ_INSERT_TAIL(&closer->under_way, child, link);
	owner->closes_under_way++;
	owner->last_close = monotonic_microseconds();
	return true;
}

/*
 * Starts a child that closes all waiting fds, unless the user has the maximum of running children.
 */
static void closer_run(Closer *closer, Owner *owner)
{
	if (owner->waiting_count == 0 || closer_is_full(owner))
		return;
	if (child_start(closer, owner, owner->waiting, owner->waiting_count))
		owner->waiting_count = 0;
	else
		owner_retry(closer, owner);
}

/* Makes room for one more waiting fd. Returns false if out of memory. */
static bool owner_reserve_waiting(Owner *owner)
{
	size_t room = owner->waiting_room > 0 ? owner->waiting_room * 2 : 16;

	if (owner->waiting_count < owner->waiting_room)
		return true;
	int *waiting = realloc(owner->waiting, room * sizeof(*waiting));
	if (!waiting)
		return false;
	owner->waiting = waiting;
	owner->waiting_room = room;
	return true;
}

void closer_close(Closer *closer, Owner *owner, int descriptor)
{
	if (!owner_reserve_waiting(owner)) {
		/* Close it in a child at once, because it cannot be queued. */
		if (closer_is_full(owner) || !child_start(closer, owner, &descriptor, 1))
			log_warning(
				"cannot close fd %d of uid %u now: out of memory; it stays open",
				descriptor, owner->uid);
		return;
	}
	owner->waiting[owner->waiting_count++] = descriptor;
	/*
	 * Do not wait for the end of the turn with this many fds: examining one more process can
	 * add as many again.
	 */
	if (owner->waiting_count >= LIMIT_DESCRIPTORS_EXAMINED)
		closer_run(closer, owner);
	owner_set_due(closer, owner);
	event_active(&closer->due_event, EV_TIMEOUT, 0);
}
