/* SPDX-License-Identifier: MIT */
#include "client/vailctl/event-text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/terminal-text.h"
#include "client/common/user-name.h"
#include "proto/macros.h"

/* Size of the buffer of process_text(). */
#define PROCESS_SIZE 64

_printf_(2, 3) static void set_sentence(EventText *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text->sentence, format, arguments) < 0)
		text->sentence = NULL;
	va_end(arguments);
}

/* Adds a detail. It is missing if out of memory. */
_printf_(2, 3) static void add_detail(EventText *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (text->detail_count < EVENT_DETAILS_MAX &&
	    vasprintf(&text->details[text->detail_count], format, arguments) >= 0)
		text->detail_count++;
	va_end(arguments);
}

/* ---- Words ---- */

/* Words that are abbreviations. */
static const char *capitals_of(const char *word, size_t length)
{
	static const char *const capitals[] = { "VM", "VMM", "GPU", "GUID", "PID" };

	for (size_t i = 0; i < ARRAY_SIZE(capitals); i++)
		if (strlen(capitals[i]) == length && strncasecmp(capitals[i], word, length) == 0)
			return capitals[i];
	return NULL;
}

char *words_of(const char *name)
{
	size_t length = strlen(name), begin = 0;
	char *words = malloc(2 * length + 1), *tail = words;

	if (!words || strpbrk(name, " \t\n"))
		return words ? strcpy(words, name) : NULL;
	for (size_t end = 1; begin < length; end++) {
		if (end < length && !isupper((unsigned char)name[end]))
			continue;
		const char *capitals = capitals_of(name + begin, end - begin);

		if (begin > 0)
			*tail++ = ' ';
		for (size_t i = begin; i < end; i++)
			*tail++ = capitals ? capitals[i - begin]
					   : (char)tolower((unsigned char)name[i]);
		begin = end;
	}
	*tail = '\0';
	return words;
}

/* ---- Pieces ---- */

/* Returns the reason of an end, to append to a sentence. It is "" if the owner requested the end.
 */
static char *ending(const VailEvent *event)
{
	static const struct {
		const char *reason;
		const char *words;
	} known[] = {
		{ "requested", "" },
		{ "revoked", ": revoked" },
		{ "processExited", ": exited" },
		{ "vmmExited", ": VMM exited" },
		{ "virtualMachineUnregistered", ": VM removed" },
		{ "virtualMachineDisplaced", ": another VM has its GUID" },
		{ "lastVirtualGpuRemoved", ": no vGPU left" },
		{ "quarantined", ": quarantine" },
		{ "privilegesChanged", ": privileges changed" },
		{ "adapterRemoved", ": adapter removed" },
		{ "driverGone", ": driver exited" },
		{ "sharerExited", ": sharer exited" },
		{ "overBudget", ": over the limit" },
		{ "functionClosed", ": closed by the VMM" },
		{ "rightsWithdrawn", ": right withdrawn" },
		{ "agentGone", ": agent gone" },
		{ "daemonStopped", ": vaild stopped" },
	};
	_cleanup_free_ char *words = NULL;
	char *text = NULL;

	if (!event->reason || !*event->reason)
		return strdup("");
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].reason, event->reason) == 0)
			return strdup(known[i].words);
	words = words_of(event->reason);
	return words && asprintf(&text, ": %s", words) >= 0 ? text : NULL;
}

static const char *process_text(pid_t pid, char text[PROCESS_SIZE])
{
	if (pid > 0)
		snprintf(text, PROCESS_SIZE, "process %d", (int)pid);
	else
		snprintf(text, PROCESS_SIZE, "a process that is not visible here");
	return text;
}

static bool has_name(const VailSharedObject *shared)
{
	return shared && shared->object && shared->object->name && *shared->object->name;
}

/* Returns the object's name, shortened to the columns, or its handle. */
static char *object_text(const VailEvent *event, size_t name_columns)
{
	const VailSharedObject *shared = event->shared_object;
	_cleanup_free_ char *name = NULL;
	char *text = NULL;

	if (!has_name(shared)) {
		const char *handle = shared && shared->handle ? shared->handle : "-";

		return asprintf(&text, "object %s", handle) >= 0 ? text : NULL;
	}
	name = text_escape_to(shared->object->name, name_columns);
	return name && asprintf(&text, "object \"%s\"", name) >= 0 ? text : NULL;
}

/* Adds the handle of an object that the sentence names otherwise. */
static void add_handle(EventText *text, const VailEvent *event)
{
	if (has_name(event->shared_object) && event->shared_object->handle)
		add_detail(text, ", %s", event->shared_object->handle);
}

static void add_user(EventText *text, uid_t uid)
{
	char name[USER_NAME_SIZE];

	add_detail(text, ", user %s", user_name(uid, name));
}

/* ---- Events by subject ---- */

static void describe_registration(EventText *text, const VailEvent *event, const char *end)
{
	char process[PROCESS_SIZE];

	process_text(event->pid, process);
	if (event->kind == VAIL_EVENT_REGISTERED)
		set_sentence(text, "%s registered", process);
	else
		set_sentence(text, "%s unregistered%s", process, end);
	add_user(text, event->uid);
	if (event->graphics_context)
		add_detail(text, ", context of %s", event->graphics_context);
}

/* Returns plain words for a member of a VM, which the caller frees. NULL if out of memory. */
static char *part_words(const char *member)
{
	if (strcmp(member, "displayServerPid") == 0)
		return strdup("agent that serves the displays");
	return words_of(member);
}

static void describe_change(EventText *text, const VailEvent *event)
{
	char *list = NULL, *longer;

	for (size_t i = 0; i < event->changed_count; i++) {
		_cleanup_free_ char *words = part_words(event->changed[i]);

		if (!words ||
		    asprintf(&longer, "%s%s%s", list ? list : "", list ? ", " : "", words) < 0) {
			free(list);
			return;
		}
		free(list);
		list = longer;
	}
	set_sentence(text, "%s changed", list ? list : "settings");
	free(list);
}

static void describe_damage(EventText *text, const VailEvent *event)
{
	for (size_t i = 0; i < event->damage_count && i < EVENT_DETAILS_MAX - 1; i++)
		add_detail(text, "%s%ux%u+%u+%u", i == 0 ? ": " : ", ", event->damage[i].width,
			   event->damage[i].height, event->damage[i].x, event->damage[i].y);
	if (event->damage_count >= EVENT_DETAILS_MAX)
		add_detail(text, ", %zu more", event->damage_count - (EVENT_DETAILS_MAX - 1));
}

static void describe_object(EventText *text, const VailEvent *event, const char *end,
			    size_t name_columns)
{
	const VailSharedObject *shared = event->shared_object;
	_cleanup_free_ char *object = object_text(event, name_columns);
	char process[PROCESS_SIZE];

	if (!object)
		return;
	process_text(event->holder_pid, process);
	switch (event->kind) {
	case VAIL_EVENT_SHARED:
		set_sentence(text, "%s shared", object);
		if (shared && shared->object && shared->object->width > 0)
			add_detail(text, ", %ux%u", shared->object->width, shared->object->height);
		break;
	case VAIL_EVENT_UPDATED:
		set_sentence(text, "%s updated", object);
		describe_damage(text, event);
		return;
	case VAIL_EVENT_UNSHARED:
		set_sentence(text, "%s unshared%s", object, end);
		break;
	case VAIL_EVENT_OPENED:
		set_sentence(text, "%s opened by %s", object, process);
		add_user(text, event->holder_uid);
		break;
	default:
		set_sentence(text, "%s released by %s%s", object, process, end);
		add_user(text, event->holder_uid);
		break;
	}
	add_handle(text, event);
}

static void describe_display(EventText *text, const VailEvent *event, const char *end)
{
	const VailDisplay *display = event->display;
	char process[PROCESS_SIZE];
	const char *before = ": ";

	process_text(display ? display->pid : 0, process);
	if (event->kind == VAIL_EVENT_DISPLAY_CLOSED) {
		set_sentence(text, "display closed%s", end);
		add_detail(text, ", %s", process);
	} else {
		set_sentence(text, "display opened by %s", process);
		for (unsigned int right = 1; display && right != 0; right <<= 1)
			if (display->rights & right) {
				add_detail(text, "%s%s", before, vail_display_right_name(right));
				before = ", ";
			}
	}
	if (display && display->handle)
		add_detail(text, ", %s", display->handle);
}

static void describe_gpu(EventText *text, const VailEvent *event, const char *end)
{
	const char *adapter = event->adapter ? event->adapter : "-";

	switch (event->kind) {
	case VAIL_EVENT_VIRTUAL_GPU_ASSIGNED:
		set_sentence(text, "vGPU assigned");
		add_detail(text, ", %s", event->virtual_gpu ? event->virtual_gpu : "-");
		add_detail(text, ", adapter %s", adapter);
		break;
	case VAIL_EVENT_VIRTUAL_GPU_REMOVED:
		set_sentence(text, "vGPU removed%s", end);
		add_detail(text, ", %s", event->virtual_gpu ? event->virtual_gpu : "-");
		break;
	case VAIL_EVENT_ADAPTER_ADDED:
		set_sentence(text, "adapter %s added", adapter);
		break;
	case VAIL_EVENT_ADAPTER_REMOVED:
		set_sentence(text, "adapter %s removed", adapter);
		add_detail(text, "%s", end);
		break;
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
		set_sentence(text, "GPU process removed%s", end);
		add_detail(text, ", %s", event->process ? event->process : "-");
		break;
	default:
		set_sentence(text, "page table at 0x%" PRIx64 " is resident",
			     event->virtual_address);
		add_detail(text, ", GPU process %s", event->process ? event->process : "-");
		break;
	}
}

static void describe_machine(EventText *text, const VailEvent *event, const char *end)
{
	switch (event->kind) {
	case VAIL_EVENT_VIRTUAL_MACHINE_ADDED:
		set_sentence(text, "VM added");
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		describe_change(text, event);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		/* "VM removed: VM removed" would say it twice. */
		set_sentence(text, "VM removed%s", strcmp(end, ": VM removed") == 0 ? "" : end);
		break;
	case VAIL_EVENT_QUARANTINED:
		/* The operator's text, not a name. */
		set_sentence(text, "VM quarantined%s%s", event->reason ? ": " : "",
			     event->reason ? event->reason : "");
		break;
	default:
		set_sentence(text, "quarantine lifted");
		break;
	}
}

void event_text_init(EventText *text, const VailEvent *event, size_t name_columns)
{
	_cleanup_free_ char *end = ending(event);

	*text = (EventText){ 0 };
	if (!end)
		return;
	switch (event->kind) {
	case VAIL_EVENT_CURRENT:
		set_sentence(text, "this was the current state; changes follow");
		break;
	case VAIL_EVENT_REGISTERED:
	case VAIL_EVENT_UNREGISTERED:
		describe_registration(text, event, end);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_ADDED:
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
	case VAIL_EVENT_QUARANTINED:
	case VAIL_EVENT_QUARANTINE_LIFTED:
		describe_machine(text, event, end);
		break;
	case VAIL_EVENT_SHARED:
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_UNSHARED:
	case VAIL_EVENT_OPENED:
	case VAIL_EVENT_RELEASED:
		describe_object(text, event, end, name_columns);
		break;
	case VAIL_EVENT_DISPLAY_OPENED:
	case VAIL_EVENT_DISPLAY_CLOSED:
		describe_display(text, event, end);
		break;
	case VAIL_EVENT_UNKNOWN:
		set_sentence(text, "%s", event->json ? event->json : "-");
		break;
	default:
		describe_gpu(text, event, end);
		break;
	}
}

void event_text_deinit(EventText *text)
{
	free(text->sentence);
	for (size_t i = 0; i < text->detail_count; i++)
		free(text->details[i]);
}
