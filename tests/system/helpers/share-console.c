/* SPDX-License-Identifier: MIT */
/*
 * share-console SOCKET GUID: acts as a VMM that shares a console of the VM, through libvail. Reads
 * commands from stdin, one a line, and prints one line for each:
 *
 *   command                  effect                                          printed
 *   name NAME                name of the next objects, at first "console 0"  "noted"
 *   format FORMAT            format of the next objects, at first XR24       "noted"
 *   rows top|bottom          which row of the next objects is first in       "noted"
 *                            memory; at first the top row
 *   mode WIDTH HEIGHT        unshares the object and shares a new one        "handle HANDLE"
 *   loose WIDTH HEIGHT       the same, with memory that can shrink           "handle HANDLE"
 *   draw N                   draws drawing N on the whole screen and         "drawn N"
 *                            announces it as changed
 *   draw N X Y WIDTH HEIGHT  the same, but only announces this rectangle     "drawn N"
 *   shrink                   truncates the memory and announces a change     "shrunk"
 *   unshare                  unshares the object                             "unshared"
 *   dance COUNT SEED         changes the mode COUNT times, with some         "danced WIDTH HEIGHT"
 *                            drawings each and short random pauses;
 *                            the last mode stays
 */
#include <inttypes.h>
#include <sys/mman.h>
#include <time.h>
#include <vail.h>

#include "tests/support/helper.h"
#include "tests/system/helpers/console.h"

typedef struct Console {
	const char *guid;
	struct vail *vail;
	char name[64];
	char format[5];
	VailFirstRow first_row;
	char handle[VAIL_HANDLE_SIZE]; /* "" if nothing is shared */
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint8_t *memory;
	size_t size;
	int fd;
} Console;

static void must(const Console *console, const char *what, NTSTATUS status)
{
	if (status != STATUS_SUCCESS)
		errx(1, "%s: %s %s", what, vail_status_name(status),
		     vail_error_message(console->vail));
}

static void draw(const Console *console, uint32_t drawing)
{
	for (uint32_t y = 0; y < console->height; y++)
		for (uint32_t x = 0; x < console->width; x++) {
			uint32_t pixel =
				console_pixel(console->width, console->height, x, y, drawing);

			memcpy(console->memory + y * console->stride + 4 * x, &pixel, 4);
		}
}

static void unshare(Console *console)
{
	/* A failure is ignored, because a restarted vaild may not know the object. */
	if (*console->handle)
		vail_unshare_object(console->vail, console->handle, NULL);
	*console->handle = '\0';
	if (console->memory) {
		munmap(console->memory, console->size);
		close(console->fd);
	}
	console->memory = NULL;
}

/*
 * Tries again while vaild refuses the object because too many of its children still close discarded
 * fds.
 */
static NTSTATUS share_object(Console *console, const VailObject *object)
{
	struct timespec pause = { .tv_nsec = 5000000 };
	NTSTATUS status = STATUS_QUOTA_EXCEEDED;

	for (int i = 0; i < 2000 && status == STATUS_QUOTA_EXCEEDED; i++) {
		status = vail_share_object(console->vail, console->guid, object, console->handle);
		if (status == STATUS_QUOTA_EXCEEDED)
			nanosleep(&pause, NULL);
	}
	return status;
}

/* Shares new memory. If the width is divisible by 3, there are gaps between the rows. */
static void share(Console *console, uint32_t width, uint32_t height, unsigned int flags)
{
	VailObject object = VAIL_OBJECT_INIT;
	uint32_t stride = width * 4 + (width % 3 == 0 ? 64 : 0);

	unshare(console);
	console->width = width;
	console->height = height;
	console->stride = stride;
	console->size = (size_t)stride * height;
	console->fd = memfd_create("console", MFD_CLOEXEC | flags);
	if (console->fd < 0 || ftruncate(console->fd, (off_t)console->size) < 0)
		err(1, "memfd");
	console->memory =
		mmap(NULL, console->size, PROT_READ | PROT_WRITE, MAP_SHARED, console->fd, 0);
	if (console->memory == MAP_FAILED)
		err(1, "mmap");
	memset(console->memory, 0xee, console->size); /* fills the gaps */
	draw(console, 0);
	object.name = console->name;
	object.width = width;
	object.height = height;
	memcpy(&object.format, console->format, sizeof(object.format));
	object.first_row = console->first_row;
	object.plane_count = 1;
	object.planes[0].descriptor = console->fd;
	object.planes[0].stride = stride;
	must(console, "share", share_object(console, &object));
}

static void dance(Console *console, unsigned int count, unsigned int seed)
{
	srandom(seed);
	for (unsigned int i = 0; i < count; i++) {
		struct timespec pause = { .tv_nsec = random() % 3000000 };

		share(console, 1 + (uint32_t)random() % 300, 1 + (uint32_t)random() % 200,
		      MFD_ALLOW_SEALING);
		for (long drawing = random() % 4; drawing > 0; drawing--) {
			VailRectangle damage = { 0, 0, console->width, 1 + console->height / 2 };

			draw(console, (uint32_t)drawing);
			must(console, "update",
			     vail_send_update(console->vail, console->handle, &damage, 1));
		}
		if (random() % 2 == 0)
			nanosleep(&pause, NULL); /* sometimes lets the viewer draw a frame */
	}
	printf("danced %" PRIu32 " %" PRIu32 "\n", console->width, console->height);
}

static void update(Console *console, const char *arguments)
{
	VailRectangle damage;
	unsigned int drawing;
	int count = sscanf(arguments, "%u %u %u %u %u", &drawing, &damage.x, &damage.y,
			   &damage.width, &damage.height);

	draw(console, drawing);
	must(console, "update",
	     vail_update_object(console->vail, console->handle, &damage, count == 5 ? 1 : 0));
	printf("drawn %u\n", drawing);
}

static void shrink(Console *console)
{
	if (ftruncate(console->fd, 0) < 0)
		err(1, "ftruncate");
	must(console, "update", vail_update_object(console->vail, console->handle, NULL, 0));
	puts("shrunk");
}

static void execute(Console *console, const char *line)
{
	unsigned int one, two;
	char word[16];

	if (sscanf(line, "rows %15s", word) == 1) {
		bool is_bottom = strcmp(word, "bottom") == 0;

		console->first_row = is_bottom ? VAIL_FIRST_ROW_BOTTOM : VAIL_FIRST_ROW_TOP;
		puts("noted");
	} else if (sscanf(line, "name %63[^\n]", console->name) == 1 ||
		   sscanf(line, "format %4s", console->format) == 1) {
		puts("noted");
	} else if (sscanf(line, "mode %u %u", &one, &two) == 2 ||
		   sscanf(line, "loose %u %u", &one, &two) == 2) {
		share(console, one, two, *line == 'm' ? MFD_ALLOW_SEALING : 0);
		printf("handle %s\n", console->handle);
	} else if (strncmp(line, "draw ", 5) == 0) {
		update(console, line + 5);
	} else if (strcmp(line, "shrink\n") == 0) {
		shrink(console);
	} else if (strcmp(line, "unshare\n") == 0) {
		unshare(console);
		puts("unshared");
	} else if (sscanf(line, "dance %u %u", &one, &two) == 2) {
		dance(console, one, two);
	} else {
		errx(2, "unknown command: %s", line);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[100];
	Console console = { .name = "console 0", .format = "XR24" };

	if (argc != 3)
		errx(2, "usage: share-console SOCKET GUID");
	console.guid = argv[2];
	if (vail_new(argv[1], &console.vail) != STATUS_SUCCESS)
		errx(1, "vail_new");
	vail_set_timeout(console.vail, VAIL_TIMEOUT_NONE);
	while (fgets(line, sizeof(line), stdin))
		execute(&console, line);
	unshare(&console);
	vail_close(console.vail);
	return 0;
}
