/* SPDX-License-Identifier: MIT */
#include "closer.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fd-util.h"
#include "limit.h"
#include "log.h"

/* A child that closes. */
typedef struct Close {
	Closer *closer;
	Owner *owner;
	pid_t pid;
	TAILQ_ENTRY(Close) link;
} Close;

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

/* No child can be had now: tries again a little later. */
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

/* A child is done: so may its owner's next be begun. */
static void close_finish(Close *done)
{
	Closer *closer = done->closer;
	Owner *owner = done->owner;

	TAILQ_REMOVE(&closer->under_way, done, link);
	free(done);
	owner->closes_under_way--;
	closer_run(closer, owner);
	owner_put(owner);
	closer->closed(closer->context);
}

static void on_child(evutil_socket_t signal_number, short what, void *context)
{
	Closer *closer = context;
	Close *close_under_way, *next;

	(void)signal_number;
	(void)what;
	TAILQ_FOREACH_SAFE (close_under_way, &closer->under_way, link, next)
		if (waitpid(close_under_way->pid, NULL, WNOHANG) != 0)
			close_finish(close_under_way);
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
	Close *close_under_way;

	event_del(&closer->due_event);
	event_del(&closer->child_event);
	/* Children that hang are left to hang: nothing can end them, and nobody has to wait. */
	while ((close_under_way = TAILQ_FIRST(&closer->under_way))) {
		TAILQ_REMOVE(&closer->under_way, close_under_way, link);
		free(close_under_way);
	}
}

/*
 * A child that shares our descriptors and nothing else, with every signal blocked. It needs no
 * descriptor of its own: there may be none. It is not to outlive us where that can be helped.
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

/* Starts a child that closes the descriptors. Returns false when none can be had now. */
static bool close_start(Closer *closer, Owner *owner, const int *descriptors, size_t count)
{
	Close *close_under_way = calloc(1, sizeof(*close_under_way));

	if (!close_under_way)
		return false;
	*close_under_way = (Close){
		.closer = closer,
		.owner = owner,
		.pid = clone_sharing_descriptors(),
	};
	if (close_under_way->pid == 0) {
		for (size_t i = 0; i < count; i++)
			syscall(SYS_close, descriptors[i]);
		syscall(SYS_exit_group, 0);
		__builtin_unreachable();
	}
	if (close_under_way->pid < 0) {
		free(close_under_way);
		return false;
	}
	TAILQ_INSERT_TAIL(&closer->under_way, close_under_way, link);
	owner->closes_under_way++;
	owner->last_close = monotonic_microseconds();
	return true;
}

/* Has all closed that waits, if the uid may have another child. */
static void closer_run(Closer *closer, Owner *owner)
{
	if (owner->waiting_count == 0 || closer_is_full(owner))
		return;
	if (close_start(closer, owner, owner->waiting, owner->waiting_count))
		owner->waiting_count = 0;
	else
		owner_retry(closer, owner);
}

/* Room for one more that waits. */
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
		/* It does not wait, then. */
		if (closer_is_full(owner) || !close_start(closer, owner, &descriptor, 1))
			log_warning("no memory to close descriptor %d of uid %u; it stays open",
				    descriptor, owner->uid);
		return;
	}
	owner->waiting[owner->waiting_count++] = descriptor;
	/* So many do not wait for the end of the turn: the next look at a process brings more. */
	if (owner->waiting_count >= LIMIT_DESCRIPTORS_EXAMINED)
		closer_run(closer, owner);
	owner_set_due(closer, owner);
	event_active(&closer->due_event, EV_TIMEOUT, 0);
}
