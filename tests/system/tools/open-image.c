/* SPDX-License-Identifier: MIT */
/*
 * open-image SOCKET GUID HANDLE: makes a context, registers, and opens the object through libvail.
 * Prints the statuses, "inode NUMBER", and at each line on stdin "text TEXT": what stands in the
 * object's first bytes then. A line "write OFFSET TEXT" first writes there, into a mapping. At the
 * end of stdin it closes the object.
 */
#include <vail.h>

#include "tool.h"

static void print(const char *what, NTSTATUS status)
{
	printf("%s %s\n", what, vail_status_name(status));
	fflush(stdout);
}

static void write_text(struct vail_object *object, const char *line)
{
	char *text, *data;
	size_t size, offset = strtoul(line, &text, 10);

	print("map", vail_object_map(object, 0, (void **)&data, &size));
	text++;
	memcpy(data + offset, text, strcspn(text, "\n"));
}

int main(int argc, char **argv)
{
	char line[64], text[64], context[VAIL_HANDLE_SIZE];
	struct vail_object *object;
	struct vail *vail;
	struct stat status;

	if (argc != 4)
		errx(2, "usage: open-image SOCKET GUID HANDLE");
	if (vail_open(argv[1], &vail) != STATUS_SUCCESS)
		return 1;
	print("open-unregistered", vail_open_object(vail, argv[3], &object));
	print("context", vail_create_context(vail, NULL, context, NULL));
	print("register", vail_register_process(vail, argv[2]));
	NTSTATUS opened = vail_open_object(vail, argv[3], &object);
	print("open", opened);
	if (opened != STATUS_SUCCESS)
		return 1;
	fstat(vail_object_descriptor(object, 0), &status);
	printf("inode %ju\n", (uintmax_t)status.st_ino);
	printf("writable %d\n", fcntl(vail_object_descriptor(object, 0), F_GETFL) & O_ACCMODE);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (strncmp(line, "write ", 6) == 0)
			write_text(object, line + 6);
		print("read", vail_object_read(object, 0, 0, text, sizeof(text)));
		printf("text %.63s\n", text);
		fflush(stdout);
	}
	print("close", vail_object_close(vail, object));
	vail_close(vail);
	return 0;
}
