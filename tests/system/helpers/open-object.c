/* SPDX-License-Identifier: MIT */
/*
 * open-object SOCKET GUID: acts as a viewer of the VM, through libvail. Reads commands from stdin,
 * one a line, and prints the status of each on a line:
 *
 *   command                  effect                          printed after the status
 *   register                 creates a context, registers    the status of the registration
 *   open HANDLE              opens an object                 INODE:read or INODE:readWrite of each
 *                                                            plane
 *   read PLANE               reads the plane's beginning     the text there
 *   write PLANE OFFSET TEXT  maps the plane, writes text
 *   overwrite PLANE TEXT     writes text to the plane's beginning, without libvail
 *   wait MS                  waits MS for the object's fence
 *   close                    closes the object
 *
 * The last five commands use the object that was opened last.
 */
#include <vail.h>

#include "tests/support/helper.h"

#define TEXT_SIZE 64

typedef struct Viewer {
	struct vail *vail;
	const char *guid;
	struct vail_object *object;
} Viewer;

static void register_process(Viewer *viewer)
{
	char context[VAIL_HANDLE_SIZE];
	NTSTATUS status = vail_create_context(viewer->vail, NULL, context, NULL);

	printf("%s ", vail_status_name(status));
	puts(vail_status_name(vail_register_process(viewer->vail, viewer->guid)));
}

static void print_plane(int fd)
{
	struct stat status;
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;

	if (fstat(fd, &status) < 0)
		err(1, "fstat");
	printf(" %ju:%s", (uintmax_t)status.st_ino, mode == O_RDONLY ? "read" : "readWrite");
}

static void open_object(Viewer *viewer, const char *handle)
{
	NTSTATUS status = vail_open_object(viewer->vail, handle, &viewer->object);

	printf("%s", vail_status_name(status));
	for (size_t i = 0;
	     status == STATUS_SUCCESS && i < vail_object_info(viewer->object)->plane_count; i++)
		print_plane(vail_object_descriptor(viewer->object, i));
	putchar('\n');
}

static void read_text(Viewer *viewer, const char *plane)
{
	char text[TEXT_SIZE] = "";
	NTSTATUS status =
		vail_object_read(viewer->object, helper_number(plane), 0, text, sizeof(text));

	printf("%s %.*s\n", vail_status_name(status), TEXT_SIZE - 1, text);
}

static void write_text(Viewer *viewer, char *words)
{
	size_t plane = helper_number(strsep(&words, " ")),
	       offset = helper_number(strsep(&words, " "));
	size_t size;
	void *data;
	NTSTATUS status = vail_object_map(viewer->object, plane, &data, &size);

	if (status == STATUS_SUCCESS)
		memcpy((char *)data + offset, words, strlen(words));
	puts(vail_status_name(status));
}

/* Writes through the descriptor itself, as a viewer can that has no good intentions. */
static void overwrite_text(Viewer *viewer, char *words)
{
	int fd = vail_object_descriptor(viewer->object, helper_number(strsep(&words, " ")));
	size_t length = strlen(words);
	char *data = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		err(1, "mmap");
	memcpy(data, words, length);
	munmap(data, length);
	puts("written");
}

static void close_object(Viewer *viewer)
{
	puts(vail_status_name(vail_object_close(viewer->vail, viewer->object)));
	viewer->object = NULL;
}

int main(int argc, char **argv)
{
	Viewer viewer = { 0 };
	char line[HELPER_LINE_SIZE];
	char *words;

	if (argc != 3)
		errx(2, "usage: open-object SOCKET GUID");
	viewer.guid = argv[2];
	if (vail_new(argv[1], &viewer.vail) != STATUS_SUCCESS)
		errx(1, "vail_new");
	vail_set_timeout(viewer.vail, VAIL_TIMEOUT_NONE);
	while ((words = helper_read_line(line))) {
		const char *command = strsep(&words, " ");

		if (strcmp(command, "register") == 0)
			register_process(&viewer);
		else if (strcmp(command, "open") == 0 && words)
			open_object(&viewer, words);
		else if (strcmp(command, "read") == 0 && words)
			read_text(&viewer, words);
		else if (strcmp(command, "write") == 0 && words)
			write_text(&viewer, words);
		else if (strcmp(command, "overwrite") == 0 && words)
			overwrite_text(&viewer, words);
		else if (strcmp(command, "wait") == 0 && words)
			puts(vail_status_name(
				vail_object_wait(viewer.object, (int)helper_number(words))));
		else if (strcmp(command, "close") == 0)
			close_object(&viewer);
		else
			errx(2, "%s: unknown command", command);
		fflush(stdout);
	}
	vail_close(viewer.vail);
	return 0;
}
