/* SPDX-License-Identifier: MIT */
#include "daemon/host/examiner/examiner.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/host/examiner/call-filter.h"
#include "daemon/host/examiner/capabilities.h"
#include "daemon/host/examiner/context-search.h"
#include "daemon/host/process/pid-namespace.h"
#include "daemon/host/process/user-namespace.h"
#include "proto/fd-util.h"

#define EXAMINER_NAME "vaild-examiner"

typedef struct Examination {
	FsRoots roots;
	UserNamespace own;
	uint64_t own_pids; /* the inode of the daemon's pid namespace */
	ContextSearches searches;
} Examination;

/* --- who ------------------------------------------------------------------------------------- */

static void read_namespace(int folder, const UserNamespace *own, WhoAnswer *answer)
{
	struct stat status;
	uid_t owner = 0;

	if (fstatat(folder, "ns/user", &status, 0) < 0) {
		answer->error = answer->owner_error = errno;
		return;
	}
	answer->namespace_device = status.st_dev;
	answer->namespace_inode = status.st_ino;
	if (status.st_dev == own->device && status.st_ino == own->inode)
		return;
	answer->owner_error = -user_namespace_owner(folder, own, &owner);
	answer->owner = owner;
}

/* Returns an O_PATH fd of the process's directory in /proc, or -1 with errno. */
static int open_process(const FsRoots *roots, pid_t pid)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%d", roots->proc, (int)pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void examine_who(const FsRoots *roots, const UserNamespace *own, uint64_t own_pids, pid_t pid,
		 WhoAnswer *ret)
{
	_cleanup_close_ int folder = open_process(roots, pid);

	*ret = (WhoAnswer){ 0 };
	if (folder < 0) {
		ret->error = ret->owner_error = errno;
		return;
	}
	read_namespace(folder, own, ret);
	ret->is_in_own_pid_namespace = pid_namespace_contains(own_pids, folder);
	if (readlinkat(folder, "exe", ret->executable, sizeof(ret->executable) - 1) < 0)
		ret->executable[0] = '\0';
}

void examine_pids(const FsRoots *roots, pid_t pid, PidsAnswer *ret)
{
	_cleanup_close_ int folder = open_process(roots, pid);

	*ret = (PidsAnswer){ 0 };
	if (folder < 0)
		ret->error = errno;
	else
		ret->error = -pid_namespace_read_levels(folder, ret->levels, &ret->count);
}

static void answer_who(const Examination *examination, const WhoQuestion *question)
{
	uint64_t own_pids = question->topic == WHO_IS_IT ? 0 : examination->own_pids;
	WhoAnswer answer;

	examine_who(&examination->roots, &examination->own, own_pids, question->pid, &answer);
	answer.number = question->number;
	if (send(EXAMINER_WHO_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
}

static void answer_pids(const Examination *examination, const WhoQuestion *question)
{
	PidsAnswer answer;

	examine_pids(&examination->roots, question->pid, &answer);
	answer.number = question->number;
	if (send(EXAMINER_WHO_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
}

/* Answers the next question. Ends the process if it is malformed, or if the daemon has ended. */
static void serve_who(const Examination *examination)
{
	WhoQuestion question;
	ssize_t size = recv(EXAMINER_WHO_FD, &question, sizeof(question), MSG_TRUNC | MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size != sizeof(question) || question.topic >= WHO_MAX)
		_exit(size == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	if (question.topic == WHO_PIDS)
		answer_pids(examination, &question);
	else
		answer_who(examination, &question);
}

/* --- searches -------------------------------------------------------------------------------- */

/* Returns the only fd that came with the message, or -1. */
static int take_fd(struct msghdr *message)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int fd;

	if (!control || message->msg_flags & MSG_CTRUNC || control->cmsg_level != SOL_SOCKET ||
	    control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

/* Starts the next search. Ends the process as serve_who() does. */
static void serve_context(Examination *examination)
{
	SearchQuestion question;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { .iov_base = &question, .iov_len = sizeof(question) };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size =
		recvmsg(EXAMINER_CONTEXT_FD, &message, MSG_TRUNC | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0 && errno == EAGAIN)
		return;
	int pidfd = size == sizeof(question) ? take_fd(&message) : -1;
	if (pidfd < 0 || question.topic >= SEARCH_MAX)
		_exit(size == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	context_searches_begin(&examination->searches, &question, pidfd);
}

/* --- the process ----------------------------------------------------------------------------- */

static void ignore_signal(int signal_number)
{
	(void)signal_number;
}

/*
 * Blocks the signals that end or reload the daemon: a terminal and systemd send them to all
 * processes. The end of a child interrupts only ppoll(), which uses the mask in *ret.
 */
static void block_signals(sigset_t *ret)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	sigset_t blocked;

	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGINT);
	*ret = blocked;
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static _Noreturn void serve(Examination *examination, const sigset_t *mask)
{
	struct pollfd sockets[] = { { .fd = EXAMINER_WHO_FD, .events = POLLIN },
				    { .fd = EXAMINER_CONTEXT_FD, .events = POLLIN } };

	for (;;) {
		struct timespec timeout;
		bool waits = context_searches_timeout(&examination->searches, &timeout);
		int ready = ppoll(sockets, 2, waits ? &timeout : NULL, mask);

		if (ready < 0 && errno != EINTR)
			_exit(EXIT_FAILURE);
		if (ready > 0 && sockets[0].revents)
			serve_who(examination);
		context_searches_update(&examination->searches);
		if (ready > 0 && sockets[1].revents)
			serve_context(examination);
	}
}

/* Replaces stdin and stdout by /dev/null, so that no other file gets their numbers. */
static bool empty_standard_fds(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool is_done =
		null >= 0 && dup2(null, EXAMINER_NULL_FD) >= 0 && dup2(null, STDOUT_FILENO) >= 0;

	if (null > STDERR_FILENO)
		close(null);
	return is_done;
}

/* Moves the sockets to their places and closes all other fds above stderr. */
static bool arrange_fds(const ExaminerSockets *sockets)
{
	/* Move both out of the way first: each may have the other's place. */
	int who = fcntl(sockets->who, F_DUPFD_CLOEXEC, EXAMINER_CONTEXT_FD + 1);
	int context = fcntl(sockets->context, F_DUPFD_CLOEXEC, EXAMINER_CONTEXT_FD + 1);

	if (dup3(who, EXAMINER_WHO_FD, O_CLOEXEC) < 0 ||
	    dup3(context, EXAMINER_CONTEXT_FD, O_CLOEXEC) < 0)
		return false;
	return close_range(EXAMINER_CONTEXT_FD + 1, UINT_MAX, 0) == 0;
}

/* The child's part of examiner_start(). */
static _Noreturn void run(const FsRoots *roots, const UserNamespace *own,
			  const ExaminerSockets *sockets, pid_t daemon)
{
	Examination examination = { .roots = *roots, .own = *own };
	sigset_t mask;

	if (capabilities_give_up(true) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != daemon || chdir("/") < 0 || !arrange_fds(sockets) || !empty_standard_fds())
		_exit(EXIT_FAILURE);
	prctl(PR_SET_NAME, EXAMINER_NAME);
	examination.own_pids = pid_namespace_own(roots);
	context_searches_init(&examination.searches, roots, EXAMINER_CONTEXT_FD, EXAMINER_WHO_FD);
	block_signals(&mask);
	if (call_filter_install() < 0)
		_exit(EXIT_FAILURE);
	serve(&examination, &mask);
}

int examiner_start(const FsRoots *roots, const UserNamespace *own, ExaminerSockets *ret)
{
	const pid_t daemon = getpid();
	int who[2] = { -1, -1 }, context[2] = { -1, -1 };
	int error = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, who) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, context) < 0)
		error = -errno;
	pid_t child = error == 0 ? fork() : -1;
	if (child == 0)
		run(roots, own, &(ExaminerSockets){ who[1], context[1] }, daemon);
	if (error == 0 && child < 0)
		error = -errno;
	fd_close(&who[1]);
	fd_close(&context[1]);
	if (error < 0) {
		fd_close(&who[0]);
		fd_close(&context[0]);
		return error;
	}
	*ret = (ExaminerSockets){ .who = who[0], .context = context[0] };
	return 0;
}
