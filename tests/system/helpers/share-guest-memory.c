/* SPDX-License-Identifier: MIT */
/*
 * share-guest-memory SOCKET GUID PID OFFSET: acts as the agent of a VM whose QEMU process is PID.
 * Waits for input, fetches the memfd of the guest's RAM from QEMU, and shares 4 KiB of it from
 * OFFSET on, as an image that holders may write. Prints "STATUS HANDLE INODE" and lives until stdin
 * ends.
 */
#include <dirent.h>
#include <inttypes.h>
#include <sys/pidfd.h>
#include <vail.h>

#include "tests/support/helper.h"

/* The link of QEMU's fd for a memory-backend-memfd. */
#define LINK "/memfd:memory-backend-memfd (deleted)"

static bool is_guest_memory(int fd)
{
	char path[40], text[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, text, sizeof(text));
	return length == (ssize_t)strlen(LINK) && memcmp(text, LINK, strlen(LINK)) == 0;
}

static int fetch_guest_memory(pid_t qemu)
{
	char path[40];
	struct dirent *entry;
	int pidfd = pidfd_open(qemu, 0);

	snprintf(path, sizeof(path), "/proc/%d/fd", qemu);
	DIR *directory = opendir(path);
	if (pidfd < 0 || !directory)
		err(1, "%s", path);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		int fd = pidfd_getfd(pidfd, (int)helper_number(entry->d_name), 0);
		if (fd < 0)
			err(1, "pidfd_getfd");
		if (is_guest_memory(fd)) {
			closedir(directory);
			return fd;
		}
		close(fd);
	}
	errx(1, "QEMU has no fd with the link " LINK);
}

int main(int argc, char **argv)
{
	char handle[VAIL_HANDLE_SIZE], byte;
	VailObject object = VAIL_OBJECT_INIT;
	struct vail *vail;
	struct stat status;

	if (argc != 5)
		errx(2, "usage: share-guest-memory SOCKET GUID PID OFFSET");
	if (read(STDIN_FILENO, &byte, 1) != 1 || vail_new(argv[1], &vail) != STATUS_SUCCESS)
		errx(1, "stdin ended, or vail_new failed");
	object.access = VAIL_ACCESS_READ_WRITE;
	object.width = 64;
	object.height = 16;
	object.format = VAIL_FORMAT('X', 'R', '2', '4');
	object.plane_count = 1;
	object.planes[0].descriptor = fetch_guest_memory((pid_t)helper_number(argv[3]));
	object.planes[0].offset = helper_number(argv[4]);
	object.planes[0].stride = 256;
	NTSTATUS shared = vail_share_object(vail, argv[2], &object, handle);
	if (shared != STATUS_SUCCESS)
		errx(1, "%s %s", vail_status_name(shared), vail_error_message(vail));
	fstat(object.planes[0].descriptor, &status);
	printf("%s %s %ju\n", vail_status_name(shared), handle, (uintmax_t)status.st_ino);
	fflush(stdout);
	helper_wait_for_end_of_input();
	vail_close(vail);
	return 0;
}
