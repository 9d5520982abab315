/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-console.h"

#include <errno.h>
#include <string.h>

#include "client/common/display-names.h"
#include "client/vail-qemu/channel-rights.h"

/* ---- Properties ---- */

/* The size of the screen that is shown, or else what QEMU says. */
static uint32_t width_of(const DisplayConsole *console)
{
	const Surface *screen = buffers_surface(&console->console.screen);

	return surface_is_shown(screen) ? screen->object.width : console->properties.width;
}

static uint32_t height_of(const DisplayConsole *console)
{
	const Surface *screen = buffers_surface(&console->console.screen);

	return surface_is_shown(screen) ? screen->object.height : console->properties.height;
}

CHANNEL_GETTER(get_text)
{
	const ConsoleProperties *properties =
		&((const ChannelConsole *)context)->console->properties;

	(void)bus, (void)path, (void)interface, (void)error;
	if (strcmp(property, "Label") == 0)
		return sd_bus_message_append(reply, "s", properties->label);
	return sd_bus_message_append(
		reply, "s", strcmp(property, "Type") == 0 ? "Graphic" : properties->device);
}

CHANNEL_GETTER(get_number)
{
	const DisplayConsole *console = ((const ChannelConsole *)context)->console;

	(void)bus, (void)path, (void)interface, (void)error;
	if (strcmp(property, "Head") == 0)
		return sd_bus_message_append(reply, "u", console->properties.head);
	return sd_bus_message_append(reply, "u",
				     strcmp(property, "Width") == 0 ? width_of(console)
								    : height_of(console));
}

CHANNEL_GETTER(get_interfaces)
{
	const ChannelConsole *console = context;
	unsigned int rights = console->channel->rights;

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	if (!channel_has_interface(rights, DISPLAY_KEYBOARD))
		return sd_bus_message_append(reply, "as", 0);
	if (!console->console->properties.has_multitouch)
		return sd_bus_message_append(reply, "as", 2, DISPLAY_KEYBOARD, DISPLAY_MOUSE);
	return sd_bus_message_append(reply, "as", 3, DISPLAY_KEYBOARD, DISPLAY_MOUSE,
				     DISPLAY_MULTITOUCH);
}

static int tell(ChannelConsole *console, const char *interface, const char *property)
{
	return sd_bus_emit_properties_changed(console->channel->bus.bus, console->console->path,
					      interface, property, NULL);
}

int channel_console_tell_changes(ChannelConsole *told)
{
	const DisplayConsole *console = told->console;
	const ConsoleProperties *properties = &console->properties;
	bool has_input = channel_has_interface(told->channel->rights, DISPLAY_MOUSE);
	int result = 0;

	if (told->width != width_of(console))
		result = tell(told, DISPLAY_CONSOLE, "Width");
	if (result >= 0 && told->height != height_of(console))
		result = tell(told, DISPLAY_CONSOLE, "Height");
	if (result >= 0 && has_input && told->modifiers != properties->modifiers)
		result = tell(told, DISPLAY_KEYBOARD, "Modifiers");
	if (result >= 0 && has_input && told->is_absolute != properties->is_absolute)
		result = tell(told, DISPLAY_MOUSE, "IsAbsolute");
	told->width = width_of(console);
	told->height = height_of(console);
	told->modifiers = properties->modifiers;
	told->is_absolute = properties->is_absolute;
	return result;
}

/* ---- Methods ---- */

/* A viewer that registers again after the end of its listener may be faster than that end. */
static void drop_lost_viewer(ChannelConsole *console, int64_t now)
{
	if (!console->viewer)
		return;
	channel_viewer_process(console->viewer, now);
	if (!console->viewer->is_lost)
		return;
	channel_viewer_free(console->viewer);
	console->viewer = NULL;
}

static int on_register(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelConsole *console = context;
	int64_t now = console->channel->display->link.clock->now();

	drop_lost_viewer(console, now);
	if (console->viewer)
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
					"this channel has a listener on the console");
	int fd = channel_bus_read_socket(message, error);
	if (fd < 0)
		return fd;
	console->viewer = channel_viewer_new(fd, &console->console->console, now);
	if (!console->viewer)
		return -ENOMEM;
	channel_bus_join(&console->viewer->bus, &console->channel->bus);
	return sd_bus_reply_method_return(message, "");
}

static int on_set_ui_info(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return channel_input_set_ui_info(message, &((ChannelConsole *)context)->input, error);
}

/* ---- The object ---- */

#define CONSTANT(name, type, getter) \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_CONST)

#define CHANGING(name, getter) \
	SD_BUS_PROPERTY(name, "u", getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

#define VIEW_OF_CONSOLE                                                                      \
	SD_BUS_METHOD("RegisterListener", "h", "", on_register, SD_BUS_VTABLE_UNPRIVILEGED), \
		CONSTANT("Label", "s", get_text), CONSTANT("Head", "u", get_number),         \
		CONSTANT("Type", "s", get_text), CONSTANT("DeviceAddress", "s", get_text),   \
		CONSTANT("Interfaces", "as", get_interfaces), CHANGING("Width", get_number), \
		CHANGING("Height", get_number)

static const sd_bus_vtable viewed_console[] = {
	SD_BUS_VTABLE_START(0),
	VIEW_OF_CONSOLE,
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable used_console[] = {
	SD_BUS_VTABLE_START(0),
	VIEW_OF_CONSOLE,
	SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", on_set_ui_info, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

int channel_console_serve(Channel *channel, size_t i)
{
	const DisplayConsole *console = &channel->display->consoles[i];
	ChannelConsole *served = &channel->consoles[i];
	bool has_input = channel_has_interface(channel->rights, DISPLAY_KEYBOARD);

	*served = (ChannelConsole){ .channel = channel,
				    .console = console,
				    .input = { .display = channel->display,
					       .console = console,
					       .clipboard = &channel->clipboard },
				    .width = width_of(console),
				    .height = height_of(console),
				    .modifiers = console->properties.modifiers,
				    .is_absolute = console->properties.is_absolute };
	int result =
		sd_bus_add_object_vtable(channel->bus.bus, NULL, console->path, DISPLAY_CONSOLE,
					 has_input ? used_console : viewed_console, served);
	return result < 0 || !has_input ? result
					: channel_input_serve(channel->bus.bus, &served->input);
}
