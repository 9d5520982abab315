/* SPDX-License-Identifier: MIT */
/*
 * share-image SOCKET GUID: is a VM's VMM. After a first line on stdin it shares an image of 64 by
 * 32 pixels through libvail, and prints "handle HANDLE" and "inode NUMBER". Each further line is
 * written into the image's first bytes and told as an update, but for "unshare".
 */
#include <inttypes.h>
#include <vail.h>

#include "tool.h"

static void must(const char *what, struct vail *vail, NTSTATUS status)
{
	if (status == STATUS_SUCCESS)
		return;
	errx(1, "%s: %s %s", what, vail_status_name(status), vail ? vail_error_message(vail) : "");
}

static bool read_line(char *line, int size)
{
	if (!fgets(line, size, stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

int main(int argc, char **argv)
{
	char line[64], handle[VAIL_HANDLE_SIZE];
	VailObject object = VAIL_OBJECT_INIT;
	struct vail_memory *memory;
	struct vail *vail;
	struct stat status;
	uint64_t holders;

	if (argc != 3)
		errx(2, "usage: share-image SOCKET GUID");
	if (!read_line(line, sizeof(line)))
		errx(1, "stdin ended");
	must("new", NULL, vail_new(argv[1], &vail));
	must("memory", vail, vail_memory_new(64 * 32 * 4, "image", &memory));
	object.width = 64;
	object.height = 32;
	object.format = VAIL_FORMAT('X', 'R', '2', '4');
	object.plane_count = 1;
	object.planes[0].descriptor = vail_memory_descriptor(memory);
	object.planes[0].stride = 64 * 4;
	must("share", vail, vail_share_object(vail, argv[2], &object, handle));
	fstat(vail_memory_descriptor(memory), &status);
	printf("handle %s\ninode %ju\n", handle, (uintmax_t)status.st_ino);
	fflush(stdout);
	while (read_line(line, sizeof(line)) && strcmp(line, "unshare") != 0) {
		memcpy(vail_memory_data(memory), line, strlen(line) + 1);
		must("update", vail, vail_update_object(vail, handle, NULL, 0));
		printf("written\n");
		fflush(stdout);
	}
	must("unshare", vail, vail_unshare_object(vail, handle, &holders));
	printf("holders %" PRIu64 "\n", holders);
	fflush(stdout);
	tool_wait_for_end_of_input();
	vail_memory_free(memory);
	vail_close(vail);
	return 0;
}
