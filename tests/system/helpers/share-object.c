/* SPDX-License-Identifier: MIT */
/*
 * share-object SOCKET GUID: acts as the VMM of a VM, through libvail. Reads commands from stdin,
 * one a line, and prints a line with the status of each:
 *
 *   share read|readWrite PART...
 *       Shares an object. With planes, it is an image of 64 by 32 pixels. Prints its handle and the
 *       inode of each plane after the status, or the path of the wrong parameter. The parts are
 *           memory                 a plane of memory that libvail allocates
 *           plane=NUMBER[@OFFSET]  a plane of an inherited fd
 *           fence=NUMBER           an inherited fd of a fence
 *   share-many COUNT [PLANES]
 *       Shares COUNT objects, each with its own memory, and with PLANES planes (1). Prints the
 * status of the last one. write PLANE TEXT Writes TEXT to the beginning of a plane and announces an
 * update. close NUMBER Closes an inherited fd. unshare Unshares the object. Prints the number of
 * its holders after the status.
 *
 * "write" and "unshare" use the object that was shared last.
 */
#include <inttypes.h>
#include <vail.h>

#include "tests/support/helper.h"

#define WIDTH  64
#define HEIGHT 32
#define STRIDE (WIDTH * 4)

typedef struct Sharer {
	struct vail *vail;
	const char *guid;
	struct vail_memory *memory; /* NULL until a "memory" part is used */
	VailObject object;          /* the last one */
	char handle[VAIL_HANDLE_SIZE];
} Sharer;

static int own_memory(Sharer *sharer)
{
	if (!sharer->memory &&
	    vail_memory_new(STRIDE * HEIGHT, "image", &sharer->memory) != STATUS_SUCCESS)
		errx(1, "vail_memory_new");
	return vail_memory_descriptor(sharer->memory);
}

static void add_part(Sharer *sharer, const char *part)
{
	VailObject *object = &sharer->object;
	VailPlane plane = { .stride = STRIDE };

	if (sscanf(part, "fence=%d", &object->fence) == 1)
		return;
	if (strcmp(part, "memory") == 0)
		plane.descriptor = own_memory(sharer);
	else if (sscanf(part, "plane=%d@%" SCNu64, &plane.descriptor, &plane.offset) < 1)
		errx(2, "%s is not a part of an object", part);
	if (object->plane_count == VAIL_PLANE_MAX)
		errx(2, "an object has at most %d planes", VAIL_PLANE_MAX);
	object->planes[object->plane_count++] = plane;
	object->width = WIDTH;
	object->height = HEIGHT;
	object->format = VAIL_FORMAT('X', 'R', '2', '4');
}

static void print_inodes(const VailObject *object)
{
	struct stat status;

	for (size_t i = 0; i < object->plane_count; i++) {
		if (fstat(object->planes[i].descriptor, &status) < 0)
			err(1, "fstat");
		printf(" %ju", (uintmax_t)status.st_ino);
	}
}

static void share(Sharer *sharer, char *words)
{
	const char *access = strsep(&words, " ");

	sharer->object = (VailObject)VAIL_OBJECT_INIT;
	if (strcmp(access, "readWrite") == 0)
		sharer->object.access = VAIL_ACCESS_READ_WRITE;
	while (words)
		add_part(sharer, strsep(&words, " "));
	NTSTATUS status =
		vail_share_object(sharer->vail, sharer->guid, &sharer->object, sharer->handle);
	printf("%s", vail_status_name(status));
	if (status == STATUS_SUCCESS) {
		printf(" %s", sharer->handle);
		print_inodes(&sharer->object);
	} else if (vail_error_parameter(sharer->vail)) {
		printf(" %s", vail_error_parameter(sharer->vail));
	}
	putchar('\n');
}

/* Shares an object in which each plane has a new memory. */
static NTSTATUS share_new(Sharer *sharer, size_t planes)
{
	VailObject object = VAIL_OBJECT_INIT;
	struct vail_memory *memories[VAIL_PLANE_MAX];

	object.width = WIDTH;
	object.height = HEIGHT;
	object.format = VAIL_FORMAT('X', 'R', '2', '4');
	for (size_t i = 0; i < planes; i++) {
		if (vail_memory_new(STRIDE * HEIGHT, "image", &memories[i]) != STATUS_SUCCESS)
			errx(1, "vail_memory_new");
		object.planes[object.plane_count++] = (VailPlane){
			.stride = STRIDE,
			.descriptor = vail_memory_descriptor(memories[i]),
		};
	}
	NTSTATUS status = vail_share_object(sharer->vail, sharer->guid, &object, sharer->handle);
	for (size_t i = 0; i < planes; i++)
		vail_memory_free(memories[i]);
	return status;
}

static void share_many(Sharer *sharer, char *words)
{
	size_t count = helper_number(strsep(&words, " "));
	size_t planes = words ? helper_number(words) : 1;
	NTSTATUS status = STATUS_SUCCESS;

	if (planes > VAIL_PLANE_MAX)
		errx(2, "an object has at most %d planes", VAIL_PLANE_MAX);
	for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++)
		status = share_new(sharer, planes);
	puts(vail_status_name(status));
}

static void write_text(Sharer *sharer, char *words)
{
	size_t index = helper_number(strsep(&words, " "));

	if (index >= sharer->object.plane_count || !words)
		errx(2, "usage: write PLANE TEXT, where PLANE is shared");
	const VailPlane *plane = &sharer->object.planes[index];
	if (plane->descriptor == vail_memory_descriptor(sharer->memory)) /* -1 without memory */
		memcpy(vail_memory_data(sharer->memory), words, strlen(words) + 1);
	else
		helper_write_memory(plane->descriptor, plane->offset, words);
	puts(vail_status_name(vail_update_object(sharer->vail, sharer->handle, NULL, 0)));
}

static void close_fd(const char *number)
{
	puts(close((int)helper_number(number)) == 0 ? vail_status_name(STATUS_SUCCESS)
						    : strerrorname_np(errno));
}

static void unshare_object(Sharer *sharer)
{
	uint64_t holders = 0;
	NTSTATUS status = vail_unshare_object(sharer->vail, sharer->handle, &holders);

	printf("%s %" PRIu64 "\n", vail_status_name(status), holders);
}

int main(int argc, char **argv)
{
	Sharer sharer = { .object = VAIL_OBJECT_INIT };
	char line[HELPER_LINE_SIZE];
	char *words;

	if (argc != 3)
		errx(2, "usage: share-object SOCKET GUID");
	sharer.guid = argv[2];
	if (vail_new(argv[1], &sharer.vail) != STATUS_SUCCESS)
		errx(1, "vail_new");
	vail_set_timeout(sharer.vail, VAIL_TIMEOUT_NONE);
	while ((words = helper_read_line(line))) {
		const char *command = strsep(&words, " ");

		if (strcmp(command, "share") == 0 && words)
			share(&sharer, words);
		else if (strcmp(command, "share-many") == 0 && words)
			share_many(&sharer, words);
		else if (strcmp(command, "write") == 0 && words)
			write_text(&sharer, words);
		else if (strcmp(command, "close") == 0 && words)
			close_fd(words);
		else if (strcmp(command, "unshare") == 0)
			unshare_object(&sharer);
		else
			errx(2, "%s: unknown command", command);
		fflush(stdout);
	}
	vail_memory_free(sharer.memory);
	vail_close(sharer.vail);
	return 0;
}
