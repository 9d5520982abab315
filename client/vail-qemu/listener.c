/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/listener.h"

#include "client/vail-qemu/pixman-format.h"

#define PATH            "/org/qemu/Display1/Listener"
#define INTERFACE       "org.qemu.Display1.Listener"
#define MAP             INTERFACE ".Unix.Map" /* used by QEMU if Interfaces has it */
#define FORMAT_A8R8G8B8 0x20028888u

/* ---- Screen in QEMU's memory ---- */

static int on_scanout_map(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SharedPixels pixels = { 0 };
	uint32_t format;

	(void)error;
	int result = sd_bus_message_read(message, "huuuuu", &pixels.fd, &pixels.offset,
					 &pixels.width, &pixels.height, &pixels.stride, &format);
	if (result < 0)
		return result;
	pixels.format = pixman_format_to_drm(format);
	console_show_memory(context, &pixels);
	return sd_bus_reply_method_return(message, "");
}

static int on_scanout_dmabuf(sd_bus_message *message, void *context, sd_bus_error *error)
{
	SharedPixels pixels = { 0 };
	int y0_top; /* the name in QEMU's interface: true if memory begins with the bottom row */

	(void)error;
	int result =
		sd_bus_message_read(message, "huuuutb", &pixels.fd, &pixels.width, &pixels.height,
				    &pixels.stride, &pixels.format, &pixels.modifier, &y0_top);
	if (result < 0)
		return result;
	pixels.is_bottom_up = y0_top;
	console_show_dmabuf(context, &pixels);
	return sd_bus_reply_method_return(message, "");
}

static int on_update(sd_bus_message *message, void *context, sd_bus_error *error)
{
	int32_t rectangle[4];

	(void)error;
	int result = sd_bus_message_read(message, "iiii", &rectangle[0], &rectangle[1],
					 &rectangle[2], &rectangle[3]);
	if (result < 0)
		return result;
	console_redraw(context, rectangle);
	return sd_bus_reply_method_return(message, "");
}

/* ---- Screen passed as bytes ---- */

static int read_bytes(sd_bus_message *message, Pixels *pixels)
{
	const void *data;
	int result = sd_bus_message_read_array(message, 'y', &data, &pixels->size);

	pixels->data = data;
	return result;
}

static int on_scanout(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Pixels pixels = { 0 };

	(void)error;
	int result = sd_bus_message_read(message, "uuuu", &pixels.width, &pixels.height,
					 &pixels.stride, &pixels.format);
	if (result >= 0)
		result = read_bytes(message, &pixels);
	if (result < 0)
		return result;
	console_show_pixels(context, &pixels);
	return sd_bus_reply_method_return(message, "");
}

static int on_update_bytes(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Pixels pixels = { 0 };
	int32_t x, y, width, height;

	(void)error;
	int result = sd_bus_message_read(message, "iiiiuu", &x, &y, &width, &height, &pixels.stride,
					 &pixels.format);
	if (result >= 0)
		result = read_bytes(message, &pixels);
	if (result < 0)
		return result;
	if (width > 0 && height > 0) {
		pixels.width = (uint32_t)width;
		pixels.height = (uint32_t)height;
		console_copy_pixels(context, x, y, &pixels);
	}
	return sd_bus_reply_method_return(message, "");
}

/* ---- Other calls ---- */

static int on_disable(sd_bus_message *message, void *context, sd_bus_error *error)
{
	(void)error;
	console_disable(context);
	return sd_bus_reply_method_return(message, "");
}

static int on_mouse_set(sd_bus_message *message, void *context, sd_bus_error *error)
{
	int32_t x, y, is_visible;

	(void)error;
	int result = sd_bus_message_read(message, "iii", &x, &y, &is_visible);
	if (result < 0)
		return result;
	console_move_cursor(context, x, y, is_visible != 0);
	return sd_bus_reply_method_return(message, "");
}

static int on_cursor_define(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Pixels pixels = { .format = FORMAT_A8R8G8B8 };
	int32_t width, height, hot_x, hot_y;

	(void)error;
	int result = sd_bus_message_read(message, "iiii", &width, &height, &hot_x, &hot_y);
	if (result >= 0)
		result = read_bytes(message, &pixels);
	if (result < 0)
		return result;
	if (width > 0 && height > 0) {
		pixels.width = (uint32_t)width;
		pixels.height = (uint32_t)height;
		pixels.stride = 4 * pixels.width;
		console_define_cursor(context, hot_x, hot_y, &pixels);
	}
	return sd_bus_reply_method_return(message, "");
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *context,
			  sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)context;
	(void)error;
	return sd_bus_message_append(reply, "as", 1, MAP);
}

#define METHOD(name, arguments, handler) \
	SD_BUS_METHOD(name, arguments, "", handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable listener_methods[] = {
	SD_BUS_VTABLE_START(0),
	METHOD("Scanout", "uuuuay", on_scanout),
	METHOD("Update", "iiiiuuay", on_update_bytes),
	METHOD("ScanoutDMABUF", "huuuutb", on_scanout_dmabuf),
	METHOD("UpdateDMABUF", "iiii", on_update),
	METHOD("Disable", "", on_disable),
	METHOD("MouseSet", "iii", on_mouse_set),
	METHOD("CursorDefine", "iiiiay", on_cursor_define),
	SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable map_methods[] = {
	SD_BUS_VTABLE_START(0),
	METHOD("ScanoutMap", "huuuuu", on_scanout_map),
	METHOD("UpdateMap", "iiii", on_update),
	SD_BUS_VTABLE_END,
};

int listener_serve(sd_bus *bus, Console *console)
{
	int result =
		sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, listener_methods, console);

	return result < 0 ? result
			  : sd_bus_add_object_vtable(bus, NULL, PATH, MAP, map_methods, console);
}
