/* SPDX-License-Identifier: MIT */
/*
 * try-call-filter [--without]: attempts system calls behind the examiner's filter, or without it.
 * Prints a line for each attempt: its name, and "allowed", "refused" or the name of the signal that
 * has ended the process. Prints "no-filter" if this build has none.
 *
 * Behind the filter it also makes each system call that the kernel may have, with arguments of -1.
 * It prints a line "unexpected N" for each that is neither refused nor in the list below. An
 * attempt is refused if it fails with EPERM; other errors count as allowed.
 */
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/prctl.h>
#include <termios.h>

#include "daemon/host/examiner/call-filter.h"
#include "daemon/host/process/pid-namespace.h"
#include "tests/support/helper.h"

#define NUMBERS    700 /* more than any architecture has */
#define X32_NUMBER 0x40000000L
#define PAGE       4096
#define OTHER_FD   5 /* a socket like those of the examiner, but with another number */
#define FILE_FD    6
#define PROCESS_FD 7

typedef enum Outcome { UNFINISHED, ALLOWED, REFUSED } Outcome;

static Outcome *shared; /* by the process that makes an attempt and the one that prints it */
static bool is_filtered = true;

/* --- attempts -------------------------------------------------------------------------------- */

static long open_with(int flags)
{
	return syscall(SYS_openat, AT_FDCWD, "/nonexistent/file", flags | O_CLOEXEC, 0600);
}

static long open_to_write(void)
{
	return open_with(O_WRONLY);
}

static long open_to_read_and_write(void)
{
	return open_with(O_RDWR);
}

static long open_to_create(void)
{
	return open_with(O_RDONLY | O_CREAT);
}

static long open_to_truncate(void)
{
	return open_with(O_RDONLY | O_TRUNC);
}

static long ioctl_of_terminal(void)
{
	return ioctl(FILE_FD, TCGETS, NULL);
}

static long duplicate(void)
{
	return fcntl(FILE_FD, F_DUPFD, 0);
}

static long set_flags(void)
{
	return fcntl(FILE_FD, F_SETFL, O_APPEND);
}

static long send_to_other(void)
{
	return send(OTHER_FD, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long receive_from_other(void)
{
	char byte;

	return recv(OTHER_FD, &byte, 1, MSG_DONTWAIT);
}

/*
 * These fetch the socket of another process, as a taken-over examiner could. They try to give it
 * the number of an own socket, and then send. A fetched fd gets the lowest free number.
 */

static long fetch_other(void)
{
	return syscall(SYS_pidfd_getfd, PROCESS_FD, OTHER_FD, 0);
}

static long send_to_fetched(void)
{
	close(EXAMINER_WHO_FD);
	return send((int)fetch_other(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long send_to_fetched_after_drop(void)
{
	dup3(EXAMINER_NULL_FD, EXAMINER_WHO_FD, O_CLOEXEC);
	close(EXAMINER_WHO_FD);
	return send((int)fetch_other(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long send_to_fetched_null(void)
{
	close(EXAMINER_NULL_FD);
	int fetched = (int)fetch_other();
	dup3(fetched, EXAMINER_WHO_FD, 0);
	return send(fetched == EXAMINER_NULL_FD ? EXAMINER_WHO_FD : fetched, "", 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Takes the message of send_fd(), which has OTHER_FD. */
static long send_to_received(void)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	close(EXAMINER_CONTEXT_FD);
	if (recvmsg(EXAMINER_WHO_FD, &message, MSG_DONTWAIT) == 1)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd < 0 ? 0 : send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long close_null(void)
{
	return close(EXAMINER_NULL_FD);
}

static long close_who(void)
{
	return close(EXAMINER_WHO_FD);
}

static long close_context(void)
{
	return close(EXAMINER_CONTEXT_FD);
}

static long close_in_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(close(EXAMINER_WHO_FD) < 0 ? errno : 0);
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static long replace_socket(void)
{
	return dup3(OTHER_FD, EXAMINER_WHO_FD, O_CLOEXEC);
}

static long replace_socket_by_other(void)
{
	return dup3(EXAMINER_CONTEXT_FD, EXAMINER_WHO_FD, O_CLOEXEC);
}

static long replace_null(void)
{
	return dup3(OTHER_FD, EXAMINER_NULL_FD, O_CLOEXEC);
}

static long replace_other(void)
{
	return dup3(EXAMINER_NULL_FD, OTHER_FD, O_CLOEXEC);
}

static long close_all(void)
{
	return close_range(EXAMINER_WHO_FD, EXAMINER_WHO_FD, 0);
}

static long map_memory(int protection, int flags, int fd)
{
	return mmap(NULL, PAGE, protection, flags, fd, 0) == MAP_FAILED ? -1 : 0;
}

static long map_executable(void)
{
	return map_memory(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static long map_file(void)
{
	return map_memory(PROT_READ, MAP_SHARED, FILE_FD);
}

static long finish_child(long pid)
{
	if (pid == 0)
		_exit(0);
	return pid < 0 ? pid : waitpid((pid_t)pid, NULL, 0);
}

static long clone_namespace(void)
{
	return finish_child(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, NULL, NULL, NULL, NULL));
}

static long clone_with_shared_files(void)
{
	return finish_child(syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL));
}

static long set_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

/* These must succeed, because the examiner makes them. */

static long open_to_read(void)
{
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

static long open_folder(void)
{
	return open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static long read_file(void)
{
	char byte;

	return read(FILE_FD, &byte, 1);
}

static long ioctl_of_namespace(void)
{
	return ioctl(FILE_FD, NS_GET_PARENT); /* not a namespace: ENOTTY */
}

static long ioctl_of_owner(void)
{
	return ioctl(FILE_FD, NS_GET_OWNER_UID, NULL);
}

static long ioctl_of_pid(void)
{
	return ioctl(FILE_FD, NS_GET_PID_FROM_PIDNS, 1);
}

static long get_flags(void)
{
	return fcntl(FILE_FD, F_GETFL);
}

static long send_answer(void)
{
	return send(EXAMINER_CONTEXT_FD, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long receive_question(void)
{
	char byte;

	return recv(EXAMINER_WHO_FD, &byte, 1, MSG_DONTWAIT);
}

static long drop_who(void)
{
	return dup3(EXAMINER_NULL_FD, EXAMINER_WHO_FD, O_CLOEXEC);
}

static long drop_context(void)
{
	return dup3(EXAMINER_NULL_FD, EXAMINER_CONTEXT_FD, O_CLOEXEC);
}

static long close_other(void)
{
	return close(OTHER_FD);
}

static long allocate(void)
{
	void *memory = malloc(64L << 20);
	void *more = memory ? realloc(memory, 128L << 20) : NULL;

	free(more ? more : memory);
	return more ? 0 : -1;
}

static long make_child(void)
{
	return finish_child(fork());
}

static long die_with_parent(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static long fetch_fd(void)
{
	return syscall(SYS_pidfd_getfd, PROCESS_FD, FILE_FD, 0);
}

/* Other architectures. */

static long call_as_x32(void)
{
	long result = syscall(SYS_getpid | X32_NUMBER);

	return result < 0 && errno == ENOSYS ? 0 : result;
}

#ifdef __x86_64__
static long call_as_i386(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); /* getpid */
	return result;
}
#endif

static const struct {
	const char *name;
	long (*try)(void);
} attempts[] = {
	{ "send-to-received", send_to_received }, /* first, because there is one message */
	{ "open-to-write", open_to_write },
	{ "open-to-read-and-write", open_to_read_and_write },
	{ "open-to-create", open_to_create },
	{ "open-to-truncate", open_to_truncate },
	{ "ioctl-of-terminal", ioctl_of_terminal },
	{ "duplicate-fd", duplicate },
	{ "set-flags", set_flags },
	{ "send-to-other", send_to_other },
	{ "receive-from-other", receive_from_other },
	{ "send-to-fetched", send_to_fetched },
	{ "send-to-fetched-after-drop", send_to_fetched_after_drop },
	{ "send-to-fetched-null", send_to_fetched_null },
	{ "close-null", close_null },
	{ "close-who", close_who },
	{ "close-context", close_context },
	{ "close-in-child", close_in_child },
	{ "close-range", close_all },
	{ "replace-socket", replace_socket },
	{ "replace-socket-by-other", replace_socket_by_other },
	{ "replace-null", replace_null },
	{ "replace-other", replace_other },
	{ "map-executable", map_executable },
	{ "map-file", map_file },
	{ "clone-namespace", clone_namespace },
	{ "clone-with-shared-files", clone_with_shared_files },
	{ "set-dumpable", set_dumpable },
#ifdef __x86_64__
	{ "call-as-x32", call_as_x32 },
	{ "call-as-i386", call_as_i386 },
#endif
	{ "need:open-to-read", open_to_read },
	{ "need:open-folder", open_folder },
	{ "need:read", read_file },
	{ "need:ioctl-of-namespace", ioctl_of_namespace },
	{ "need:ioctl-of-owner", ioctl_of_owner },
	{ "need:ioctl-of-pid", ioctl_of_pid },
	{ "need:get-flags", get_flags },
	{ "need:send-answer", send_answer },
	{ "need:receive-question", receive_question },
	{ "need:drop-who", drop_who },
	{ "need:drop-context", drop_context },
	{ "need:close-other", close_other },
	{ "need:allocate", allocate },
	{ "need:make-child", make_child },
	{ "need:die-with-parent", die_with_parent },
	{ "need:fetch-fd", fetch_fd },
};

/*
 * The system calls that are allowed with arguments of -1. The kernel does not ask filters
 * about the last two, which are for its probes only.
 */
static const long allowed_numbers[] = {
	SYS_ppoll,
	SYS_close,
	SYS_read,
	SYS_newfstatat,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_statx,
	SYS_fstat,
	SYS_pidfd_getfd,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_set_robust_list,
	SYS_wait4,
	SYS_waitid,
	SYS_getpid,
	SYS_getppid,
	SYS_gettid,
	SYS_sched_yield,
	SYS_exit,
	SYS_exit_group,
	SYS_clock_gettime,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_futex,
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
#ifdef __x86_64__
	335, /* uretprobe() */
	336, /* uprobe() */
#endif
};

/* --- making them ----------------------------------------------------------------------------- */

static void place(int fd, int number)
{
	if (fd < 0 || (fd != number && dup2(fd, number) < 0))
		err(2, "cannot place fd %d", number);
}

/* Sends OTHER_FD to the socket for "who". */
static void send_fd(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { .iov_base = "", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &(int){ OTHER_FD }, sizeof(int));
	if (sendmsg(EXAMINER_CONTEXT_FD, &message, MSG_NOSIGNAL) < 0)
		err(2, "sendmsg");
}

static void open_fds(void)
{
	int sockets[2];

	place(open("/etc/passwd", O_RDONLY), FILE_FD);
	place((int)syscall(SYS_pidfd_open, getpid(), 0), PROCESS_FD);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) < 0)
		err(2, "socketpair");
	/* Above the numbers that are needed. */
	int one = fcntl(sockets[0], F_DUPFD, 64), two = fcntl(sockets[1], F_DUPFD, 64);
	place(one, EXAMINER_WHO_FD);
	place(two, EXAMINER_CONTEXT_FD);
	place(one, OTHER_FD);
	send_fd();
}

/* Prints the result of the child, which has ended with this status. */
static void print_result(const char *name, int status)
{
	if (*shared != UNFINISHED)
		printf("%s %s\n", name, *shared == ALLOWED ? "allowed" : "refused");
	else if (WIFSIGNALED(status))
		printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
	else
		printf("%s ended\n", name);
	fflush(stdout);
}

/* Begins an attempt in a child, which returns true. The parent returns false after its end. */
static bool begin_attempt(int *ret_status)
{
	*shared = UNFINISHED;
	pid_t pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid > 0) {
		waitpid(pid, ret_status, 0);
		return false;
	}
	if (is_filtered &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || call_filter_install() < 0))
		err(2, "cannot install the filter");
	return true;
}

static _Noreturn void end_attempt(long result)
{
	*shared = result < 0 && errno == EPERM ? REFUSED : ALLOWED;
	_exit(0);
}

static bool is_allowed(long number)
{
	for (size_t i = 0; i < sizeof(allowed_numbers) / sizeof(allowed_numbers[0]); i++)
		if (allowed_numbers[i] == number)
			return true;
	return false;
}

static void try_number(long number)
{
	char name[32];
	int status;

	if (begin_attempt(&status))
		end_attempt(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L));
	snprintf(name, sizeof(name), "unexpected %ld", number);
	if (*shared != REFUSED && !is_allowed(number))
		print_result(name, status);
}

int main(int argc, char **argv)
{
	int status;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--without") != 0))
		errx(2, "usage: try-call-filter [--without]");
	is_filtered = argc == 1;
	if (!call_filter_exists()) {
		puts("no-filter");
		return 0;
	}
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(2, "mmap");
	open_fds();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (begin_attempt(&status))
			end_attempt(attempts[i].try());
		print_result(attempts[i].name, status);
	}
	for (long number = 0; is_filtered && number < NUMBERS; number++)
		try_number(number);
	return 0;
}
