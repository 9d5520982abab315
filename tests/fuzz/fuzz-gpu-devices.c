/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the recognition of GPU devices and functions by the texts in /sys. An input is a list of
 * texts that end in a NUL. The first byte selects what is recognised.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/discovery/gpu-inventory.h"
#include "proto/macros.h"
#include "tests/fuzz/common/fuzz-input.h"

/* Takes the next text. Returns NULL, for an absent one, if it is empty. The caller frees it. */
static char *take_text(Input *input)
{
	Input text = input_until(input, '\0');

	return text.size > 0 ? input_text(text) : NULL;
}

/* The texts go to terminals and into messages. */
static void must_be_printable(const char *text)
{
	for (; *text != '\0'; text++)
		fuzz_must(*text > ' ' && *text <= '~');
}

static void must_be_location(const char *location, bool is_pci)
{
	must_be_printable(location);
	fuzz_must(location[0] != '\0' && location[0] != '/' && !strstr(location, ".."));
	fuzz_must(!is_pci || gpu_is_pci_address(location));
}

/* --- adapters -------------------------------------------------------------------------------- */

static void check_gpu(FoundGpu *gpu, const GpuDeviceFacts *facts)
{
	fuzz_must(gpu->device.node_count > 0 && gpu->device.node_count <= DEVICE_NODES_MAX);
	must_be_location(gpu->device.location, gpu->device.is_pci);
	gpu_device_describe(facts, &gpu->device, gpu->name);
	must_be_printable(gpu->device.driver);
	fuzz_must(strstr(gpu->name, gpu->device.location));
}

static void check_inventory(GpuInventory *inventory, const GpuDeviceFacts *facts)
{
	gpu_inventory_finish(inventory);
	for (size_t i = 0; i < inventory->count; i++) {
		FoundGpu *gpu = &inventory->items[i];

		check_gpu(gpu, facts);
		fuzz_must(gpu_inventory_find(inventory, gpu->device.location) == gpu);
	}
}

/* The facts about a device, then pairs of the name and the link of a node. */
static void read_adapters(Input input)
{
	char *driver = take_text(&input), *vendor = take_text(&input);
	char *functions = take_text(&input), *virtio_driver = take_text(&input);
	const GpuDeviceFacts facts = { driver, virtio_driver, vendor, functions };
	GpuInventory inventory = GPU_INVENTORY_INIT;

	while (input.size > 0) {
		char *name = take_text(&input), *link = take_text(&input);
		GpuNode node;

		if (name && gpu_node_parse(name, link, &node)) {
			fuzz_must(strcmp(node.name, name) == 0 && strstr(link, node.path));
			must_be_location(node.location, node.is_pci);
			fuzz_must(gpu_inventory_add(&inventory, &node));
		}
		free(name);
		free(link);
	}
	check_inventory(&inventory, &facts);
	gpu_inventory_deinit(&inventory);
	free(driver);
	free(vendor);
	free(functions);
	free(virtio_driver);
}

/* --- functions ------------------------------------------------------------------------------- */

static void read_char_device(Input input)
{
	char *link = take_text(&input);
	GpuCharDevice device = gpu_char_device_parse(link);

	must_be_printable(device.name);
	fuzz_must((device.name[0] == '\0') == (device.kind == CHAR_DEVICE_OTHER));
	/* It becomes a part of a path. */
	fuzz_must(device.kind == CHAR_DEVICE_GPU || !strchr(device.name, '/'));
	free(link);
}

static void check_held(const HeldGpu *held)
{
	fuzz_must(held->kind < HELD_GPU_KIND_MAX && held->pci_class <= 0xffffff);
	must_be_printable(held->function);
	must_be_printable(held->parent);
	must_be_printable(held->profile);
	fuzz_must(held->function[0] != '\0');
	fuzz_must((held->kind == HELD_GPU_PASSTHROUGH) == (held->parent[0] == '\0'));
	fuzz_must(held->kind == HELD_GPU_MDEV || gpu_is_pci_address(held->function));
	fuzz_must(held->kind == HELD_GPU_MDEV || held->pci_class != 0);
}

static void read_function(Input input)
{
	char *texts[6];
	HeldGpu held;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		texts[i] = take_text(&input);
	const GpuFunctionFacts facts = {
		texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]
	};
	if (facts.name && gpu_function_classify(&facts, &held))
		check_held(&held);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };

	switch (input_byte(&input)) {
	case 'a':
		read_adapters(input);
		break;
	case 'c':
		read_char_device(input);
		break;
	case 'f':
		read_function(input);
		break;
	default:
		break;
	}
	return 0;
}
