/* SPDX-License-Identifier: MIT */
#include "client/vail-view/waker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/vail-view/clock.h"

/* Returns the timeout for poll(). */
static int time_until(int64_t at)
{
	int64_t now = now_milliseconds();

	if (at == WAKER_NEVER)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

static Watched look(Waker *waker)
{
	pthread_mutex_lock(&waker->lock);
	Watched watched = waker->watched;
	pthread_mutex_unlock(&waker->lock);
	return watched;
}

/* Stops watching. Returns false if the main thread wants something else to be watched by now. */
static bool disarm(Waker *waker, const Watched *watched)
{
	pthread_mutex_lock(&waker->lock);
	bool is_unchanged = waker->watched.changes == watched->changes;
	if (is_unchanged)
		waker->watched.is_armed = false;
	pthread_mutex_unlock(&waker->lock);
	return is_unchanged;
}

static void *run(void *context)
{
	Waker *waker = context;
	Watched watched;
	eventfd_t count;

	while (watched = look(waker), !watched.is_stopping) {
		struct pollfd fds[1 + WAKER_FDS_MAX] = { { .fd = waker->bell, .events = POLLIN } };

		memcpy(fds + 1, watched.fds, sizeof(watched.fds));
		int ready = watched.is_armed
				    ? poll(fds, 1 + watched.fd_count, time_until(watched.at))
				    : poll(fds, 1, -1);

		if (ready > 0 && fds[0].revents)
			eventfd_read(waker->bell, &count);
		else if (ready >= 0 && disarm(waker, &watched))
			waker->wake(waker->context);
	}
	return NULL;
}

int waker_start(Waker *waker, void (*wake)(void *context), void *context)
{
	sigset_t all, before;

	*waker = (Waker){ .wake = wake, .context = context };
	waker->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (waker->bell < 0)
		return -errno;
	pthread_mutex_init(&waker->lock, NULL);
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&waker->thread, NULL, run, waker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		pthread_mutex_destroy(&waker->lock);
		close(waker->bell);
	}
	return -error;
}

/* Replaces what the thread waits for. */
static void change(Waker *waker, Watched watched)
{
	pthread_mutex_lock(&waker->lock);
	watched.changes = waker->watched.changes + 1;
	waker->watched = watched;
	pthread_mutex_unlock(&waker->lock);
	eventfd_write(waker->bell, 1);
}

void waker_stop(Waker *waker)
{
	change(waker, (Watched){ .is_stopping = true });
	pthread_join(waker->thread, NULL);
	pthread_mutex_destroy(&waker->lock);
	close(waker->bell);
}

static bool is_same(const Watched *watched, const struct pollfd *fds, size_t count, int64_t at)
{
	if (watched->fd_count != count || watched->at != at)
		return false;
	for (size_t i = 0; i < count; i++)
		if (watched->fds[i].fd != fds[i].fd || watched->fds[i].events != fds[i].events)
			return false;
	return true;
}

void waker_watch(Waker *waker, const struct pollfd *fds, size_t count, int64_t at)
{
	Watched before = look(waker), watched = { .is_armed = true, .fd_count = count, .at = at };

	if (before.is_armed && is_same(&before, fds, count, at))
		return;
	for (size_t i = 0; i < count; i++)
		watched.fds[i] = (struct pollfd){ .fd = fds[i].fd, .events = fds[i].events };
	change(waker, watched);
}
