/* SPDX-License-Identifier: MIT */
/* The keyboard and the mouse of a console, which note what the client sends. */
#include <stdarg.h>

#include "proto/macros.h"
#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define PREFIX "org.qemu.Display1"

_printf_(2, 3) static void note(QemuConsole *console, const char *format, ...)
{
	size_t length = strlen(console->heard);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(console->heard + length, sizeof(console->heard) - length, format, arguments);
	va_end(arguments);
}

/* Notes a call with one number, as the name of the method and the number. */
static int on_number(sd_bus_message *call, void *context, sd_bus_error *error)
{
	const char *interface = sd_bus_message_get_interface(call);
	uint32_t number;

	(void)error;
	qemu_check(sd_bus_message_read(call, "u", &number), "a number");
	note(context, "%c%s%u ", *sd_bus_message_get_member(call) == 'P' ? '+' : '-',
	     strcmp(interface, PREFIX ".Mouse") == 0 ? "b" : "", number);
	return sd_bus_reply_method_return(call, "");
}

static int on_position(sd_bus_message *call, void *context, sd_bus_error *error)
{
	uint32_t x, y;

	(void)error;
	qemu_check(sd_bus_message_read(call, "uu", &x, &y), "a position");
	note(context, "at%u,%u ", x, y);
	return sd_bus_reply_method_return(call, "");
}

static int on_motion(sd_bus_message *call, void *context, sd_bus_error *error)
{
	QemuConsole *console = context;
	int32_t x, y;

	(void)error;
	qemu_check(sd_bus_message_read(call, "ii", &x, &y), "a motion");
	console->moved_x += x;
	console->moved_y += y;
	return sd_bus_reply_method_return(call, "");
}

int qemu_on_set_ui_info(sd_bus_message *call, void *context, sd_bus_error *error)
{
	uint16_t width_mm, height_mm;
	int32_t x, y;
	uint32_t width, height;

	(void)error;
	qemu_check(
		sd_bus_message_read(call, "qqiiuu", &width_mm, &height_mm, &x, &y, &width, &height),
		"SetUIInfo");
	note(context, "size%ux%u ", width, height);
	return sd_bus_reply_method_return(call, "");
}

static int get_zero(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *context, sd_bus_error *error)
{
	(void)bus, (void)path, (void)interface, (void)property, (void)context, (void)error;
	return sd_bus_message_append(reply, "u", 0);
}

static const sd_bus_vtable keyboard_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Press", "u", "", on_number, 0),
	SD_BUS_METHOD("Release", "u", "", on_number, 0),
	SD_BUS_PROPERTY("Modifiers", "u", get_zero, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable mouse_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Press", "u", "", on_number, 0),
	SD_BUS_METHOD("Release", "u", "", on_number, 0),
	SD_BUS_METHOD("SetAbsPosition", "uu", "", on_position, 0),
	SD_BUS_METHOD("RelMotion", "ii", "", on_motion, 0),
	SD_BUS_PROPERTY("IsAbsolute", "b", NULL, offsetof(QemuConsole, is_absolute),
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

void qemu_input_serve(sd_bus *bus, QemuConsole *console, const char *path)
{
	qemu_check(sd_bus_add_object_vtable(bus, NULL, path, PREFIX ".Keyboard", keyboard_methods,
					    console),
		   path);
	qemu_check(
		sd_bus_add_object_vtable(bus, NULL, path, PREFIX ".Mouse", mouse_methods, console),
		path);
}

void qemu_input_set_absolute(sd_bus *bus, QemuConsole *console, const char *path, bool is_absolute)
{
	console->is_absolute = is_absolute;
	if (bus)
		sd_bus_emit_properties_changed(bus, path, PREFIX ".Mouse", "IsAbsolute", NULL);
}
