/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/device-reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "proto/macros.h"

#define NVIDIA_MAJOR         195
#define NVIDIA_GPU_MINOR_MAX 253 /* 254 is nvidia-modeset, 255 nvidiactl */

/* A text in sysfs. The kernel's attributes here have a few bytes, and its links at most a path. */
typedef struct DeviceText {
	char text[DEVICE_PATH_SIZE * 2];
} DeviceText;

/*
 * Tests whether the error says that something does not exist, or that its device was just removed.
 * Any other error leaves that open.
 */
static bool means_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

/* Stores the first errno, negated, unless it means that the file does not exist. */
static void note_error(int *error)
{
	if (*error == 0 && !means_absent(errno))
		*error = -errno;
}

/*
 * Reads the target of a link. Returns NULL if it does not exist, does not fit or cannot be read; in
 * the last case sets *error.
 */
static const char *read_link(int folder, const char *path, DeviceText *ret, int *error)
{
	ssize_t size = readlinkat(folder, path, ret->text, sizeof(ret->text));

	if (size < 0 && errno != EINVAL) /* which says that it is no link */
		note_error(error);
	if (size < 0 || (size_t)size >= sizeof(ret->text))
		size = 0;
	ret->text[size] = '\0';
	return size > 0 ? ret->text : NULL;
}

/* Reads an attribute, in the same way. */
static const char *read_attribute(int folder, const char *path, DeviceText *ret, int *error)
{
	_cleanup_close_ int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t size = fd >= 0 ? read(fd, ret->text, sizeof(ret->text)) : -1;

	if (size < 0)
		note_error(error);
	if (size < 0 || (size_t)size >= sizeof(ret->text))
		size = 0;
	ret->text[size] = '\0';
	return size > 0 ? ret->text : NULL;
}

/* Opens a folder of sysfs. Returns -1 with errno. */
static int open_folder(const char *sysfs, const char *folder, const char *name)
{
	char path[DEVICE_PATH_SIZE * 2];
	int length = snprintf(path, sizeof(path), "%s/%s/%s", sysfs, folder, name);

	if (length < 0 || (size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* --- adapters -------------------------------------------------------------------------------- */

/*
 * Reads the driver of the virtio device below a device. Sets *ret_driver to NULL if it has none.
 * Returns a negative errno if that is not known.
 */
static int read_virtio_driver(const char *sysfs, const char *device, DeviceText *text,
			      const char **ret_driver)
{
	char path[DEVICE_PATH_SIZE * 2];
	int length = snprintf(path, sizeof(path), "%s/devices/%s", sysfs, device);
	DIR *folder = length > 0 && (size_t)length < sizeof(path) ? opendir(path) : NULL;
	const struct dirent *entry;
	int error = 0;

	*ret_driver = NULL;
	if (!folder)
		return means_absent(errno) ? 0 : -errno;
	while (!*ret_driver && (entry = readdir(folder))) {
		if (!gpu_is_virtio_device(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/driver", entry->d_name);
		*ret_driver = read_link(dirfd(folder), path, text, &error);
	}
	closedir(folder);
	return error;
}

/*
 * Reads what sysfs says about a device, whose nodes are known. A device that has just gone has no
 * driver. Returns a negative errno if that is not known.
 */
static int describe(const char *sysfs, FoundGpu *gpu)
{
	_cleanup_close_ int folder = open_folder(sysfs, "devices", gpu->path);
	DeviceText driver, virtio_driver, vendor, functions;
	GpuDeviceFacts facts = { 0 };
	int result = 0;

	if (folder < 0)
		note_error(&result);
	else
		facts = (GpuDeviceFacts){
			.driver = read_link(folder, "driver", &driver, &result),
			.vendor = read_attribute(folder, "vendor", &vendor, &result),
			.total_functions =
				read_attribute(folder, "sriov_totalvfs", &functions, &result),
		};
	if (result < 0)
		return result;
	if (facts.driver && strstr(facts.driver, "/virtio"))
		result = read_virtio_driver(sysfs, gpu->path, &virtio_driver, &facts.virtio_driver);
	if (result == 0)
		gpu_device_describe(&facts, &gpu->device, gpu->name);
	return result;
}

/* Returns 0 or a negative errno. */
static int add_nodes(DIR *class, GpuInventory *inventory)
{
	const struct dirent *entry;
	DeviceText text;
	GpuNode node;
	int error = 0;

	while (error == 0 && (entry = readdir(class))) {
		const char *link = read_link(dirfd(class), entry->d_name, &text, &error);

		if (gpu_node_parse(entry->d_name, link, &node) &&
		    !gpu_inventory_add(inventory, &node))
			error = -ENOMEM;
	}
	return error;
}

int device_read_gpus(const char *sysfs, GpuInventory *ret)
{
	char path[DEVICE_PATH_SIZE];

	*ret = GPU_INVENTORY_INIT;
	snprintf(path, sizeof(path), "%s/class/drm", sysfs);
	DIR *class = opendir(path);
	if (!class)
		return errno == ENOENT ? 0 : -errno;
	int error = add_nodes(class, ret);
	closedir(class);
	if (error < 0)
		return error;
	gpu_inventory_finish(ret);
	for (size_t i = 0; i < ret->count; i++)
		ret->items[i].error = describe(sysfs, &ret->items[i]);
	return 0;
}

/* --- functions ------------------------------------------------------------------------------- */

static void add_held(HeldGpus *held, const HeldGpu *gpu)
{
	for (size_t i = 0; i < held->count; i++)
		if (held->items[i].kind == gpu->kind &&
		    strcmp(held->items[i].function, gpu->function) == 0)
			return;
	if (held->count < ARRAY_SIZE(held->items))
		held->items[held->count++] = *gpu;
	else
		held->is_complete = false;
}

/* Opens a folder that need not exist. Returns -1 otherwise, with *error set if that is not known.
 */
static int open_noted(const char *sysfs, const char *folder, const char *name, int *error)
{
	int fd = open_folder(sysfs, folder, name);

	if (fd < 0)
		note_error(error);
	return fd;
}

/* Reads what sysfs says about a function, and adds it. */
static void add_function(HeldGpus *held, const char *sysfs, const char *name)
{
	int error = 0;
	_cleanup_close_ int pci = open_noted(sysfs, "bus/pci/devices", name, &error);
	_cleanup_close_ int mdevs = open_noted(sysfs, "bus/mdev", "devices", &error);
	_cleanup_close_ int mdev = open_noted(sysfs, "bus/mdev/devices", name, &error);
	DeviceText link, type, physfn, class, vgpu_type;
	GpuFunctionFacts facts = { .name = name };
	HeldGpu gpu;

	if (pci >= 0) {
		facts.physfn = read_link(pci, "physfn", &physfn, &error);
		facts.pci_class = read_attribute(pci, "class", &class, &error);
		facts.vgpu_type =
			read_attribute(pci, "nvidia/current_vgpu_type", &vgpu_type, &error);
	} else if (mdev >= 0) {
		facts.mdev_link = read_link(mdevs, name, &link, &error);
		facts.mdev_type = read_link(mdev, "mdev_type", &type, &error);
		facts.pci_class = read_attribute(mdev, "../class", &class, &error);
	}
	if (error < 0) /* half of its facts would make it another one */
		held->is_complete = false;
	else if (gpu_function_classify(&facts, &gpu))
		add_held(held, &gpu);
}

/* Uses opendir(), because the filter of the examiner does not allow all that fdopendir() does. */
static void add_group(HeldGpus *held, const char *sysfs, const char *group)
{
	char path[DEVICE_PATH_SIZE * 2];
	int length =
		snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s/devices", sysfs, group);
	DIR *devices = length > 0 && (size_t)length < sizeof(path) ? opendir(path) : NULL;
	const struct dirent *entry;

	if (!devices) {
		held->is_complete &= means_absent(errno);
		return;
	}
	while ((entry = readdir(devices)))
		if (entry->d_name[0] != '.')
			add_function(held, sysfs, entry->d_name);
	closedir(devices);
}

static void add_paravirtual(HeldGpus *held, const char *location)
{
	HeldGpu gpu = { .kind = HELD_GPU_PARAVIRTUAL };

	strcpy(gpu.function, location);
	strcpy(gpu.parent, location);
	add_held(held, &gpu);
}

/* A node of NVIDIA's own driver, which has no link in /sys/dev. */
static bool add_nvidia(HeldGpus *held, dev_t device)
{
	HeldGpu gpu = { .kind = HELD_GPU_PARAVIRTUAL };

	if (major(device) != NVIDIA_MAJOR || minor(device) > NVIDIA_GPU_MINOR_MAX)
		return false;
	snprintf(gpu.function, sizeof(gpu.function), "nvidia%u", minor(device));
	add_held(held, &gpu);
	return true;
}

void device_read_held(const char *sysfs, dev_t device, HeldGpus *held)
{
	char path[DEVICE_PATH_SIZE];
	DeviceText link;
	int error = 0;

	if (add_nvidia(held, device))
		return;
	snprintf(path, sizeof(path), "%s/dev/char/%u:%u", sysfs, major(device), minor(device));
	GpuCharDevice what = gpu_char_device_parse(read_link(AT_FDCWD, path, &link, &error));
	if (error < 0)
		held->is_complete = false;
	switch (what.kind) {
	case CHAR_DEVICE_GPU:
		add_paravirtual(held, what.name);
		break;
	case CHAR_DEVICE_VFIO_GROUP:
		add_group(held, sysfs, what.name);
		break;
	case CHAR_DEVICE_VFIO_DEVICE:
		add_function(held, sysfs, what.name);
		break;
	case CHAR_DEVICE_OTHER:
		break;
	}
}
