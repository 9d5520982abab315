/* SPDX-License-Identifier: MIT */
/*
 * frame-listener QMP: reads the first screen of a VM without vaild. Joins QEMU's display through
 * the monitor at QMP.
 *
 * frame-listener SOCKET GUID: reads it on a display channel, which vaild at SOCKET opens.
 *
 * Listens with vail-qemu's code, but reads the frames instead of sharing them. Prints "ready" when
 * it listens, and a report for each line on stdin (frame-reader.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <vail.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/display.h"
#include "client/vail-qemu/qmp.h"
#include "tests/support/frame-reader.h"
#include "tests/support/measure.h"

const char program_name[] = "frame-listener";

static FrameReader *reader;

static bool read_memory(void *context, uint64_t offset, void *buffer, size_t size)
{
	const VailPlane *plane = &((const Surface *)context)->object.planes[0];

	return pread(plane->descriptor, buffer, size, (off_t)(plane->offset + offset)) ==
	       (ssize_t)size;
}

/* ---- The functions of vail-qemu's agent that consoles call ---- */

void agent_add(Agent *agent, Surface *surface)
{
	LIST_INSERT_HEAD(&agent->surfaces, surface, entries);
}

void agent_remove(Agent *agent, Surface *surface)
{
	(void)agent;
	LIST_REMOVE(surface, entries);
}

void agent_share(Agent *agent, Surface *surface)
{
	(void)agent;
	reader = frame_reader_new(read_memory, surface);
	frame_reader_set_screen(reader, surface->object.width, surface->object.height,
				surface->object.planes[0].stride);
	puts("ready");
	fflush(stdout);
}

void agent_unshare(Agent *agent, Surface *surface)
{
	(void)agent;
	surface->damage.count = 0;
}

/* ---- */

static void flush(const Agent *agent)
{
	Surface *surface;

	LIST_FOREACH (surface, &agent->surfaces, entries) {
		if (surface->damage.count > 0)
			frame_reader_read(reader, surface->damage.rectangles,
					  surface->damage.count);
		surface->damage.count = 0;
	}
}

static bool join_qemu(DisplayLink *link, const char *monitor)
{
	QmpDisplay qemu;

	return qmp_join_display(monitor, &wait_system_clock, NULL, NULL, &qemu) &&
	       link_open(link, qemu.socket, qemu.qemu, &wait_system_clock);
}

/* The registration, and so the channel, lasts as long as this process. */
static bool join_channel(DisplayLink *link, const char *socket, const char *guid)
{
	char context[VAIL_HANDLE_SIZE];
	struct vail *vail;
	int channel;

	if (vail_new(socket, &vail) != STATUS_SUCCESS)
		bench_fail("vail_new");
	if (vail_create_context(vail, NULL, context, NULL) != STATUS_SUCCESS ||
	    vail_register_process(vail, guid) != STATUS_SUCCESS ||
	    vail_open_display(vail, guid, VAIL_DISPLAY_VIEW, NULL, NULL, &channel) !=
		    STATUS_SUCCESS)
		bench_fail("%s", vail_error_message(vail));
	return link_open(link, channel, 0, &wait_system_clock);
}

int main(int argc, char **argv)
{
	Agent agent = { .state = AGENT_READY };
	DisplayLink link;
	Display display;

	if (argc != 2 && argc != 3)
		bench_fail("usage: frame-listener QMP, or frame-listener SOCKET GUID");
	if (!(argc == 2 ? join_qemu(&link, argv[1]) : join_channel(&link, argv[1], argv[2])) ||
	    !display_init(&display, &link) || !display_find_consoles(&display, &agent))
		return EXIT_FAILURE;
	for (;;) {
		struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN } };

		display_listen(&display);
		poll(fds, 3, display_poll_for(&display, fds + 1));
		if (!display_process(&display))
			return EXIT_SUCCESS;
		flush(&agent);
		if (fds[0].revents && !frame_reader_report(reader))
			return EXIT_SUCCESS;
	}
}
