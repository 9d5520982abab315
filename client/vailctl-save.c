/* SPDX-License-Identifier: MIT */
/* A shared object as a PNG: vailctl registers its own process for the object's VM, and opens it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "members.h"
#include "picture.h"
#include "vailctl.h"

/* How long the object's fence is waited for, in milliseconds. */
#define FENCE_TIMEOUT 5000

/* An image that is larger is none that a person wants to look at, whatever its sharer says. */
#define IMAGE_SIZE_MAX ((uint64_t)1 << 30)

/* ---- Opening ---- */

static NTSTATUS register_and_open(Tool *tool, const char *guid, const char *handle,
				  struct vail_object **ret_object)
{
	NTSTATUS status = tool_register(tool, guid, false);

	return status == STATUS_SUCCESS ? vail_open_object(tool->vail, handle, ret_object) : status;
}

/* Who is registered for no VM sees no objects, but the VMs that it may register for. */
static NTSTATUS open_of_any_machine(Tool *tool, const char *handle, struct vail_object **ret_object)
{
	_cleanup_(listing_deinit) Listing machines = { 0 };
	NTSTATUS status = listing_fetch(tool, "io.vaild.Machine.ListVirtualMachines", NULL,
					"virtualMachines", &machines);

	if (status != STATUS_SUCCESS)
		return status;
	status = STATUS_NOT_FOUND;
	for (size_t i = 0; i < machines.item_count; i++) {
		const char *guid = member_text(machines.items[i], "virtualMachineGuid");

		status = register_and_open(tool, guid, handle, ret_object);
		if (status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE)
			break; /* others cannot have it either */
	}
	return status;
}

/* Returns the exit status. */
static int open_object(Tool *tool, const char *handle, struct vail_object **ret_object)
{
	_cleanup_(listing_deinit) Listing objects = { 0 };
	NTSTATUS status = objects_fetch(tool, NULL, &objects);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	const JsonValue *shared = listing_find(&objects, "handle", handle);
	const char *guid = member_text(shared, "virtualMachineGuid");
	status = guid ? register_and_open(tool, guid, handle, ret_object)
		      : open_of_any_machine(tool, handle, ret_object);
	if (status == STATUS_NOT_FOUND && !guid)
		return tool_failed(tool, status,
				   "there is no virtual machine that this process could be "
				   "registered for; see: vailctl list");
	return status == STATUS_SUCCESS ? EXIT_DONE : tool_refused(tool, status);
}

/* ---- Writing ---- */

/* A file on its way to another name. */
typedef struct Draft {
	char *path;
	FILE *out; /* NULL: there is no file */
} Draft;

/* What is left of it was not finished. */
static void draft_deinit(Draft *draft)
{
	if (draft->out) {
		fclose(draft->out);
		unlink(draft->path);
	}
	free(draft->path);
}

/* Returns 0 or a negative errno. */
static int draft_init(Draft *draft, const char *path)
{
	if (asprintf(&draft->path, "%s.XXXXXX", path) < 0) {
		draft->path = NULL;
		return -ENOMEM;
	}
	int descriptor = mkostemp(draft->path, O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	draft->out = fdopen(descriptor, "w");
	if (!draft->out) {
		int error = errno;

		close(descriptor);
		unlink(draft->path);
		return -error;
	}
	/* mkostemp() makes it private; what the user saves is as what it saves elsewhere. */
	mode_t mask = umask(0);
	umask(mask);
	return fchmod(descriptor, 0666 & ~mask) < 0 ? -errno : 0;
}

/* Gives it its name, in place of whatever had that. Returns 0 or a negative errno. */
static int draft_finish(Draft *draft, const char *path)
{
	if (fflush(draft->out) != 0 || fsync(fileno(draft->out)) < 0 ||
	    rename(draft->path, path) < 0)
		return -errno;
	int closed = fclose(draft->out);
	draft->out = NULL;
	return closed == 0 ? 0 : -errno;
}

/* Returns the exit status. */
static int write_file(const Picture *picture, const char *path)
{
	_cleanup_(draft_deinit) Draft draft = { 0 };
	char message[200];
	int error = draft_init(&draft, path);

	if (error == 0 && !picture_write(picture, draft.out, message, sizeof(message)))
		return command_error("cannot write %s: %s", path, message);
	if (error == 0)
		error = draft_finish(&draft, path);
	if (error < 0)
		return command_error("cannot write %s: %s", path, strerror(-error));
	return EXIT_DONE;
}

/* ---- Saving ---- */

static const char *format_text(uint32_t format, char text[5])
{
	for (size_t i = 0; i < 4; i++)
		text[i] = (char)(format >> (8 * i) & 0xff);
	text[4] = '\0';
	return text;
}

/* Whether the object can be saved; otherwise it was said why not, and this is the exit status. */
static int check_object(const Tool *tool, const VailObjectInfo *info)
{
	char format[5];

	if (info->plane_count == 0)
		return tool_failed(tool, STATUS_NOT_SUPPORTED,
				   "the object is no picture; see its type with: vailctl objects");
	if (!picture_format_known(info->format))
		return tool_failed(tool, STATUS_NOT_SUPPORTED,
				   "the object's format is %s; only " PICTURE_FORMATS
				   " can be saved",
				   format_text(info->format, format));
	if ((uint64_t)info->width * info->height > IMAGE_SIZE_MAX / 4 || info->width == 0 ||
	    info->height == 0)
		return tool_failed(tool, STATUS_NOT_SUPPORTED,
				   "the picture has %lu x %lu pixels; only those of 4 bytes to 1 "
				   "GiB can be saved",
				   (unsigned long)info->width, (unsigned long)info->height);
	return EXIT_DONE;
}

static int say_saved(const Tool *tool, const VailObjectInfo *info, const char *path)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);
	char format[5];

	if (!options_have(&tool->options, OPTION_JSON))
		return EXIT_DONE; /* the file says it */
	begin_document(&writer);
	writer_key(&writer, "file");
	writer_string(&writer, path);
	writer_key(&writer, "width");
	writer_unsigned(&writer, info->width);
	writer_key(&writer, "height");
	writer_unsigned(&writer, info->height);
	writer_key(&writer, "format");
	writer_string(&writer, format_text(info->format, format));
	writer_object_end(&writer);
	return tool_print_json(&writer);
}

static int save(const Tool *tool, struct vail_object *object, const char *path)
{
	const VailObjectInfo *info = vail_object_info(object);
	int exit_status = check_object(tool, info);

	if (exit_status != EXIT_DONE)
		return exit_status;
	size_t row = (size_t)info->width * 4, size = row * info->height;
	_cleanup_free_ uint8_t *pixels = malloc(size);
	if (!pixels)
		return tool_no_memory();
	NTSTATUS status = vail_object_wait(object, FENCE_TIMEOUT);
	if (status == STATUS_SUCCESS)
		status = vail_object_read_image(object, pixels, size);
	if (status != STATUS_SUCCESS)
		return tool_failed(tool, status, "%s", vail_object_error_message(object));
	Picture picture = { info->width, info->height, info->format, row, pixels };
	exit_status = write_file(&picture, path);
	return exit_status == EXIT_DONE ? say_saved(tool, info, path) : exit_status;
}

int command_save(Tool *tool)
{
	struct vail_object *object = NULL;
	int exit_status = open_object(tool, tool->arguments[0], &object);

	if (exit_status != EXIT_DONE)
		return exit_status;
	exit_status = save(tool, object, tool->arguments[1]);
	/* The process is about to end, and with it whatever vaild could not be told here. */
	vail_object_close(tool->vail, object);
	return exit_status;
}
