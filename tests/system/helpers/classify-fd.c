/* SPDX-License-Identifier: MIT */
/*
 * classify-fd [fstat|fstatfs|lseek|ioctl] NUMBER: classifies an inherited fd with the daemon's own
 * code. Prints its kind and size, and "writable" and "sealable" if it is. With a call before the
 * number, only makes that system call on the fd and prints "answered". Prints "hangs" if the file
 * system does not answer.
 *
 * A child process makes the calls. If they hang, the child stays behind, because it cannot be
 * killed. The exit status is 0 in both cases.
 */
#include <linux/sync_file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "daemon/host/fd-info.h"
#include "tests/support/helper.h"

#define LOOK_MS 10 /* interval of the checks whether the child hangs */

static void print_facts(int fd)
{
	static const char *const names[FD_KIND_MAX] = {
		[FD_OTHER] = "other", [FD_SOCKET] = "socket",       [FD_DMABUF] = "dmabuf",
		[FD_MEMFD] = "memfd", [FD_SYNC_FILE] = "sync_file",
	};
	MemfdIdentity own;
	FdInfo facts;
	int error = fd_info_init(&own);

	if (error == 0)
		error = fd_info_read(&FS_ROOTS_DEFAULT, &own, fd, &facts);
	if (error < 0)
		printf("%s\n", strerror(-error));
	else
		printf("%s %ju%s%s\n", names[facts.kind], (uintmax_t)facts.size,
		       facts.is_writable ? " writable" : "",
		       facts.can_be_sealed ? " sealable" : "");
}

static void make_call(const char *call, int fd)
{
	struct stat status;
	struct statfs file_system;
	struct sync_file_info info = { 0 };

	if (strcmp(call, "fstat") == 0)
		fstat(fd, &status);
	else if (strcmp(call, "fstatfs") == 0)
		fstatfs(fd, &file_system);
	else if (strcmp(call, "lseek") == 0)
		lseek(fd, 0, SEEK_END);
	else if (strcmp(call, "ioctl") == 0)
		ioctl(fd, SYNC_IOC_FILE_INFO, &info);
	else
		errx(2, "%s is not one of fstat, fstatfs, lseek and ioctl", call);
	puts("answered");
}

/* Runs in the child, whose stdout becomes the pipe. */
static void classify(const char *call, int fd, int pipe_end)
{
	if (dup2(pipe_end, STDOUT_FILENO) < 0)
		err(2, "dup2");
	if (call)
		make_call(call, fd);
	else
		print_facts(fd);
	exit(0);
}

/* Tells whether the child sleeps in one of the calls. They only sleep on a FUSE file system. */
static bool sleeps_in_call(pid_t child)
{
	static const long calls[] = { SYS_newfstatat, SYS_fstat, SYS_statx,
				      SYS_fstatfs,    SYS_lseek, SYS_ioctl };
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)child);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		err(2, "%s", path);
	close(file);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (text[0] >= '0' && text[0] <= '9' && strtol(text, NULL, 10) == calls[i])
			return true;
	return false; /* it runs, or sleeps elsewhere */
}

static void print_result(pid_t child, int pipe_end)
{
	struct pollfd poll_for = { .fd = pipe_end, .events = POLLIN };
	char result[128];

	while (poll(&poll_for, 1, LOOK_MS) == 0)
		if (sleeps_in_call(child)) {
			puts("hangs");
			return;
		}
	ssize_t length = read(pipe_end, result, sizeof(result));
	fwrite(result, 1, length < 0 ? 0 : (size_t)length, stdout);
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc != 2 && argc != 3)
		errx(2, "usage: classify-fd [fstat|fstatfs|lseek|ioctl] NUMBER");
	int fd = (int)helper_number(argv[argc - 1]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(2, "pipe");
	pid_t child = fork();
	if (child < 0)
		err(2, "fork");
	if (child == 0)
		classify(argc == 3 ? argv[1] : NULL, fd, ends[1]);
	close(ends[1]);
	print_result(child, ends[0]);
	return 0;
}
