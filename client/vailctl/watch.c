/* SPDX-License-Identifier: MIT */
/* The watch command. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/common/terminal-text.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/event-text.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "client/vailctl/vm-names.h"
#include "client/vailctl/wall-clock.h"
#include "client/vailctl/watch-filter.h"
#include "proto/guid.h"
#include "proto/macros.h"
#include <vail.h>

/*
 * Columns for the name of a VM: the fewest, and the most on a terminal, where a longer name is
 * shortened, but a GUID is not. In between, the longest name so far decides.
 */
#define VM_COLUMNS_MIN 8
#define VM_COLUMNS_MAX 20

/* VMs that have ended and of which the names are kept. */
#define GONE_MAX 16

/* The state of a running watch. */
typedef struct WatchRun {
	const Tool *tool;
	VmNames names;
	char gone[GONE_MAX][MACHINE_GUID_SIZE];
	size_t gone_count;
	size_t vm_columns;
	bool is_current;  /* all that existed was reported */
	bool has_machine; /* a VM existed */
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
	case VAIL_EVENT_DISPLAY_OPENED:
		return "\033[32m";
	case VAIL_EVENT_UNREGISTERED:
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
	case VAIL_EVENT_VIRTUAL_GPU_REMOVED:
	case VAIL_EVENT_ADAPTER_REMOVED:
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
	case VAIL_EVENT_UNSHARED:
	case VAIL_EVENT_RELEASED:
	case VAIL_EVENT_DISPLAY_CLOSED:
		return "\033[33m";
	case VAIL_EVENT_QUARANTINED:
		return "\033[1;31m";
	default:
		return "";
	}
}

/* ---- Names of VMs ---- */

static void forget_gone(WatchRun *watch)
{
	for (size_t i = 0; i < watch->gone_count; i++)
		vm_names_forget(&watch->names, watch->gone[i]);
	watch->gone_count = 0;
}

/*
 * Notes the end of the VM. Its name is kept for events that follow, such as a quarantine, until
 * another VM comes, which may have the same name.
 */
static void note_gone(WatchRun *watch, const char *guid)
{
	if (watch->gone_count == GONE_MAX)
		forget_gone(watch);
	snprintf(watch->gone[watch->gone_count++], MACHINE_GUID_SIZE, "%s", guid);
}

/* Brings the names up to date before the event is printed. */
static void follow_names(WatchRun *watch, const VailEvent *event)
{
	const char *guid = event->virtual_machine;

	if (event->kind == VAIL_EVENT_VIRTUAL_MACHINE_ADDED)
		forget_gone(watch);
	bool is_new = guid && !vm_names_find(&watch->names, guid);
	bool has_new_name =
		event->kind == VAIL_EVENT_VIRTUAL_MACHINE_CHANGED && event->changed_count == 0;

	for (size_t i = 0; i < event->changed_count; i++)
		has_new_name |= strcmp(event->changed[i], "name") == 0;
	if (guid && ((is_new && event->kind == VAIL_EVENT_VIRTUAL_MACHINE_ADDED) || has_new_name))
		vm_names_refresh(watch->tool, &watch->names, guid);
}

/* ---- Lines ---- */

/* Prints the time, or "current" for what existed when the watch began. Returns its width. */
static size_t print_time(const WatchRun *watch)
{
	char text[WALL_CLOCK_TEXT];

	return (size_t)printf("%-8s  ", watch->is_current ? wall_clock_time(wall_clock_now(), text)
							  : "current");
}

/* Returns the columns that a line has to fit, or 0 if nothing may be cut. */
static size_t line_columns(const WatchRun *watch)
{
	return terminal_table_width(&watch->tool->terminal);
}

/* Returns the text of the VM, "-" if guid is NULL, and its width. NULL if out of memory. */
static char *machine_text(const WatchRun *watch, const char *guid, size_t *ret_width)
{
	_cleanup_free_ char *label = NULL, *shortened = NULL;
	size_t columns = line_columns(watch) > 0 ? VM_COLUMNS_MAX : SIZE_MAX, tail = 0;

	*ret_width = 0;
	label = guid ? vm_names_label(&watch->names, guid, &tail) : strdup("-");
	if (label)
		shortened = text_escape_around(label, tail, columns);
	return shortened ? text_escape(shortened, ret_width) : NULL; /* for its width */
}

/* Makes the column of VMs wide enough for the VM. It never gets narrower, so that lines align. */
static void fit_machine(WatchRun *watch, const char *guid)
{
	size_t width;

	free(machine_text(watch, guid, &width));
	if (width > VM_COLUMNS_MAX)
		width = VM_COLUMNS_MAX;
	if (watch->vm_columns < width)
		watch->vm_columns = width;
}

/* Prints the VM, or "-" if the event is about no VM. Returns the width. */
static size_t print_machine(WatchRun *watch, const char *guid)
{
	size_t width;

	fit_machine(watch, guid);
	_cleanup_free_ char *safe = machine_text(watch, guid, &width);
	int padding = width < watch->vm_columns ? (int)(watch->vm_columns - width) : 0;
	printf("%s%*s  ", safe ? safe : "", padding, "");
	return width + (size_t)padding + strlen("  ");
}

/* Prints as many of the details as fit the terminal; all of them if it is no terminal. */
static void print_details(const WatchRun *watch, const EventText *text, size_t column)
{
	size_t columns = line_columns(watch), width;

	for (size_t i = 0; i < text->detail_count; i++) {
		_cleanup_free_ char *safe = text_escape(text->details[i], &width);

		if (!safe || (columns > 0 && column + width > columns))
			return;
		printf("%s", safe);
		column += width;
	}
}

/*
 * Writes the event in words, and shortens the name of an object until the sentence fits behind the
 * column. Returns the sentence, escaped, with its width, or NULL if out of memory.
 */
static char *fit_sentence(const WatchRun *watch, const VailEvent *event, size_t column,
			  EventText *text, size_t *ret_width)
{
	static const size_t name_columns[] = { SIZE_MAX, 24, 16, 8 };
	size_t columns = line_columns(watch);
	char *sentence = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(name_columns); i++) {
		event_text_init(text, event, name_columns[i]);
		sentence = text->sentence ? text_escape(text->sentence, ret_width) : NULL;
		if (!sentence || columns == 0 || column + *ret_width <= columns ||
		    i + 1 == ARRAY_SIZE(name_columns))
			break;
		free(sentence);
		event_text_deinit(text);
	}
	return sentence;
}

static void print_event(WatchRun *watch, const VailEvent *event)
{
	const char *colour = event_colour(watch, event->kind);
	_cleanup_(event_text_deinit) EventText text = { 0 };
	_cleanup_free_ char *sentence = NULL;
	size_t column, width;

	watch->is_current |= event->kind == VAIL_EVENT_CURRENT;
	column = print_time(watch);
	if (event->kind != VAIL_EVENT_CURRENT)
		column += print_machine(watch, event->virtual_machine);
	sentence = fit_sentence(watch, event, column, &text, &width);
	if (!sentence) {
		watch->exit_status = tool_no_memory();
		watch->has_ended = true;
		return;
	}
	printf("%s%s%s", colour, sentence, *colour ? "\033[0m" : "");
	print_details(watch, &text, column + width);
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

/* Explains why no event may arrive. An ordinary user gets only the events of some VMs. */
static void log_silence(const WatchRun *watch)
{
	if (tool_sees_all_apart(watch->tool))
		log_message("no virtual machine exists yet; waiting for changes, until you press "
			    "Ctrl-C");
	else
		log_message(
			"you may watch no virtual machine now; to watch one for which you may "
			"register, run: vailctl exec VM -- vailctl watch; waiting until you are "
			"the agent of one; only operators and observers see all, by default root "
			"and the groups vaild and vaild-observers");
}

static void show_text(WatchRun *watch, const VailEvent *event)
{
	if (event->kind == VAIL_EVENT_INTERRUPTED || event->kind == VAIL_EVENT_RESUMED) {
		log_interruption(event->kind);
		return;
	}
	follow_names(watch, event);
	if (watch_shows(&watch->tool->options, event))
		print_event(watch, event);
	else
		watch->is_current |= event->kind == VAIL_EVENT_CURRENT;
	if (event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED && event->virtual_machine)
		note_gone(watch, event->virtual_machine);
}

static bool show_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		       void *context)
{
	WatchRun *watch = context;

	(void)vail;
	watch->has_ended = !continues;
	watch->has_machine |= event && event->virtual_machine;
	if (event && event->kind == VAIL_EVENT_CURRENT && !watch->has_machine)
		log_silence(watch);
	if (!event) {
		watch->exit_status = tool_refused(watch->tool, status);
		return false;
	}
	if (!options_have(&watch->tool->options, OPTION_JSON))
		show_text(watch, event);
	else if (watch_shows(&watch->tool->options, event))
		puts(event->json);
	fflush(stdout); /* a reader must see each event at once */
	watch->has_ended |= ferror(stdout) != 0;
	return !watch->has_ended;
}

static int follow(struct vail *vail, const WatchRun *watch)
{
	while (!watch->has_ended) {
		struct pollfd poll_fd = { .fd = vail_descriptor(vail),
					  .events = vail_events(vail) };

		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			return command_error("cannot wait for events: %s", strerror(errno));
		vail_process(vail); /* reports errors to show_event() */
	}
	return watch->exit_status;
}

int command_watch(Tool *tool)
{
	WatchRun watch = { .tool = tool, .exit_status = EXIT_DONE, .vm_columns = VM_COLUMNS_MIN };
	const char *object = tool->options.object;
	Handle handle;

	if (object && !handle_parse(object, &handle))
		return usage_error(
			"%s is not the handle of an object; list them with: vailctl objects",
			object);

	if (!options_have(&tool->options, OPTION_JSON))
		vm_names_fetch_apart(tool, &watch.names);
	for (size_t i = 0; i < watch.names.count; i++)
		fit_machine(&watch, watch.names.entries[i].guid);
	NTSTATUS status = vail_watch(tool->vail, tool->arguments[0], show_event, &watch);
	int exit_status =
		status == STATUS_SUCCESS ? follow(tool->vail, &watch) : tool_refused(tool, status);
	vm_names_deinit(&watch.names);
	return exit_status;
}
