/* SPDX-License-Identifier: MIT */
/*
 * frame-viewer SOCKET GUID: reads the first screen of a VM through vaild. Registers, opens the
 * first shared object, and reads the damage of each update. Prints "ready" when the object is open,
 * and a report for each line on stdin (frame-reader.h).
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/frame-reader.h"
#include "tests/support/measure.h"

typedef struct Viewer {
	struct vail *calls;
	struct vail *watch;
	const char *guid;
	struct vail_object *object;
	FrameReader *reader;
} Viewer;

static bool read_object(void *context, uint64_t offset, void *buffer, size_t size)
{
	Viewer *viewer = context;

	return vail_object_read(viewer->object, 0, offset, buffer, size) == STATUS_SUCCESS;
}

static void check(const Viewer *viewer, NTSTATUS status, const char *what)
{
	if (status != STATUS_SUCCESS)
		bench_fail("%s: %s", what, vail_error_message(viewer->calls));
}

static void open_screen(Viewer *viewer, const char *handle)
{
	check(viewer, vail_open_object(viewer->calls, handle, &viewer->object), "vail_open_object");
	const VailObjectInfo *info = vail_object_info(viewer->object);
	frame_reader_set_screen(viewer->reader, info->width, info->height, info->planes[0].stride);
	puts("ready");
	fflush(stdout);
}

static bool on_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		     void *context)
{
	Viewer *viewer = context;

	(void)continues;
	if (status != STATUS_SUCCESS)
		bench_fail("the watch ended: %s", vail_error_message(vail));
	if (event->kind == VAIL_EVENT_SHARED && !viewer->object)
		open_screen(viewer, event->shared_object->handle);
	else if (event->kind == VAIL_EVENT_UPDATED)
		frame_reader_read(viewer->reader, event->damage, event->damage_count);
	return true;
}

int main(int argc, char **argv)
{
	Viewer viewer = { 0 };
	char context[VAIL_HANDLE_SIZE];

	if (argc != 3)
		bench_fail("usage: frame-viewer SOCKET GUID");
	viewer.guid = argv[2];
	viewer.reader = frame_reader_new(read_object, &viewer);
	if (vail_new(argv[1], &viewer.calls) != STATUS_SUCCESS ||
	    vail_new(argv[1], &viewer.watch) != STATUS_SUCCESS)
		bench_fail("vail_new");
	check(&viewer, vail_create_context(viewer.calls, NULL, context, NULL),
	      "vail_create_context");
	check(&viewer, vail_register_process(viewer.calls, viewer.guid), "vail_register_process");
	check(&viewer, vail_watch(viewer.watch, viewer.guid, on_event, &viewer), "vail_watch");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = vail_descriptor(viewer.watch),
			  .events = vail_events(viewer.watch) },
		};

		poll(fds, 2, -1);
		vail_process(viewer.watch);
		if (fds[0].revents && !frame_reader_report(viewer.reader))
			return 0;
	}
}
