/* SPDX-License-Identifier: MIT */
#include "closer.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "descriptor.h"
#include "limit.h"
#include "log.h"

/* A child that closes. */
typedef struct Close {
	Closer *closer;
	Owner *owner;
	pid_t pid;
	int pidfd;
	struct event event;
} Close;

static const struct timeval retry_delay = { .tv_sec = 1 };

static void closer_run(Closer *closer, Owner *owner);

bool closer_is_full(const Owner *owner)
{
	return owner->closes_under_way >= LIMIT_CLOSES_UNDER_WAY;
}

static void owner_set_due(Closer *closer, Owner *owner)
{
	if (owner->closing_due)
		return;
	owner->closing_due = true;
	TAILQ_INSERT_TAIL(&closer->due, owner, due);
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
	if (!TAILQ_EMPTY(&closer->due))
		event_add(&closer->due_event, &retry_delay);
}

void closer_init(Closer *closer, struct event_base *base, void (*closed)(void *context),
		 void *context)
{
	*closer = (Closer){ .base = base, .closed = closed, .context = context };
	TAILQ_INIT(&closer->due);
	event_assign(&closer->due_event, base, -1, 0, on_due, closer);
}

void closer_deinit(Closer *closer)
{
	event_del(&closer->due_event);
}

void closer_close(Closer *closer, Owner *owner, int descriptor)
{
	if (owner->waiting_count == owner->waiting_room) {
		size_t room = owner->waiting_room > 0 ? owner->waiting_room * 2 : 16;
		int *waiting = realloc(owner->waiting, room * sizeof(*waiting));

		if (!waiting) {
			log_warning("no memory to close descriptor %d of uid %u; it stays open",
				    descriptor, owner->uid);
			return;
		}
		owner->waiting = waiting;
		owner->waiting_room = room;
	}
	owner->waiting[owner->waiting_count++] = descriptor;
	owner_set_due(closer, owner);
	event_active(&closer->due_event, EV_TIMEOUT, 0);
}

/* A child that shares our descriptors and nothing else, with every signal blocked. */
static pid_t clone_sharing_descriptors(int *ret_pidfd)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	long pid = syscall(SYS_clone, CLONE_FILES | CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL,
			   NULL);
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return (pid_t)pid;
}

static void on_closed(evutil_socket_t descriptor, short what, void *context)
{
	Close *done = context;
	Closer *closer = done->closer;
	Owner *owner = done->owner;

	(void)descriptor;
	(void)what;
	waitpid(done->pid, NULL, 0);
	close(done->pidfd);
	free(done);
	owner->closes_under_way--;
	closer_run(closer, owner);
	owner_put(owner);
	closer->closed(closer->context);
}

/* Starts a child that closes the descriptors. Returns false when none can be had now. */
static bool close_start(Closer *closer, Owner *owner, const int *descriptors, size_t count)
{
	Close *close_under_way = calloc(1, sizeof(*close_under_way));

	if (!close_under_way)
		return false;
	close_under_way->closer = closer;
	close_under_way->owner = owner;
	close_under_way->pid = clone_sharing_descriptors(&close_under_way->pidfd);
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
	event_assign(&close_under_way->event, closer->base, close_under_way->pidfd, EV_READ,
		     on_closed, close_under_way);
	if (event_add(&close_under_way->event, NULL) < 0) {
		log_warning("cannot wait for process %d, which closes descriptors",
			    (int)close_under_way->pid);
		close(close_under_way->pidfd);
		free(close_under_way);
		return true;
	}
	owner->closes_under_way++;
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
		owner_set_due(closer, owner);
}
