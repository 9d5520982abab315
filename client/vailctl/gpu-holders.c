/* SPDX-License-Identifier: MIT */
/* The command that shows which VMs hold GPU devices. */
#include <string.h>

#include "client/common/json-members.h"
#include "client/common/user-message.h"
#include "client/vailctl/commands.h"
#include "client/vailctl/listing.h"
#include "client/vailctl/output.h"
#include "client/vailctl/report.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/macros.h"

static const TableColumn columns[] = {
	{ .name = "FUNCTION" },
	{ .name = "KIND", .drop = 2 },
	{ .name = "CLASS", .drop = 4 },
	{ .name = "PROFILE", .minimum = 8, .drop = 3 },
	{ .name = "VM", .minimum = 8 },
	{ .name = "VMM PID", .right = true },
	{ .name = "VM AGE", .right = true, .drop = 5 },
	{ .name = "GUID", .drop = 6 },
	{ .name = "DEVICE", .minimum = 12, .drop = 1 },
};

/* Returns what people call a class of PCI, or its number. */
static const char *class_text(const char *pci_class)
{
	static const struct {
		const char *prefix;
		const char *text;
	} classes[] = {
		{ "0x03", "display" }, { "0x12", "accelerator" }, { "0x02", "network" },
		{ "0x01", "storage" }, { "0x0403", "sound" },     { "0x0c03", "usb" },
	};

	for (size_t i = 0; pci_class && i < ARRAY_SIZE(classes); i++)
		if (strncmp(pci_class, classes[i].prefix, strlen(classes[i].prefix)) == 0)
			return classes[i].text;
	return pci_class;
}

static void add_gpu(Table *table, const JsonValue *holder, const JsonValue *gpu)
{
	const char *name = member_text(holder, "name");
	const char *guid = member_text(holder, "virtualMachineGuid");

	table_add(table, member_text(gpu, "function"));
	table_add(table, member_text(gpu, "kind"));
	table_add(table, class_text(member_text(gpu, "pciClass")));
	table_add(table, member_text(gpu, "profile"));
	table_add(table, name ? name : guid);
	table_add_number(table, holder, "vmmPid");
	table_add_age(table, holder, "since");
	table_add(table, guid);
	table_add(table, member_text(gpu, "device"));
}

static void add_holder(Table *table, const JsonValue *holder)
{
	const JsonValue *gpus = json_member(holder, "gpus");

	for (size_t i = 0; i < json_array_size(gpus); i++)
		add_gpu(table, holder, json_array_at(gpus, i));
}

/* Returns the number of VMMs that could not be examined, or not wholly. */
static size_t count_incomplete(const Listing *holders)
{
	size_t count = 0;

	for (size_t i = 0; i < holders->item_count; i++)
		count += !member_flag(holders->items[i], "complete");
	return count;
}

int command_gpu_holders(Tool *tool)
{
	_cleanup_(listing_deinit) Listing holders = { 0 };
	_cleanup_(table_deinit) Table table = TABLE_INIT(columns);
	NTSTATUS status = listing_fetch_of_machine(tool, "io.vaild.Gpu.ListHolders",
						   tool->arguments[0], "holders", &holders);

	if (status != STATUS_SUCCESS)
		return tool_refused(tool, status);
	if (options_have(&tool->options, OPTION_JSON))
		return report_listings_json(&holders, NULL);
	for (size_t i = 0; i < holders.item_count; i++)
		add_holder(&table, holders.items[i]);
	size_t incomplete = count_incomplete(&holders);
	if (incomplete > 0)
		log_message("%zu of %zu VMMs could not be examined completely, because they have "
			    "just ended or have very many files open; try again",
			    incomplete, holders.item_count);
	return report_table(tool, &table, "No VM holds a GPU device.");
}
