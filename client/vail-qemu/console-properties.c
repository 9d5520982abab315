/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/console-properties.h"

#include <stdio.h>
#include <string.h>

static int read_text(sd_bus_message *message, char *ret, size_t size)
{
	const char *text;
	int result = sd_bus_message_read(message, "v", "s", &text);

	/* A part of a text may not be valid UTF-8. */
	if (result >= 0 && strlen(text) < size)
		snprintf(ret, size, "%s", text);
	return result;
}

static int read_flag(sd_bus_message *message, bool *ret)
{
	int flag;
	int result = sd_bus_message_read(message, "v", "b", &flag);

	if (result >= 0)
		*ret = flag;
	return result;
}

static int read_size(ConsoleProperties *properties, sd_bus_message *message, uint32_t *ret)
{
	properties->has_size = true;
	return sd_bus_message_read(message, "v", "u", ret);
}

static int read_value(ConsoleProperties *properties, const char *name, sd_bus_message *message)
{
	if (strcmp(name, "Label") == 0)
		return read_text(message, properties->label, sizeof(properties->label));
	if (strcmp(name, "DeviceAddress") == 0)
		return read_text(message, properties->device, sizeof(properties->device));
	if (strcmp(name, "Head") == 0)
		return sd_bus_message_read(message, "v", "u", &properties->head);
	if (strcmp(name, "Width") == 0)
		return read_size(properties, message, &properties->width);
	if (strcmp(name, "Height") == 0)
		return read_size(properties, message, &properties->height);
	if (strcmp(name, "Modifiers") == 0)
		return sd_bus_message_read(message, "v", "u", &properties->modifiers);
	if (strcmp(name, "IsAbsolute") == 0)
		return read_flag(message, &properties->is_absolute);
	if (strcmp(name, "MaxSlots") == 0)
		return sd_bus_message_read(message, "v", "i", &properties->max_slots);
	return sd_bus_message_skip(message, "v");
}

int properties_read(ConsoleProperties *properties, sd_bus_message *message)
{
	const char *name;
	int result = sd_bus_message_enter_container(message, 'a', "{sv}");

	properties->has_size = false;
	while (result >= 0 && (result = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		result = sd_bus_message_read(message, "s", &name);
		if (result >= 0)
			result = read_value(properties, name, message);
		if (result >= 0)
			result = sd_bus_message_exit_container(message);
	}
	return result;
}
