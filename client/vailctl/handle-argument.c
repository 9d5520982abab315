/* SPDX-License-Identifier: MIT */
#include "client/vailctl/handle-argument.h"

#include <stdio.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/machine-search.h"
#include "client/common/plain-words.h"
#include "client/vailctl/command-table.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

/* The digits of a whole handle. */
#define HANDLE_DIGITS (VAIL_HANDLE_SIZE - 1)

/* Entities that have handles, and where vaild lists them. */
typedef struct HandleKind {
	const char *method;
	const char *key;    /* of the list in the reply */
	const char *within; /* list of entities in each item; NULL if the items are the entities */
	const char *member; /* with the handle */
	const char *noun;
	const char *command; /* that shows them */
} HandleKind;

static const HandleKind object_kind = {
	"io.vaild.ListSharedObjects", "sharedObjects", NULL, "handle", "object", "vailctl objects"
};
static const HandleKind display_kind = { "io.vaild.Display.ListDisplays",
					 "displays",
					 NULL,
					 "display",
					 "display channel",
					 "vailctl displays" };
static const HandleKind process_kind = {
	"io.vaild.Gpu.ListProcesses", "processes", NULL, "process", "GPU process",
	"vailctl gpu processes"
};
static const HandleKind adapter_kind = {
	"io.vaild.Gpu.ListAdapters", "adapters", NULL, "adapter", "adapter", "vailctl adapters"
};
static const HandleKind virtual_gpu_kind = { "io.vaild.Machine.ListVirtualMachines",
					     "virtualMachines",
					     "virtualGpus",
					     "virtualGpu",
					     "virtual GPU",
					     "vailctl vgpu list" };

/* Commands whose first argument is a handle. */
static const struct {
	int (*run)(Tool *tool);
	const HandleKind *kind;
} commands[] = {
	{ command_holders, &object_kind },          { command_save, &object_kind },
	{ command_display_close, &display_kind },   { command_gpu_map, &process_kind },
	{ command_vgpu_remove, &virtual_gpu_kind },
};

/* The handles that begin with a text. */
typedef struct HandleSearch {
	const char *text;
	char *found; /* the first one, of VAIL_HANDLE_SIZE bytes */
	size_t count;
} HandleSearch;

static void search_add(HandleSearch *search, const JsonValue *entity, const char *member)
{
	const char *handle = member_text(entity, member);

	if (!handle || strncasecmp(handle, search->text, strlen(search->text)) != 0)
		return;
	if (search->count++ == 0)
		snprintf(search->found, VAIL_HANDLE_SIZE, "%s", handle);
}

static void search_listing(HandleSearch *search, const Listing *listing, const HandleKind *kind)
{
	for (size_t i = 0; i < listing->item_count; i++) {
		const JsonValue *item = listing->items[i];
		const JsonValue *array = kind->within ? json_member(item, kind->within) : NULL;

		if (!kind->within)
			search_add(search, item, kind->member);
		for (size_t j = 0; j < json_array_size(array); j++)
			search_add(search, json_array_at(array, j), kind->member);
	}
}

static bool is_hexadecimal(const char *text)
{
	return strspn(text, "0123456789abcdefABCDEF") == strlen(text);
}

/* Tests whether the text has the form of a whole handle. */
static bool is_handle(const char *text)
{
	return strlen(text) == HANDLE_DIGITS && is_hexadecimal(text);
}

/* Tests whether the text is some hex digits, but not a whole handle. */
static bool is_beginning(const char *text)
{
	return *text != '\0' && strlen(text) < HANDLE_DIGITS && is_hexadecimal(text);
}

/*
 * Reports that the text is no handle but names a VM, which people try where an object is needed.
 * Returns EXIT_DONE, and reports nothing, if that is not so.
 */
static int refuse_machine(Tool *tool, const HandleKind *kind, const char *text)
{
	_cleanup_free_ char *message = NULL;
	char guid[MACHINE_GUID_SIZE], named[PLAIN_QUOTE_SIZE], quoted[SHELL_QUOTE_SIZE];

	if (kind != &object_kind || *text == '\0' ||
	    machine_find(tool->vail, text, MACHINES_RUNNING, guid, &message) != STATUS_SUCCESS)
		return EXIT_DONE;
	shell_quote(text, quoted);
	return tool_failed(
		tool, STATUS_INVALID_HANDLE,
		"%s names a VM, but the handle of an object is needed; list those of the "
		"VM with: vailctl objects %s; or save its screen with: vail-view %s "
		"--png FILE",
		plain_quote(text, named), quoted, quoted);
}

/* Reports that no handle begins with the text. Returns the exit status. */
static int refuse_beginning(Tool *tool, const HandleKind *kind, const char *text)
{
	int exit_status = refuse_machine(tool, kind, text);

	if (exit_status != EXIT_DONE)
		return exit_status;
	if (strlen(text) < HANDLE_BEGINNING_MIN)
		return tool_failed(tool, STATUS_INVALID_HANDLE,
				   "%s: the %s is named by its handle, or by the beginning of a "
				   "handle, which needs at least %d digits; list the handles with: "
				   "%s",
				   text, kind->noun, HANDLE_BEGINNING_MIN, kind->command);
	return tool_failed(tool, STATUS_INVALID_HANDLE,
			   "%s: no %s that you may see has a handle that begins so; give the whole "
			   "handle, or list those that you may see with: %s",
			   text, kind->noun, kind->command);
}

/* Finds the handle that begins with the text. Returns the exit status. */
static int find_handle(Tool *tool, const HandleKind *kind, const char *text,
		       char ret_handle[static VAIL_HANDLE_SIZE])
{
	_cleanup_(listing_deinit) Listing listing = { 0 };
	HandleSearch search = { .text = text, .found = ret_handle };

	if (strlen(text) < HANDLE_BEGINNING_MIN)
		return refuse_beginning(tool, kind, text);
	NTSTATUS status = listing_fetch(tool, kind->method, NULL, kind->key, &listing);
	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	search_listing(&search, &listing, kind);
	if (search.count > 1)
		return tool_failed(tool, STATUS_OBJECT_NAME_COLLISION,
				   "%s: %zu handles begin so; give more digits, or list them with: "
				   "%s",
				   text, search.count, kind->command);
	return search.count == 1 ? EXIT_DONE : refuse_beginning(tool, kind, text);
}

/*
 * Replaces the text if it is the beginning of a handle, and refuses a VM in place of an object.
 * Returns the exit status.
 */
static int resolve(Tool *tool, const HandleKind *kind, const char **text)
{
	if (!*text || is_handle(*text))
		return EXIT_DONE;
	if (!is_beginning(*text))
		return refuse_machine(tool, kind, *text);
	int exit_status = find_handle(tool, kind, *text, tool->handle);
	*text = tool->handle;
	return exit_status;
}

int tool_resolve_handle(const Command *command, Tool *tool)
{
	Options *options = &tool->options;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run == command->run)
			return resolve(tool, commands[i].kind, &tool->arguments[0]);
	if (options->adapter)
		return resolve(tool, &adapter_kind, &options->adapter);
	return resolve(tool, &object_kind, &options->object);
}
