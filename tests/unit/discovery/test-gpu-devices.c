/* SPDX-License-Identifier: MIT */
/*
 * Finds the GPU devices of a host, and the functions that a process holds, in trees like /sys that
 * are written after the kernel's documentation. The reader is the one that reads /sys.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemon/core/limit.h"
#include "daemon/discovery/device-reader.h"
#include "tests/unit/discovery/device-tree.h"

#define UUID "4b20d080-1b54-4048-85b3-a6a62d165c01"

#define DISPLAY_CLASS "0x030000"

static DeviceTree tree;
static GpuInventory inventory;
static HeldGpus held;

static void set_up(void)
{
	tree_init(&tree);
	inventory = GPU_INVENTORY_INIT;
}

static void tear_down(void)
{
	gpu_inventory_deinit(&inventory);
	tree_deinit(&tree);
}

TestSuite(gpu_devices, .init = set_up, .fini = tear_down);

static void find_gpus(size_t count)
{
	gpu_inventory_deinit(&inventory);
	cr_assert_eq(device_read_gpus(tree.path, &inventory), 0);
	cr_assert_eq(inventory.count, count, "%zu devices", inventory.count);
}

/* Checks the first device of the inventory. */
static void expect_gpu(const char *location, const char *driver, const char *name)
{
	const FoundGpu *gpu = &inventory.items[0];

	cr_assert_str_eq(gpu->device.location, location);
	cr_assert_str_eq(gpu->device.driver, driver);
	cr_assert_str_eq(gpu->name, name);
}

static void expect_nodes(const char *first, const char *second)
{
	const AdapterDevice *device = &inventory.items[0].device;

	cr_assert_eq(device->node_count, second ? 2u : 1u);
	cr_assert_str_eq(device->nodes[0], first);
	if (second)
		cr_assert_str_eq(device->nodes[1], second);
}

/* Looks at the open device with this number. Returns how many functions it gives. */
static size_t look_at(unsigned int device_major, unsigned int device_minor)
{
	held = (HeldGpus){ .is_complete = true };
	device_read_held(tree.path, makedev(device_major, device_minor), &held);
	return held.count;
}

static void expect_held(HeldGpuKind kind, const char *function, const char *parent,
			const char *profile)
{
	cr_assert_eq(held.items[0].kind, kind, "kind %u", held.items[0].kind);
	cr_assert_str_eq(held.items[0].function, function);
	cr_assert_str_eq(held.items[0].parent, parent);
	cr_assert_str_eq(held.items[0].profile, profile);
}

/* --- adapters -------------------------------------------------------------------------------- */

Test(gpu_devices, no_drm_at_all)
{
	find_gpus(0);
	tree_attribute(&tree, "class/drm/version", "drm 1.1.0 20060810");
	find_gpus(0);
}

Test(gpu_devices, i915_with_functions)
{
	tree_pci(&tree, "pci0000:00/0000:00:02.0", "i915", "0x8086", DISPLAY_CLASS);
	tree_attribute(&tree, "devices/pci0000:00/0000:00:02.0/sriov_totalvfs", "7");
	tree_node(&tree, "pci0000:00/0000:00:02.0", "renderD128");
	tree_node(&tree, "pci0000:00/0000:00:02.0", "card1");
	tree_link(&tree, "class/drm/card1-HDMI-A-1",
		  "../../devices/pci0000:00/0000:00:02.0/drm/card1/card1-HDMI-A-1");
	find_gpus(1);
	expect_gpu("0000:00:02.0", "i915", "Intel GPU 0000:00:02.0");
	expect_nodes("card1", "renderD128");
	cr_assert(inventory.items[0].device.is_pci);
	cr_assert_eq(inventory.items[0].device.virtual_functions, 7u);
}

Test(gpu_devices, xe_behind_bridges)
{
	const char *device = "pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:01.0/0000:03:00.0";

	tree_pci(&tree, device, "xe", "0x8086", DISPLAY_CLASS);
	tree_node(&tree, device, "card0");
	find_gpus(1);
	expect_gpu("0000:03:00.0", "xe", "Intel GPU 0000:03:00.0");
	cr_assert_eq(inventory.items[0].device.virtual_functions, 0u);
}

Test(gpu_devices, amdgpu_and_nvidia_are_sorted_by_address)
{
	tree_pci(&tree, "pci0000:40/0000:41:00.0", "nvidia", "0x10de", "0x030200");
	tree_node(&tree, "pci0000:40/0000:41:00.0", "card0");
	tree_pci(&tree, "pci0000:00/0000:03:00.0", "amdgpu", "0x1002", DISPLAY_CLASS);
	tree_node(&tree, "pci0000:00/0000:03:00.0", "card1");
	find_gpus(2);
	expect_gpu("0000:03:00.0", "amdgpu", "AMD GPU 0000:03:00.0");
	cr_assert_str_eq(inventory.items[1].name, "NVIDIA GPU 0000:41:00.0");
	cr_assert_eq(gpu_inventory_find(&inventory, "0000:41:00.0"), &inventory.items[1]);
	cr_assert_null(gpu_inventory_find(&inventory, "0000:41:00.1"));
}

/* This is what Linux 6.12 has: the nodes belong to the PCI device. */
Test(gpu_devices, virtio_gpu_has_the_driver_of_its_virtio_device)
{
	tree_pci(&tree, "pci0000:00/0000:00:02.0", "virtio-pci", "0x1af4", DISPLAY_CLASS);
	tree_link(&tree, "devices/pci0000:00/0000:00:02.0/virtio3/driver",
		  "../../../../bus/virtio/drivers/virtio_gpu");
	tree_node(&tree, "pci0000:00/0000:00:02.0", "card1");
	find_gpus(1);
	expect_gpu("0000:00:02.0", "virtio_gpu", "virtio GPU 0000:00:02.0");
}

/* The number of a virtio device is just the next free one. */
Test(gpu_devices, nodes_below_a_virtio_device_have_the_pci_address)
{
	const char *device = "pci0000:00/0000:00:02.0/virtio3";

	tree_pci(&tree, "pci0000:00/0000:00:02.0", "virtio-pci", "0x1af4", DISPLAY_CLASS);
	tree_link(&tree, "devices/pci0000:00/0000:00:02.0/virtio3/driver",
		  "../../../../bus/virtio/drivers/virtio_gpu");
	tree_attribute(&tree, "devices/pci0000:00/0000:00:02.0/virtio3/vendor", "0x1af4");
	tree_node(&tree, device, "card0");
	find_gpus(1);
	expect_gpu("0000:00:02.0", "virtio_gpu", "virtio GPU 0000:00:02.0");
}

Test(gpu_devices, virtio_gpu_without_pci)
{
	tree_node(&tree, "platform/a003e00.virtio_mmio/virtio0", "card0");
	find_gpus(1);
	expect_gpu("platform/a003e00.virtio_mmio", "", "GPU platform/a003e00.virtio_mmio");
	cr_assert_not(inventory.items[0].device.is_pci);
}

Test(gpu_devices, vgem_and_a_platform_gpu)
{
	tree_node(&tree, "platform/vgem", "card0");
	tree_node(&tree, "platform/vgem", "renderD128");
	tree_node(&tree, "platform/soc/ff9a0000.gpu", "card1");
	tree_link(&tree, "devices/platform/soc/ff9a0000.gpu/driver",
		  "../../../../bus/platform/drivers/panfrost");
	find_gpus(2);
	expect_gpu("platform/soc/ff9a0000.gpu", "panfrost", "GPU platform/soc/ff9a0000.gpu");
	cr_assert_str_eq(inventory.items[1].device.location, "platform/vgem");
	cr_assert_eq(inventory.items[1].device.node_count, 2u);
}

/* The nearest PCI device of a display on USB is the USB controller, which is no GPU. */
Test(gpu_devices, usb_display_is_not_its_controller)
{
	const char *device = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0";

	tree_node(&tree, device, "card0");
	find_gpus(1);
	cr_assert_str_eq(inventory.items[0].device.location, device);
	cr_assert_not(inventory.items[0].device.is_pci);
}

Test(gpu_devices, links_that_are_no_nodes)
{
	static const char *const links[][2] = {
		{ "card0", "../../devices/pci0000:00/0000:00:02.0/drm/card1" },
		{ "card0", "../../devices/pci0000:00/0000:00:02.0/net/card0" },
		{ "card0", "../../devices/pci0000:00/../drm/card0" },
		{ "card0", "../../devices/drm/card0" },
		{ "card0", "../../devices//drm/card0" },
		{ "card0", "../../somewhere/0000:00:02.0/drm/card0" },
		{ "card0", "/etc/passwd" },
		{ "card", "../../devices/pci0000:00/0000:00:02.0/drm/card" },
		{ "card0x", "../../devices/pci0000:00/0000:00:02.0/drm/card0x" },
		{ "controlD64", "../../devices/pci0000:00/0000:00:02.0/drm/controlD64" },
		{ "card0", "../../devices/pci0000:00/0000:00:02.0\n/drm/card0" },
		{ "card0", "../../devices/virtio0/drm/card0" },
	};
	GpuNode node;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		cr_assert_not(gpu_node_parse(links[i][0], links[i][1], &node), "row %zu", i);
	cr_assert_not(gpu_node_parse("card0", NULL, &node));
}

Test(gpu_devices, pci_addresses)
{
	static const char *const good[] = { "0000:00:02.0", "10000:e1:00.7", "ffffffff:FF:1f.0" };
	static const char *const bad[] = { "",         "0000:00:02",   "0000:00:02.8",
					   "00:02.0",  "0000:0:02.0",  "0000:00:02.0 ",
					   "0000:00:", "0000:00:0g.0", "fffffffff:00:02.0" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert(gpu_is_pci_address(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_not(gpu_is_pci_address(bad[i]), "%s", bad[i]);
}

Test(gpu_devices, more_devices_than_the_limit)
{
	for (int i = 0; i < LIMIT_FOUND_ADAPTERS + 3; i++) {
		GpuNode node = { .path = "x" };

		snprintf(node.name, sizeof(node.name), "card%d", i);
		snprintf(node.location, sizeof(node.location), "platform/gpu.%d", i);
		cr_assert(gpu_inventory_add(&inventory, &node));
	}
	gpu_inventory_finish(&inventory);
	cr_assert_eq(inventory.count, (size_t)LIMIT_FOUND_ADAPTERS);
	cr_assert_eq(inventory.left_out, 3u);
}

/* --- functions that a process holds ---------------------------------------------------------- */

Test(gpu_devices, paravirtual_gpu_by_its_node)
{
	tree_link(&tree, "dev/char/226:128",
		  "../../devices/pci0000:00/0000:00:02.0/drm/renderD128");
	cr_assert_eq(look_at(226, 128), 1u);
	expect_held(HELD_GPU_PARAVIRTUAL, "0000:00:02.0", "0000:00:02.0", "");
	cr_assert_eq(look_at(226, 129), 0u);
}

Test(gpu_devices, two_nodes_of_one_device_are_one_gpu)
{
	tree_link(&tree, "dev/char/226:0", "../../devices/faux/vgem/drm/card0");
	tree_link(&tree, "dev/char/226:128", "../../devices/faux/vgem/drm/renderD128");
	cr_assert_eq(look_at(226, 0), 1u);
	device_read_held(tree.path, makedev(226, 128), &held);
	cr_assert_eq(held.count, 1u);
	expect_held(HELD_GPU_PARAVIRTUAL, "faux/vgem", "faux/vgem", "");
}

Test(gpu_devices, nvidia_node)
{
	cr_assert_eq(look_at(195, 1), 1u);
	expect_held(HELD_GPU_PARAVIRTUAL, "nvidia1", "", "");
	cr_assert_eq(look_at(195, 255), 0u, "nvidiactl is no GPU");
}

Test(gpu_devices, virtual_function_by_its_group)
{
	const char *function = "pci0000:00/0000:00:02.1";

	tree_pci(&tree, function, "vfio-pci", "0x8086", DISPLAY_CLASS);
	tree_link(&tree, "devices/pci0000:00/0000:00:02.1/physfn", "../0000:00:02.0");
	tree_group(&tree, 12, "511:0", function);
	cr_assert_eq(look_at(511, 0), 1u);
	expect_held(HELD_GPU_VIRTUAL_FUNCTION, "0000:00:02.1", "0000:00:02.0", "");
	cr_assert_eq(held.items[0].pci_class, 0x030000u);
}

Test(gpu_devices, virtual_function_by_its_vfio_device)
{
	const char *function = "pci0000:00/0000:00:02.1";

	tree_pci(&tree, function, "vfio-pci", "0x8086", DISPLAY_CLASS);
	tree_link(&tree, "devices/pci0000:00/0000:00:02.1/physfn", "../0000:00:02.0");
	tree_link(&tree, "dev/char/510:3", "../../devices/pci0000:00/0000:00:02.1/vfio-dev/vfio3");
	cr_assert_eq(look_at(510, 3), 1u);
	expect_held(HELD_GPU_VIRTUAL_FUNCTION, "0000:00:02.1", "0000:00:02.0", "");
}

/* With SR-IOV, NVIDIA's driver has the type of a function in an attribute; 0 stands for none. */
Test(gpu_devices, nvidia_function_with_current_vgpu_type)
{
	const char *function = "pci0000:40/0000:41:00.4";

	tree_pci(&tree, function, "nvidia", "0x10de", "0x030200");
	tree_link(&tree, "devices/pci0000:40/0000:41:00.4/physfn", "../0000:41:00.0");
	tree_attribute(&tree, "devices/pci0000:40/0000:41:00.4/nvidia/current_vgpu_type", "558");
	tree_group(&tree, 80, "511:4", function);
	cr_assert_eq(look_at(511, 4), 1u);
	expect_held(HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0", "nvidia-558");
	tree_attribute(&tree, "devices/pci0000:40/0000:41:00.4/nvidia/current_vgpu_type", "0");
	cr_assert_eq(look_at(511, 4), 1u);
	expect_held(HELD_GPU_VIRTUAL_FUNCTION, "0000:41:00.4", "0000:41:00.0", "");
}

Test(gpu_devices, nvidia_with_mdev)
{
	const char *parent = "pci0000:40/0000:41:00.0", *mdev = "pci0000:40/0000:41:00.0/" UUID;

	tree_pci(&tree, parent, "nvidia", "0x10de", "0x030200");
	tree_link(&tree, "devices/pci0000:40/0000:41:00.0/" UUID "/mdev_type",
		  "../mdev_supported_types/nvidia-63");
	tree_link(&tree, "bus/mdev/devices/" UUID,
		  "../../../devices/pci0000:40/0000:41:00.0/" UUID);
	tree_group(&tree, 81, "511:5", mdev);
	cr_assert_eq(look_at(511, 5), 1u);
	expect_held(HELD_GPU_MDEV, UUID, "0000:41:00.0", "nvidia-63");
	cr_assert_eq(held.items[0].pci_class, 0x030200u);
}

/* The group is VFIO's unit, so a VMM has the sound function as well, but never the bridge. */
Test(gpu_devices, whole_device_with_its_group)
{
	tree_pci(&tree, "pci0000:00/0000:00:01.0", "pcieport", "0x8086", "0x060400");
	tree_pci(&tree, "pci0000:00/0000:00:01.0/0000:01:00.0", "vfio-pci", "0x1002",
		 DISPLAY_CLASS);
	tree_pci(&tree, "pci0000:00/0000:00:01.0/0000:01:00.1", "vfio-pci", "0x1002", "0x040300");
	tree_group(&tree, 1, "511:1", "pci0000:00/0000:00:01.0");
	tree_group(&tree, 1, "511:1", "pci0000:00/0000:00:01.0/0000:01:00.0");
	tree_group(&tree, 1, "511:1", "pci0000:00/0000:00:01.0/0000:01:00.1");
	cr_assert_eq(look_at(511, 1), 2u);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(held.items[i].kind, (uint32_t)HELD_GPU_PASSTHROUGH);
		cr_assert_str_neq(held.items[i].function, "0000:00:01.0");
	}
}

Test(gpu_devices, other_devices_are_not_held_gpus)
{
	static const char *const links[] = {
		"../../devices/virtual/mem/null",     "../../devices/virtual/misc/vfio",
		"../../devices/virtual/vfio/devices", "../../devices/virtual/vfio/",
		"../../devices/vfio-dev/vfio0",       "somewhere",
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		tree_link(&tree, "dev/char/10:196", links[i]);
		cr_assert_eq(look_at(10, 196), 0u, "%s", links[i]);
	}
	cr_assert_eq(look_at(1, 3), 0u, "without a link");
}

/* A link to itself can be read as little as an attribute whose driver answers EIO. */
Test(gpu_devices, functions_that_cannot_be_looked_at)
{
	static const char *const facts[] = { "class", "nvidia/current_vgpu_type" };

	for (unsigned int i = 0; i < ARRAY_SIZE(facts); i++) {
		char function[64], path[128], number[16];

		snprintf(function, sizeof(function), "pci0000:40/0000:41:00.%u", i + 1);
		snprintf(number, sizeof(number), "511:%u", i);
		snprintf(path, sizeof(path), "devices/%s/physfn", function);
		tree_pci(&tree, function, "vfio-pci", "0x10de", DISPLAY_CLASS);
		tree_link(&tree, path, "../0000:41:00.0");
		tree_group(&tree, i, number, function);
		cr_assert_eq(look_at(511, i), 1u);
		cr_assert(held.is_complete);
		snprintf(path, sizeof(path), "devices/%s/%s", function, facts[i]);
		tree_link(&tree, path, strrchr(path, '/') + 1);
		cr_assert_eq(look_at(511, i), 0u, "%s", facts[i]);
		cr_assert_not(held.is_complete, "it may have one");
	}
}

Test(gpu_devices, functions_that_vanish_while_they_are_read)
{
	tree_group(&tree, 12, "511:0", "pci0000:00/0000:00:02.1");
	tree_group(&tree, 12, "511:0", "pci0000:00/" UUID);
	cr_assert_eq(look_at(511, 0), 0u);
}

Test(gpu_devices, no_more_functions_than_there_is_room_for)
{
	char device[64];

	for (unsigned int i = 0; i < LIMIT_HELD_GPUS + 1; i++) {
		snprintf(device, sizeof(device), "pci0000:00/0000:00:%02x.0", i);
		tree_pci(&tree, device, "vfio-pci", "0x8086", DISPLAY_CLASS);
		tree_group(&tree, 12, "511:0", device);
		cr_assert_eq(look_at(511, 0), i < LIMIT_HELD_GPUS ? i + 1 : LIMIT_HELD_GPUS);
		cr_assert_eq(held.is_complete, i < LIMIT_HELD_GPUS);
	}
}
