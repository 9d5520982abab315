/* SPDX-License-Identifier: MIT */
/*
 * describe-fd [PID] NUMBER: prints the kernel's information about an fd. The fd is inherited, or
 * belongs to process PID and is fetched with pidfd_getfd(). Prints these lines, with the name of an
 * error instead of a value that cannot be read:
 *
 *   link TEXT          target of its link in /proc/self/fd
 *   filesystem TYPE    type of the file system from fstatfs(), hexadecimal
 *   file KIND          "regular" or "other", from fstat()
 *   mount OWN          "own" if a memfd of this process has the same st_dev, or "other"
 *   mode MODE          "read", "write", "readWrite", or "path" for O_PATH
 *   size BYTES         from fstat()
 *   end BYTES          from lseek(SEEK_END); the file offset is restored
 *   reopen RESULT      "opens" if it can be reopened for reading
 *   fence COUNT STATE  from SYNC_IOC_FILE_INFO: number of fences, and "pending" or "signalled"
 *   fdinfo KEY VALUE   each line of its fdinfo
 */
#include <linux/sync_file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/vfs.h>

#include "tests/support/helper.h"

static const char *error_name(void)
{
	return strerrorname_np(errno);
}

/* Returns a copy of the process's fd. */
static int fetch(pid_t pid, int number)
{
	int pidfd = pidfd_open(pid, 0);
	int fd = pidfd < 0 ? -1 : pidfd_getfd(pidfd, number, 0);

	if (fd < 0) {
		printf("pidfd_getfd %s\n", error_name());
		exit(1);
	}
	return fd;
}

static void print_link(int fd)
{
	char path[40], text[256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, text, sizeof(text) - 1);
	if (length < 0)
		err(2, "%s", path);
	printf("link %.*s\n", (int)length, text);

	int reopened = open(path, O_RDONLY | O_CLOEXEC);
	printf("reopen %s\n", reopened < 0 ? error_name() : "opens");
	if (reopened >= 0)
		close(reopened);
}

static void print_status(int fd)
{
	struct stat status, own;
	struct statfs filesystem;
	int memory = memfd_create("own", MFD_CLOEXEC);

	if (memory < 0 || fstat(memory, &own) < 0)
		err(2, "memfd");
	close(memory);
	if (fstat(fd, &status) < 0 || fstatfs(fd, &filesystem) < 0)
		err(2, "fstat");
	printf("filesystem 0x%lx\n", (unsigned long)filesystem.f_type);
	printf("file %s\n", S_ISREG(status.st_mode) ? "regular" : "other");
	printf("mount %s\n", status.st_dev == own.st_dev ? "own" : "other");
	printf("size %lld\n", (long long)status.st_size);
}

static void print_mode(int fd)
{
	static const char *const modes[] = { "read", "write", "readWrite", "none" };
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		err(2, "F_GETFL");
	printf("mode %s\n", flags & O_PATH ? "path" : modes[flags & O_ACCMODE]);
}

static void print_end(int fd)
{
	off_t position = lseek(fd, 0, SEEK_CUR), end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		printf("end %s\n", error_name());
	else
		printf("end %lld\n", (long long)end);
	if (position >= 0)
		lseek(fd, position, SEEK_SET);
}

static void print_fence(int fd)
{
	struct sync_file_info info = { 0 };

	if (ioctl(fd, SYNC_IOC_FILE_INFO, &info) < 0)
		printf("fence %s\n", error_name());
	else
		printf("fence %u %s\n", info.num_fences, info.status ? "signalled" : "pending");
}

static void print_fdinfo(int fd)
{
	char path[48], key[64], value[128], line[256];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *file = fopen(path, "re");
	if (!file)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[^:]: %127[^\n]", key, value) == 2)
			printf("fdinfo %s %s\n", key, value);
	fclose(file);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		errx(2, "usage: describe-fd [PID] NUMBER");
	int fd = (int)helper_number(argv[argc - 1]);
	if (argc == 3)
		fd = fetch((pid_t)helper_number(argv[1]), fd);
	print_link(fd);
	print_status(fd);
	print_mode(fd);
	print_end(fd);
	print_fence(fd);
	print_fdinfo(fd);
	return 0;
}
