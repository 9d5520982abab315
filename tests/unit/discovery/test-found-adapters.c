/* SPDX-License-Identifier: MIT */
/*
 * GPU devices of the host as adapters: they are listed and watched like others, come and go with
 * their devices, and cannot be used or removed through the interface.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/discovery/device-adapters.h"
#include "tests/support/fake-gpu.h"
#include "tests/unit/discovery/device-tree.h"

#define CARD       "pci0000:00/0000:00:02.0"
#define OTHER_CARD "pci0000:00/0000:03:00.0"

static HostFixture fixture;
static DeviceTree tree;

static void set_up(void)
{
	fixture = host_fixture_new();
	tree_init(&tree);
	tree_pci(&tree, CARD, "i915", "0x8086", "0x030000");
	tree_attribute(&tree, "devices/" CARD "/sriov_totalvfs", "7");
	tree_node(&tree, CARD, "card0");
	tree_node(&tree, CARD, "renderD128");
}

static void tear_down(void)
{
	tree_deinit(&tree);
	host_fixture_free(&fixture);
}

TestSuite(found_adapters, .init = set_up, .fini = tear_down);

static void update(size_t added, size_t removed)
{
	Broker *broker = fixture.fake_host->service.broker;
	DeviceAdapters result;

	cr_assert_eq(device_adapters_update(broker, tree.path, &result), 0);
	cr_assert_eq(result.added, added, "%zu added", result.added);
	cr_assert_eq(result.removed, removed, "%zu removed", result.removed);
	broker_check(broker);
}

static size_t count_adapters(void)
{
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, LIST_ADAPTERS, NULL),
			 "STATUS_SUCCESS");
	return reply_count(fixture.fake_host, "adapters");
}

/* Returns the handle of the adapter at the position in the list. */
static const char *handle_at(size_t position)
{
	static char handle[64];
	char path[64];

	count_adapters();
	snprintf(path, sizeof(path), "adapters[%zu].adapter", position);
	snprintf(handle, sizeof(handle), "%s", reply_string(fixture.fake_host, path));
	return handle;
}

Test(found_adapters, are_listed_with_their_source)
{
	FakeHost *fake_host = fixture.fake_host;
	size_t events = fake_host_events(fake_host, EVENT_ADAPTER_ADDED);

	update(1, 0);
	cr_assert_eq(count_adapters(), 2u);
	cr_assert_str_eq(reply_string(fake_host, "adapters[0].source"), "software");
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].source"), "drm");
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].name"), "Intel GPU 0000:00:02.0");
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].driver"), "i915");
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].pciAddress"), "0000:00:02.0");
	cr_assert_eq(reply_count(fake_host, "adapters[1].nodes"), 2u);
	cr_assert_eq(reply_number(fake_host, "adapters[1].maxVirtualFunctions"), 7u);
	cr_assert_eq(reply_number(fake_host, "adapters[1].maxVirtualGpus"), 0u);
	cr_assert_eq(fake_host_events(fake_host, EVENT_ADAPTER_ADDED), events + 1);
}

/* A device without a driver that speaks to vaild must not pretend to have an MMU. */
Test(found_adapters, have_no_mmu_and_no_system_process)
{
	FakeHost *fake_host = fixture.fake_host;

	update(1, 0);
	count_adapters();
	cr_assert_null(reply_value(fake_host, "adapters[1].virtualAddressBitCount"));
	cr_assert_null(reply_value(fake_host, "adapters[1].pageTableIndexBitCount"));
	cr_assert_null(reply_value(fake_host, "adapters[1].leafCoverageInBytes"));
	cr_assert_null(reply_value(fake_host, "adapters[1].rootEntryCoverageInBytes"));
	cr_assert_null(reply_value(fake_host, "adapters[1].systemProcess"));
	cr_assert_not_null(reply_value(fake_host, "adapters[0].systemProcess"));
}

Test(found_adapters, cannot_be_used_or_removed)
{
	FakeHost *fake_host = fixture.fake_host;

	update(1, 0);
	const char *adapter = handle_at(1);
	cr_assert_str_eq(callf(fake_host, fixture.admin, UNREGISTER_ADAPTER, "{\"adapter\":\"%s\"}",
			       adapter),
			 "STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(callf(fake_host, fixture.client, UNREGISTER_ADAPTER,
			       "{\"adapter\":\"%s\"}", adapter),
			 "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(
		callf(fake_host, fixture.client, CREATE_CONTEXT, "{\"adapter\":\"%s\"}", adapter),
		"STATUS_NOT_SUPPORTED");
	cr_assert_str_eq(
		callf(fake_host, fixture.admin, CREATE_PROCESS, "{\"adapter\":\"%s\"}", adapter),
		"STATUS_ACCESS_DENIED");
	cr_assert_str_eq(callf(fake_host, fixture.admin, ASSIGN,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}",
			       adapter),
			 "STATUS_NOT_SUPPORTED");
	cr_assert_eq(count_adapters(), 2u);
	broker_check(fake_host->service.broker);
}

Test(found_adapters, come_and_go_with_their_devices)
{
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];

	update(1, 0);
	strcpy(handle, handle_at(1));
	update(0, 0);
	cr_assert_str_eq(handle_at(1), handle, "nothing has changed");
	tree_node(&tree, OTHER_CARD, "card1");
	update(1, 0);
	cr_assert_str_eq(handle_at(1), handle);
	tree_remove_node(&tree, "card0");
	tree_remove_node(&tree, "renderD128");
	update(0, 1);
	cr_assert_eq(count_adapters(), 2u);
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].pciAddress"), "0000:03:00.0");
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_ADAPTER_REMOVED)->reason,
		     END_ADAPTER_REMOVED);
}

/* The number of a node says nothing: the next device may get it. */
Test(found_adapters, another_device_with_the_same_node_is_another_adapter)
{
	char handle[64];

	tree_remove_node(&tree, "renderD128");
	update(1, 0);
	strcpy(handle, handle_at(1));
	tree_remove_node(&tree, "card0");
	tree_node(&tree, OTHER_CARD, "card0");
	update(1, 1);
	cr_assert_str_neq(handle_at(1), handle);
}

Test(found_adapters, other_nodes_of_the_same_device_are_the_same_adapter)
{
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];

	update(1, 0);
	strcpy(handle, handle_at(1));
	tree_remove_node(&tree, "card0");
	tree_node(&tree, CARD, "card7");
	update(0, 0);
	cr_assert_str_eq(handle_at(1), handle);
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].nodes[0]"), "card7");
}

Test(found_adapters, another_driver_makes_another_adapter)
{
	FakeHost *fake_host = fixture.fake_host;

	update(1, 0);
	tree_pci(&tree, CARD, "xe", "0x8086", "0x030000");
	update(1, 1);
	cr_assert_eq(count_adapters(), 2u);
	cr_assert_str_eq(reply_string(fake_host, "adapters[1].driver"), "xe");
}

/* A link to itself can be opened as little as an attribute of a device that answers EIO. */
static void make_unreadable(const char *attribute)
{
	char path[128];

	snprintf(path, sizeof(path), "devices/%s", attribute);
	tree_link(&tree, path, strrchr(attribute, '/') + 1);
}

static size_t count_unreadable(void)
{
	DeviceAdapters result;

	cr_assert_eq(device_adapters_update(fixture.fake_host->service.broker, tree.path, &result),
		     0);
	cr_assert_eq(result.removed, 0u, "what cannot be looked at is not gone");
	cr_assert(result.unreadable == 0 || result.error == -ELOOP);
	return result.unreadable;
}

Test(found_adapters, what_cannot_be_looked_at_stays_as_it_was)
{
	static const char *const attributes[] = { CARD "/vendor", CARD "/sriov_totalvfs" };
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];

	update(1, 0);
	strcpy(handle, handle_at(1));
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		make_unreadable(attributes[i]);
		cr_assert_eq(count_unreadable(), 1u);
		cr_assert_str_eq(handle_at(1), handle);
		cr_assert_str_eq(reply_string(fake_host, "adapters[1].name"),
				 "Intel GPU 0000:00:02.0");
		cr_assert_eq(reply_number(fake_host, "adapters[1].maxVirtualFunctions"), 7u);
	}
}

Test(found_adapters, one_that_cannot_be_looked_at_hides_no_other)
{
	tree_pci(&tree, OTHER_CARD, "xe", "0x8086", "0x030000");
	tree_node(&tree, OTHER_CARD, "card1");
	make_unreadable(OTHER_CARD "/vendor");
	cr_assert_eq(count_unreadable(), 1u);
	cr_assert_eq(count_adapters(), 2u, "a new one is not listed before it was looked at");
	tree_attribute(&tree, "devices/" OTHER_CARD "/readable", "0x8086");
	tree_link(&tree, "devices/" OTHER_CARD "/vendor", "readable");
	cr_assert_eq(count_unreadable(), 0u);
	cr_assert_eq(count_adapters(), 3u);
}

/* Each start finds the devices again, so nothing about them is persisted or restored. */
Test(found_adapters, are_not_persisted)
{
	FakeHost *fake_host = fixture.fake_host;
	size_t records = fake_host->persisted_count;

	update(1, 0);
	cr_assert_eq(fake_host->persisted_count, records);
	fake_host_restart(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u);
	cr_assert_eq(count_adapters(), 1u);
	update(1, 0);
	cr_assert_eq(count_adapters(), 2u);
	update(0, 0);
}

/* The hardware of the host refuses no driver, and the driver's adapter is the one with the MMU. */
Test(found_adapters, driver_registers_an_adapter_of_the_same_name)
{
	FakeHost *fake_host = fixture.fake_host;
	const char *const description =
		"{\"name\":\"Intel GPU 0000:00:02.0\",\"virtualAddressBitCount\":48,"
		"\"pageTableIndexBitCount\":[9,9,9,9]}";

	update(1, 0);
	cr_assert_str_eq(
		call(fake_host, fixture.admin, "io.vaild.Gpu.RegisterAdapter", description),
		"STATUS_SUCCESS");
	cr_assert_eq(count_adapters(), 3u);
	cr_assert_str_eq(
		call(fake_host, fixture.admin, "io.vaild.Gpu.RegisterAdapter", description),
		"STATUS_OBJECT_NAME_COLLISION", "two drivers still collide");
	update(0, 0);
	cr_assert_eq(count_adapters(), 3u);
}

/* Found adapters use none of the room that drivers have. */
Test(found_adapters, take_nothing_of_the_limits)
{
	FakeHost *fake_host = fixture.fake_host;
	char device[64], node[32];

	for (unsigned int i = 0; i < 300; i++) {
		snprintf(device, sizeof(device), "platform/gpu.%u", i);
		snprintf(node, sizeof(node), "card%u", 10 + i);
		tree_node(&tree, device, node);
	}
	update(301, 0);
	cr_assert_eq(fake_host->service.broker->accounts.used[LIMIT_ADAPTERS], 0u);
	cr_assert_str_eq(call(fake_host, fixture.admin, "io.vaild.Monitor.GetStatus", NULL),
			 "STATUS_SUCCESS");
	cr_assert_eq(count_adapters(), 302u);
}

Test(found_adapters, sysfs_that_cannot_be_read_changes_nothing)
{
	DeviceAdapters result;
	Broker *broker = fixture.fake_host->service.broker;

	update(1, 0);
	/* A file in place of the folder; the tests may run as root, for whom no folder is shut. */
	cr_assert_eq(device_adapters_update(broker, "/proc/self/status", &result), -ENOTDIR);
	cr_assert_eq(count_adapters(), 2u);
}

/* A device whose folder cannot be opened is not one without a driver. */
Test(found_adapters, device_that_cannot_be_read_changes_nothing)
{
	char handle[64], folder[128], moved[128];

	update(1, 0);
	strcpy(handle, handle_at(1));
	snprintf(folder, sizeof(folder), "%s/devices/" CARD, tree.path);
	snprintf(moved, sizeof(moved), "%s/moved", tree.path);
	cr_assert_eq(rename(folder, moved), 0);
	tree_link(&tree, "devices/" CARD, "0000:00:02.0");
	cr_assert_eq(count_unreadable(), 1u);
	cr_assert_eq(count_adapters(), 2u);
	cr_assert_eq(remove(folder), 0);
	cr_assert_eq(rename(moved, folder), 0);
	update(0, 0);
	cr_assert_str_eq(handle_at(1), handle);
}
