/* SPDX-License-Identifier: MIT */
/* The watch command. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"
#include <vail.h>

/* Maximum number of rectangles to print for an update. */
#define RECTANGLES_SHOWN 4

/* The state of a running watch. */
typedef struct WatchRun {
	const Tool *tool;
	bool has_ended;
	int exit_status;
} WatchRun;

static const char *event_colour(const WatchRun *watch, VailEventKind kind)
{
	if (!watch->tool->terminal.has_colours)
		return "";
	switch (kind) {
	case VAIL_EVENT_REGISTERED:
	case VAIL_EVENT_VIRTUAL_MACHINE_ADDED:
	case VAIL_EVENT_VIRTUAL_GPU_ASSIGNED:
	case VAIL_EVENT_ADAPTER_ADDED:
	case VAIL_EVENT_SHARED:
	case VAIL_EVENT_OPENED:
		return "\033[32m";
	case VAIL_EVENT_UNREGISTERED:
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
	case VAIL_EVENT_VIRTUAL_GPU_REMOVED:
	case VAIL_EVENT_ADAPTER_REMOVED:
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
	case VAIL_EVENT_UNSHARED:
	case VAIL_EVENT_RELEASED:
		return "\033[33m";
	case VAIL_EVENT_QUARANTINED:
		return "\033[1;31m";
	default:
		return "";
	}
}

static void print_word(const char *before, const char *text)
{
	_cleanup_free_ char *safe = text ? text_escape(text, NULL) : NULL;

	if (safe)
		printf("%s%s", before, safe);
}

static void print_object(const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (shared) {
		print_word(" object ", shared->handle);
		print_word(" name ", shared->object->name);
	}
	if (event->holder_pid > 0)
		printf(" holder pid %d uid %u", (int)event->holder_pid,
		       (unsigned int)event->holder_uid);
	for (size_t i = 0; i < event->damage_count && i < RECTANGLES_SHOWN; i++)
		printf(" %s%ux%u+%u+%u", i == 0 ? "damage " : "", event->damage[i].width,
		       event->damage[i].height, event->damage[i].x, event->damage[i].y);
	if (event->damage_count > RECTANGLES_SHOWN)
		printf(" and %zu more", event->damage_count - RECTANGLES_SHOWN);
}

static void print_changed(const VailEvent *event)
{
	for (size_t i = 0; i < event->changed_count; i++)
		print_word(i == 0 ? " changed " : ", ", event->changed[i]);
}

static void print_event(const WatchRun *watch, const VailEvent *event)
{
	const char *name = vail_event_name(event->kind);
	const char *colour = event_colour(watch, event->kind);

	if (event->kind == VAIL_EVENT_UNKNOWN) {
		print_word("", event->json);
		putchar('\n');
		return;
	}
	printf("%s%-21s%s", colour, name, *colour ? "\033[0m" : "");
	print_word(" ", event->virtual_machine);
	print_word(" vgpu ", event->virtual_gpu);
	print_word(" adapter ", event->adapter);
	print_word(" process ", event->process);
	if (event->virtual_address > 0)
		printf(" address 0x%llx", (unsigned long long)event->virtual_address);
	if (event->pid > 0) {
		printf(" pid %d uid %u", (int)event->pid, (unsigned int)event->uid);
		print_word(" context ", event->graphics_context);
	}
	print_object(event);
	print_changed(event);
	print_word(" reason ", event->reason);
	if (event->status != STATUS_SUCCESS)
		print_word(" ", vail_status_name(event->status));
	putchar('\n');
}

/* Goes to stderr, because these two events come from libvail and not from vaild. */
static void log_interruption(VailEventKind kind)
{
	if (kind == VAIL_EVENT_INTERRUPTED)
		command_error("vaild has gone; waiting for it to return");
	else
		command_error("vaild is back; all changes in the meantime have been shown");
}

static bool show_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		       void *context)
{
	WatchRun *watch = context;

	(void)vail;
	watch->has_ended = !continues;
	if (!event) {
		watch->exit_status = tool_refused(watch->tool, status);
		return false;
	}
	if (options_have(&watch->tool->options, OPTION_JSON))
		puts(event->json);
	else if (event->kind == VAIL_EVENT_INTERRUPTED || event->kind == VAIL_EVENT_RESUMED)
		log_interruption(event->kind);
	else
		print_event(watch, event);
	fflush(stdout); /* a reader must see each event at once */
	watch->has_ended |= ferror(stdout) != 0;
	return !watch->has_ended;
}

int command_watch(Tool *tool)
{
	struct vail *vail = tool->vail;
	WatchRun watch = { .tool = tool, .exit_status = EXIT_DONE };
	NTSTATUS status = vail_watch(vail, tool->arguments[0], show_event, &watch);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	while (!watch.has_ended) {
		struct pollfd poll_fd = { .fd = vail_descriptor(vail),
					  .events = vail_events(vail) };

		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			return command_error("cannot wait for events: %s", strerror(errno));
		vail_process(vail); /* reports errors to show_event() */
	}
	return watch.exit_status;
}
