/* SPDX-License-Identifier: MIT */
#include "tests/unit/discovery/device-tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

void tree_init(DeviceTree *tree)
{
	snprintf(tree->path, sizeof(tree->path), "/tmp/vaild-devices-XXXXXX");
	cr_assert_not_null(mkdtemp(tree->path));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void tree_deinit(DeviceTree *tree)
{
	cr_assert_eq(nftw(tree->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes the full path, and makes the folders above it. */
static void make_path(const DeviceTree *tree, const char *path, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "%s/%s", tree->path, path);
	for (char *slash = ret + strlen(tree->path); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		cr_assert(mkdir(ret, 0700) == 0 || errno == EEXIST, "%s", ret);
		*slash = '/';
	}
}

void tree_attribute(const DeviceTree *tree, const char *path, const char *value)
{
	char full[PATH_SIZE];

	make_path(tree, path, full);
	FILE *file = fopen(full, "we");
	cr_assert_not_null(file, "%s", full);
	fprintf(file, "%s\n", value);
	fclose(file);
}

void tree_link(const DeviceTree *tree, const char *path, const char *target)
{
	char full[PATH_SIZE];

	make_path(tree, path, full);
	unlink(full);
	cr_assert_eq(symlink(target, full), 0, "%s", full);
}

void tree_node(const DeviceTree *tree, const char *device, const char *node)
{
	char path[PATH_SIZE], target[PATH_SIZE];

	snprintf(path, sizeof(path), "devices/%s/drm/%s/uevent", device, node);
	tree_attribute(tree, path, "DEVTYPE=drm_minor");
	snprintf(path, sizeof(path), "class/drm/%s", node);
	snprintf(target, sizeof(target), "../../devices/%s/drm/%s", device, node);
	tree_link(tree, path, target);
}

void tree_remove_node(const DeviceTree *tree, const char *node)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/class/drm/%s", tree->path, node);
	cr_assert_eq(unlink(path), 0);
}

void tree_pci(const DeviceTree *tree, const char *device, const char *driver, const char *vendor,
	      const char *class)
{
	const char *address = strrchr(device, '/') + 1;
	char path[PATH_SIZE], target[PATH_SIZE];

	snprintf(path, sizeof(path), "devices/%s/vendor", device);
	tree_attribute(tree, path, vendor);
	snprintf(path, sizeof(path), "devices/%s/class", device);
	tree_attribute(tree, path, class);
	snprintf(path, sizeof(path), "devices/%s/driver", device);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	tree_link(tree, path, target);
	snprintf(path, sizeof(path), "bus/pci/devices/%s", address);
	snprintf(target, sizeof(target), "../../../devices/%s", device);
	tree_link(tree, path, target);
}

void tree_group(const DeviceTree *tree, unsigned int group, const char *number, const char *device)
{
	const char *name = strrchr(device, '/') + 1;
	char path[PATH_SIZE], target[PATH_SIZE];

	snprintf(path, sizeof(path), "kernel/iommu_groups/%u/devices/%s", group, name);
	snprintf(target, sizeof(target), "../../../../devices/%s", device);
	tree_link(tree, path, target);
	snprintf(path, sizeof(path), "dev/char/%s", number);
	snprintf(target, sizeof(target), "../../devices/virtual/vfio/%u", group);
	tree_link(tree, path, target);
}
