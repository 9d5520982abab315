/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/gpu-device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/guid.h"
#include "proto/macros.h"

#define PCI_CLASS_BRIDGE 0x06

/* --- texts ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Returns how many characters at the start of the text are of the kind. */
static size_t span(const char *text, bool (*is_of_kind)(char))
{
	size_t length = 0;

	while (is_of_kind(text[length]))
		length++;
	return length;
}

bool gpu_is_pci_address(const char *text)
{
	size_t domain = span(text, is_hex_digit);

	if (domain < 4 || domain > 8)
		return false;
	text += domain;
	return text[0] == ':' && span(text + 1, is_hex_digit) == 2 && text[3] == ':' &&
	       span(text + 4, is_hex_digit) == 2 && text[6] == '.' && text[7] >= '0' &&
	       text[7] <= '7' && text[8] == '\0';
}

/* Tests for the prefix and a decimal number behind it, and nothing else. */
static bool is_numbered(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(text, prefix, length) != 0)
		return false;
	size_t digits = span(text + length, is_digit);
	return digits > 0 && text[length + digits] == '\0';
}

bool gpu_is_virtio_device(const char *text)
{
	return is_numbered(text, "virtio");
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Cuts the last part off. Returns it, or NULL if there is no other part. */
static char *cut_last_part(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* Copies a text that fits and is printable and not empty. */
static bool copy_text(char *ret, size_t size, const char *text)
{
	if (*text == '\0' || strlen(text) >= size || !is_printable(text))
		return false;
	strcpy(ret, text);
	return true;
}

/* Copies an attribute without its newline. Leaves *ret empty if it is absent or does not fit. */
static bool copy_attribute(char *ret, size_t size, const char *text)
{
	size_t length = text ? strcspn(text, "\n") : 0;

	*ret = '\0';
	if (length == 0 || length >= size)
		return false;
	memcpy(ret, text, length);
	ret[length] = '\0';
	if (is_printable(ret))
		return true;
	*ret = '\0';
	return false;
}

/* Parses the whole attribute as a number in the base. Returns 0 for anything else. */
static unsigned long parse_number(const char *text, int base)
{
	char number[24], *end;

	if (!copy_attribute(number, sizeof(number), text) || !is_hex_digit(number[0]))
		return 0;
	unsigned long value = strtoul(number, &end, base);
	return *end == '\0' ? value : 0;
}

/*
 * Copies the part of a link's target behind "devices/". The kernel's links are relative: they begin
 * with "../" as often as needed.
 */
static bool path_from_link(const char *link, char ret_path[DEVICE_PATH_SIZE])
{
	static const char root[] = "devices/";

	if (!link)
		return false;
	while (strncmp(link, "../", 3) == 0)
		link += 3;
	if (strncmp(link, root, sizeof(root) - 1) != 0)
		return false;
	link += sizeof(root) - 1;
	return link[0] != '/' && !strstr(link, "//") && !strstr(link, "..") &&
	       copy_text(ret_path, DEVICE_PATH_SIZE, link);
}

/*
 * Stores the location of the device with this path: its PCI address or its path. A virtio device
 * has the location of the device that carries it, because its own number is just the next free one.
 */
static bool location_from_path(const char *path, char ret[DEVICE_LOCATION_SIZE], bool *ret_is_pci)
{
	char device[DEVICE_PATH_SIZE];

	strcpy(device, path);
	if (gpu_is_virtio_device(last_part(device)) && !cut_last_part(device))
		return false;
	*ret_is_pci = gpu_is_pci_address(last_part(device));
	return copy_text(ret, DEVICE_LOCATION_SIZE, *ret_is_pci ? last_part(device) : device);
}

/* --- adapters -------------------------------------------------------------------------------- */

bool gpu_node_parse(const char *name, const char *link, GpuNode *ret)
{
	GpuNode node;

	if (!is_numbered(name, "card") && !is_numbered(name, "renderD"))
		return false;
	if (!copy_text(node.name, sizeof(node.name), name) || !path_from_link(link, node.path))
		return false;
	const char *folder, *last = cut_last_part(node.path);
	if (!last || strcmp(last, name) != 0)
		return false;
	folder = cut_last_part(node.path);
	if (!folder || strcmp(folder, "drm") != 0)
		return false;
	if (!location_from_path(node.path, node.location, &node.is_pci))
		return false;
	*ret = node;
	return true;
}

static const struct {
	unsigned long vendor;
	const char *name;
} makers[] = {
	{ 0x8086, "Intel" },  { 0x1002, "AMD" },    { 0x10de, "NVIDIA" },
	{ 0x1af4, "virtio" }, { 0x15ad, "VMware" },
};

void gpu_device_describe(const GpuDeviceFacts *facts, AdapterDevice *device,
			 char ret_name[GPU_NAME_SIZE])
{
	unsigned long vendor = parse_number(facts->vendor, 16);
	/* The nodes of virtio-gpu belong to the PCI device, whose driver is only virtio-pci. */
	const char *driver = facts->virtio_driver ? facts->virtio_driver : facts->driver;
	const char *maker = NULL;

	copy_attribute(device->driver, sizeof(device->driver), driver ? last_part(driver) : NULL);
	device->virtual_functions = parse_number(facts->total_functions, 10);
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		if (makers[i].vendor == vendor)
			maker = makers[i].name;
	snprintf(ret_name, GPU_NAME_SIZE, "%s%sGPU %s", maker ? maker : "", maker ? " " : "",
		 device->location);
}

/* --- functions ------------------------------------------------------------------------------- */

/* Recognises a DRM node by its path. */
static bool parse_gpu_node(const char *path, GpuCharDevice *device)
{
	char link[DEVICE_PATH_SIZE + 16];
	GpuNode node;

	snprintf(link, sizeof(link), "devices/%s", path);
	if (!gpu_node_parse(last_part(path), link, &node))
		return false;
	device->kind = CHAR_DEVICE_GPU;
	strcpy(device->name, node.location);
	return true;
}

/* Recognises "virtual/vfio/12". */
static bool parse_vfio_group(const char *path, GpuCharDevice *device)
{
	static const char folder[] = "virtual/vfio/";

	if (!is_numbered(path, folder) ||
	    !copy_text(device->name, sizeof(device->name), path + sizeof(folder) - 1))
		return false;
	device->kind = CHAR_DEVICE_VFIO_GROUP;
	return true;
}

/* Recognises ".../0000:03:00.1/vfio-dev/vfio0". */
static bool parse_vfio_device(const char *path, GpuCharDevice *device)
{
	char rest[DEVICE_PATH_SIZE];

	strcpy(rest, path);
	const char *folder, *node = cut_last_part(rest);
	if (!node || !is_numbered(node, "vfio"))
		return false;
	folder = cut_last_part(rest);
	if (!folder || strcmp(folder, "vfio-dev") != 0 ||
	    !copy_text(device->name, sizeof(device->name), last_part(rest)))
		return false;
	device->kind = CHAR_DEVICE_VFIO_DEVICE;
	return true;
}

GpuCharDevice gpu_char_device_parse(const char *link)
{
	GpuCharDevice device = { .kind = CHAR_DEVICE_OTHER };
	char path[DEVICE_PATH_SIZE];

	if (path_from_link(link, path) && !parse_gpu_node(path, &device) &&
	    !parse_vfio_group(path, &device))
		parse_vfio_device(path, &device);
	return device;
}

/* Stores where the device above the mediated one is. */
static bool find_mdev_parent(const GpuFunctionFacts *facts, HeldGpu *held)
{
	char path[DEVICE_PATH_SIZE];
	bool is_pci;

	if (!path_from_link(facts->mdev_link, path))
		return false;
	const char *name = cut_last_part(path);
	return name && strcmp(name, facts->name) == 0 &&
	       location_from_path(path, held->parent, &is_pci);
}

/* Takes the profile of a virtual function from NVIDIA's attribute, whose value 0 means none. */
static void read_vgpu_type(const GpuFunctionFacts *facts, HeldGpu *held)
{
	unsigned long type = parse_number(facts->vgpu_type, 10);

	if (type > 0)
		snprintf(held->profile, sizeof(held->profile), "nvidia-%lu", type);
}

static bool classify_pci_function(const GpuFunctionFacts *facts, HeldGpu *held)
{
	const char *physical = facts->physfn ? last_part(facts->physfn) : NULL;

	if (held->pci_class == 0 || held->pci_class >> 16 == PCI_CLASS_BRIDGE)
		return false;
	held->kind = HELD_GPU_PASSTHROUGH;
	if (!physical || !gpu_is_pci_address(physical))
		return true;
	held->kind = HELD_GPU_VIRTUAL_FUNCTION;
	strcpy(held->parent, physical);
	read_vgpu_type(facts, held);
	return true;
}

bool gpu_function_classify(const GpuFunctionFacts *facts, HeldGpu *ret)
{
	HeldGpu held = { .pci_class = (uint32_t)parse_number(facts->pci_class, 16) & 0xffffff };
	bool is_pci = gpu_is_pci_address(facts->name);
	Guid uuid;

	if (!copy_text(held.function, sizeof(held.function), facts->name))
		return false;
	if (is_pci && !classify_pci_function(facts, &held))
		return false;
	if (!is_pci) {
		if (!guid_parse(facts->name, &uuid) || !find_mdev_parent(facts, &held))
			return false;
		held.kind = HELD_GPU_MDEV;
		copy_attribute(held.profile, sizeof(held.profile),
			       facts->mdev_type ? last_part(facts->mdev_type) : NULL);
	}
	*ret = held;
	return true;
}
