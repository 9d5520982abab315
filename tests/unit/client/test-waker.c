/* SPDX-License-Identifier: MIT */
/* The thread that wakes vail-view's window: once for each request, at an fd or at the time. */
#include <criterion/criterion.h>
#include <poll.h>
#include <semaphore.h>
#include <unistd.h>

#include "client/vail-view/clock.h"
#include "client/vail-view/waker.h"

static Waker waker;
static sem_t woken;
static int pipe_fds[2];

static void on_wake(void *context)
{
	sem_post(context);
}

static void set_up(void)
{
	sem_init(&woken, 0, 0);
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_eq(waker_start(&waker, on_wake, &woken), 0);
}

/* Also checks that the thread ends, whatever it waits for. */
static void tear_down(void)
{
	waker_stop(&waker);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

TestSuite(waker, .init = set_up, .fini = tear_down);

static void watch(int fd, short events, int64_t at)
{
	const struct pollfd fds[] = { { .fd = fd, .events = events } };

	waker_watch(&waker, fds, 1, at);
}

static void expect_wakes(int count)
{
	int more;

	while (count-- > 0)
		sem_wait(&woken);
	sem_getvalue(&woken, &more);
	cr_expect_eq(more, 0);
}

Test(waker, ends_while_it_waits_for_nothing)
{
	expect_wakes(0);
}

Test(waker, ends_while_it_waits_for_an_fd)
{
	watch(pipe_fds[0], POLLIN, WAKER_NEVER);
}

Test(waker, wakes_at_the_fd)
{
	watch(pipe_fds[0], POLLIN, WAKER_NEVER);
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	expect_wakes(1);
}

Test(waker, wakes_once_for_each_request_though_the_fd_stays_ready)
{
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	for (int i = 0; i < 1000; i++) {
		watch(pipe_fds[0], POLLIN, WAKER_NEVER);
		expect_wakes(1);
	}
}

Test(waker, wakes_at_the_end_of_the_other_side)
{
	watch(pipe_fds[0], 0, WAKER_NEVER);
	close(pipe_fds[1]);
	expect_wakes(1);
	pipe_fds[1] = dup(pipe_fds[0]);
}

Test(waker, wakes_at_the_time_and_not_before)
{
	int64_t at = now_milliseconds() + 20;

	watch(-1, 0, at);
	expect_wakes(1);
	cr_expect_geq(now_milliseconds(), at);
	watch(pipe_fds[0], POLLIN, at); /* in the past */
	expect_wakes(1);
}

Test(waker, forgets_what_a_later_request_replaces)
{
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	watch(-1, 0, now_milliseconds() + 3600000);
	watch(pipe_fds[0], POLLIN, WAKER_NEVER);
	expect_wakes(1);
	watch(-1, 0, now_milliseconds() + 3600000);
	expect_wakes(0);
}

Test(waker, wakes_at_any_of_several_fds)
{
	struct pollfd fds[WAKER_FDS_MAX];

	for (size_t i = 0; i < WAKER_FDS_MAX; i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	for (size_t i = 0; i < WAKER_FDS_MAX; i++) {
		fds[i] = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
		waker_watch(&waker, fds, WAKER_FDS_MAX, WAKER_NEVER);
		expect_wakes(1);
		fds[i].fd = -1;
	}
	waker_watch(&waker, fds, WAKER_FDS_MAX, WAKER_NEVER);
	expect_wakes(0);
}
