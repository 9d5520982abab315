/* SPDX-License-Identifier: MIT */
/* The save command: registers for the object's VM, opens the object and writes a PNG file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/json-members.h"
#include "client/common/object-image.h"
#include "client/common/picture-file.h"
#include "client/common/program-options.h"
#include "client/common/self-register.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/monitor.h"
#include "client/vailctl/objects.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/macros.h"
#include <vail.h>

/* ---- Opening ---- */

/* context: see self_register(). */
static NTSTATUS register_and_open(Tool *tool, const char *guid, const char *handle,
				  char context[static VAIL_HANDLE_SIZE],
				  struct vail_object **ret_object)
{
	NTSTATUS status = self_register(tool->vail, guid, context, false);

	return status == STATUS_SUCCESS ? vail_open_object(tool->vail, handle, ret_object) : status;
}

/*
 * A process that is not registered for any VM sees no objects, only the VMs that it may register
 * for. Tries each of them.
 */
static NTSTATUS open_of_any_machine(Tool *tool, const char *handle, struct vail_object **ret_object)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	char context[VAIL_HANDLE_SIZE] = "";
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListVirtualMachines", NULL,
					"virtualMachines", &machines);

	if (status != STATUS_SUCCESS)
		return status;
	status = STATUS_NOT_FOUND;
	for (size_t i = 0; i < machines.item_count; i++) {
		const char *guid = member_text(machines.items[i], "virtualMachineGuid");

		status = register_and_open(tool, guid, handle, context, ret_object);
		if (status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE)
			break; /* the handle is valid in no other VM */
	}
	return status;
}

/* Returns the exit status. */
static int open_object(Tool *tool, const char *handle, struct vail_object **ret_object)
{
	_cleanup_(listing_deinit) Listing objects = { 0 };
	char context[VAIL_HANDLE_SIZE] = "";
	NTSTATUS status = objects_fetch(tool, NULL, &objects);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	const JsonValue *shared = listing_find(&objects, "handle", handle);
	const char *guid = member_text(shared, "virtualMachineGuid");
	if (!guid && tool_sees_all(tool))
		return objects_lack(tool, handle); /* to register for any VM would find no more */
	status = guid ? register_and_open(tool, guid, handle, context, ret_object)
		      : open_of_any_machine(tool, handle, ret_object);
	if (status == STATUS_NOT_FOUND && !guid)
		return tool_failed(tool, status,
				   "this process may not register for any virtual machine; list "
				   "the VMs that you may see with: vailctl list");
	return status == STATUS_SUCCESS ? EXIT_DONE : tool_refused(tool, status);
}

/* ---- Writing ---- */

/* Returns the exit status. */
static int write_file(const Picture *picture, const char *path)
{
	char message[200];

	if (!picture_write_file(picture, path, message, sizeof(message)))
		return command_error("cannot write %s: %s", path, message);
	return EXIT_DONE;
}

/* ---- Saving ---- */

static int print_saved(const Tool *tool, const VailObjectInfo *info, const char *path)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	char format[5];

	if (!options_have(&tool->options, OPTION_JSON))
		return EXIT_DONE;
	report_document_begin(&writer);
	writer_key(&writer, "file");
	writer_string(&writer, path);
	writer_key(&writer, "width");
	writer_unsigned(&writer, info->width);
	writer_key(&writer, "height");
	writer_unsigned(&writer, info->height);
	writer_key(&writer, "format");
	writer_string(&writer, object_image_format(info->format, format));
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

static int save(const Tool *tool, struct vail_object *object, const char *path)
{
	const VailObjectInfo *info = vail_object_info(object);
	char message[200];

	if (!object_image_check(info, message, sizeof(message)))
		return tool_failed(tool, STATUS_NOT_SUPPORTED, "%s", message);
	size_t row = (size_t)info->width * 4, size = row * info->height;
	_cleanup_free_ uint8_t *pixels = malloc(size);
	if (!pixels)
		return tool_no_memory();
	NTSTATUS status = vail_object_wait(object, OBJECT_IMAGE_TIMEOUT);
	if (status == STATUS_SUCCESS)
		status = vail_object_read_image(object, pixels, size);
	if (status != STATUS_SUCCESS)
		return tool_failed(tool, status, "%s", vail_object_error_message(object));
	Picture picture = { info->width, info->height, info->format, (ptrdiff_t)row, pixels };
	int exit_status = write_file(&picture, path);
	return exit_status == EXIT_DONE ? print_saved(tool, info, path) : exit_status;
}

/* Checks that stdout can get the picture if the path is "-". Returns the exit status. */
static int check_path(const Tool *tool, const char *path)
{
	if (strcmp(path, "-") != 0)
		return EXIT_DONE;
	if (options_have(&tool->options, OPTION_JSON))
		return usage_error(
			"--json writes to stdout, so the picture needs a FILE other than "
			"-; see vailctl save --help");
	if (isatty(STDOUT_FILENO))
		return usage_error(
			"save writes no pictures to a terminal; name a FILE, or redirect "
			"stdout");
	return EXIT_DONE;
}

int command_save(Tool *tool)
{
	struct vail_object *object = NULL;
	int exit_status = check_path(tool, tool->arguments[1]);

	if (exit_status != EXIT_DONE)
		return exit_status;
	exit_status = open_object(tool, tool->arguments[0], &object);

	if (exit_status != EXIT_DONE)
		return exit_status;
	exit_status = save(tool, object, tool->arguments[1]);
	vail_object_close(tool->vail, object); /* best effort: vaild notices the exit as well */
	return exit_status;
}
