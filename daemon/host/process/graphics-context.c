/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/graphics-context.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemon/host/process/file-read.h"
#include "daemon/host/process/process-devices.h"

#define DRM_MAJOR            226
#define NVIDIA_MAJOR         195
#define NVIDIA_GPU_MINOR_MAX 253 /* 254 is nvidia-modeset, 255 nvidiactl */

/* Parses "MAJOR:MINOR", the format of the dev files in /sys. Returns 0 if malformed. */
static dev_t parse_device(const char *text)
{
	unsigned int device_major, device_minor;

	if (sscanf(text, "%u:%u", &device_major, &device_minor) != 2)
		return 0;
	return makedev(device_major, device_minor);
}

/*
 * Returns the number of the device with this name in any class of /sys, or 0 if there is no such
 * device.
 */
static dev_t find_device(const FsRoots *roots, const char *name)
{
	char pattern[256];
	glob_t found;
	dev_t device = 0;

	snprintf(pattern, sizeof(pattern), "%s/class/*/%s/dev", roots->sys, name);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc && device == 0; i++) {
		Buffer file;

		if (proc_file_read(AT_FDCWD, found.gl_pathv[i], &file) < 0)
			continue;
		device = parse_device(file.data);
		buffer_deinit(&file);
	}
	globfree(&found);
	return device;
}

DynamicDevices dynamic_devices_read(const FsRoots *roots)
{
	return (DynamicDevices){
		.kfd = find_device(roots, "kfd"),
		.dxg = find_device(roots, "dxg"),
	};
}

bool graphics_context_of_device(const DynamicDevices *dynamic, dev_t device,
				GraphicsContextKind *ret_kind)
{
	if (major(device) == DRM_MAJOR)
		*ret_kind = GRAPHICS_CONTEXT_DRM;
	else if (major(device) == NVIDIA_MAJOR && minor(device) <= NVIDIA_GPU_MINOR_MAX)
		*ret_kind = GRAPHICS_CONTEXT_NVIDIA;
	else if (device != 0 && device == dynamic->kfd)
		*ret_kind = GRAPHICS_CONTEXT_KFD;
	else if (device != 0 && device == dynamic->dxg)
		*ret_kind = GRAPHICS_CONTEXT_DXG;
	else
		return false;
	return true;
}

typedef struct ContextSearch {
	const FsRoots *roots;
	DynamicDevices dynamic; /* valid if dynamic_is_known */
	bool dynamic_is_known;
	GraphicsContextKind kind; /* the result, if a context was found */
} ContextSearch;

/* The numbers of most devices are fixed. For the others, /sys is read once per search. */
static Lookup examine_device(void *context, dev_t device)
{
	static const DynamicDevices none = { 0 };
	ContextSearch *search = context;

	if (graphics_context_of_device(&none, device, &search->kind))
		return LOOKUP_FOUND;
	if (!search->dynamic_is_known)
		search->dynamic = dynamic_devices_read(search->roots);
	search->dynamic_is_known = true;
	return graphics_context_of_device(&search->dynamic, device, &search->kind) ? LOOKUP_FOUND
										   : LOOKUP_ABSENT;
}

Lookup graphics_context_find(const FsRoots *roots, const SearchedProcess *process,
			     GraphicsContextKind *ret_kind)
{
	ContextSearch search = { .roots = roots };
	bool is_complete;
	Lookup lookup =
		process_devices_visit(roots, process, examine_device, &search, &is_complete);

	*ret_kind = search.kind;
	return lookup;
}
