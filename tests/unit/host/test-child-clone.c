/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/child/child-clone.h"
#include "daemon/child/raw-call.h"

#define TIMEOUT 60

typedef struct Work {
	ChildStack stack;
	int fd;
	long result; /* of close() */
	volatile bool is_done;
} Work;

CHILD_FUNCTION static int close_fd(void *context)
{
	Work *work = context;

	work->result = raw_call(SYS_close, work->fd, 0, 0);
	work->is_done = true;
	return 7;
}

/* Runs the function in a child, and waits until the child has exited. Returns its status. */
static int run(Work *work, int (*function)(void *))
{
	int status;
	pid_t pid = child_start(&work->stack, function, work);

	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(child_clone, a_child_shares_the_fd_table, .timeout = TIMEOUT)
{
	Work work = { .fd = open("/dev/null", O_RDONLY | O_CLOEXEC) };
	int status = run(&work, close_fd);

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	cr_assert_eq(fcntl(work.fd, F_GETFD), -1);
	cr_assert_eq(errno, EBADF);
}

/* Otherwise the kernel would have to copy the page tables. */
Test(child_clone, a_child_shares_the_memory, .timeout = TIMEOUT)
{
	Work work = { .fd = -1 };

	if (!RAW_CALLS_SPARE_ERRNO)
		cr_skip_test("the child has a copy of the memory on this CPU");
	run(&work, close_fd);
	cr_assert(work.is_done);
	cr_assert_eq(work.result, -EBADF);
}

/* A client chooses the error of a close(), if its file system implements the file. */
Test(child_clone, an_error_of_a_child_leaves_errno_alone, .timeout = TIMEOUT)
{
	Work work = { .fd = -1 };

	errno = 0;
	run(&work, close_fd);
	cr_assert_eq(errno, 0);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* Waits until the parent closes the other end of the pipe. */
CHILD_FUNCTION static int await_end(void *context)
{
	Work *work = context;

	raw_call(SYS_read, work->fd, (long)&work->result, 1);
	return 0;
}

/* Otherwise the child would run the handlers of the event loop. */
Test(child_clone, a_child_ignores_signals, .timeout = TIMEOUT)
{
	Work work;
	int ends[2], status;

	signal(SIGTERM, on_signal);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	work.fd = ends[0];
	pid_t pid = child_start(&work.stack, await_end, &work);
	cr_assert_gt(pid, 0);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	close(ends[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(caught, 0);
	cr_assert_eq(raise(SIGTERM), 0);
	cr_assert_eq(caught, SIGTERM, "the parent still catches signals");
}
