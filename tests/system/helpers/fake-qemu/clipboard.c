/* SPDX-License-Identifier: MIT */
/*
 * The clipboard of QEMU's display (org.qemu.Display1.Clipboard), with a played agent in the guest.
 */
#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define PATH      "/org/qemu/Display1/Clipboard"
#define INTERFACE "org.qemu.Display1.Clipboard"
#define FAILED    "org.qemu.Display1.Error.Failed"
#define MIME      "text/plain;charset=utf-8"

/* ---- Calls of the client ---- */

static sd_bus_message *client_call(QemuClipboard *clipboard, const char *method)
{
	sd_bus_message *call;

	qemu_check(sd_bus_message_new_method_call(clipboard->bus, &call, NULL, PATH, INTERFACE,
						  method),
		   method);
	return call;
}

static void send_call(QemuClipboard *clipboard, sd_bus_message *call)
{
	qemu_check(sd_bus_message_set_expect_reply(call, 0), "expect_reply");
	sd_bus_send(clipboard->bus, call, NULL);
	sd_bus_message_unref(call);
}

void qemu_clipboard_copy(QemuClipboard *clipboard, const char *text)
{
	sd_bus_message *call;

	free(clipboard->text);
	clipboard->text = strdup(text);
	clipboard->is_clients = false;
	clipboard->serial++;
	if (!clipboard->is_registered)
		return;
	call = client_call(clipboard, "Grab");
	qemu_check(sd_bus_message_append(call, "uuas", 0, clipboard->serial, 1, MIME), "Grab");
	send_call(clipboard, call);
}

static void tell_release(QemuClipboard *clipboard)
{
	sd_bus_message *call = client_call(clipboard, "Release");

	qemu_check(sd_bus_message_append(call, "u", 0), "Release");
	send_call(clipboard, call);
}

void qemu_clipboard_release(QemuClipboard *clipboard)
{
	free(clipboard->text);
	clipboard->text = NULL;
	tell_release(clipboard);
}

void qemu_clipboard_reset(QemuClipboard *clipboard)
{
	clipboard->serial = 0;
	send_call(clipboard, client_call(clipboard, "Register"));
}

static int on_pasted(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;
	const char *mime;
	const void *bytes;
	size_t size;

	(void)error;
	clipboard->is_pasting = false;
	snprintf(clipboard->pasted, sizeof(clipboard->pasted), "nothing");
	if (sd_bus_message_is_method_error(reply, NULL))
		return 0;
	qemu_check(sd_bus_message_read(reply, "s", &mime), "Request");
	qemu_check(sd_bus_message_read_array(reply, 'y', &bytes, &size), "Request");
	if (size < sizeof(clipboard->pasted))
		snprintf(clipboard->pasted, sizeof(clipboard->pasted), "%.*s", (int)size,
			 (const char *)bytes);
	else
		snprintf(clipboard->pasted, sizeof(clipboard->pasted), "%zu bytes", size);
	return 0;
}

void qemu_clipboard_paste(QemuClipboard *clipboard)
{
	sd_bus_message *call;

	if (!clipboard->is_registered || !clipboard->is_clients) {
		snprintf(clipboard->pasted, sizeof(clipboard->pasted), "nothing");
		return;
	}
	call = client_call(clipboard, "Request");
	qemu_check(sd_bus_message_append(call, "uas", 0, 1, MIME), "Request");
	/* A client that has gone has no text. */
	clipboard->is_pasting = sd_bus_call_async(clipboard->bus, NULL, call, on_pasted, clipboard,
						  UINT64_MAX) >= 0;
	if (!clipboard->is_pasting)
		snprintf(clipboard->pasted, sizeof(clipboard->pasted), "nothing");
	sd_bus_message_unref(call);
}

/* ---- Calls by the client ---- */

static int fail(sd_bus_error *error, const char *reason)
{
	return sd_bus_error_set(error, FAILED, reason);
}

/* QEMU replies when it has the properties of the client's object. */
static int on_properties(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	sd_bus_message *registration = context;

	(void)error;
	if (sd_bus_message_is_method_error(reply, NULL))
		sd_bus_reply_method_errorf(registration, FAILED, "Failed to setup proxy");
	else
		sd_bus_reply_method_return(registration, "");
	sd_bus_message_unref(registration);
	return 0;
}

static int on_register(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;

	if (clipboard->is_registered)
		return fail(error, "Clipboard peer already registered!");
	clipboard->is_registered = true;
	clipboard->serial = 0;
	qemu_check(sd_bus_call_method_async(
			   clipboard->bus, NULL, NULL, PATH, "org.freedesktop.DBus.Properties",
			   "GetAll", on_properties, sd_bus_message_ref(message), "s", INTERFACE),
		   "GetAll");
	return 1;
}

static int on_unregister(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;

	if (!clipboard->is_registered)
		return fail(error, "Unregistered caller");
	clipboard->is_registered = false;
	return sd_bus_reply_method_return(message, "");
}

static int on_grab(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;
	uint32_t selection, serial;

	qemu_check(sd_bus_message_read(message, "uu", &selection, &serial), "Grab");
	if (!clipboard->is_registered || selection > 2)
		return fail(error, "Unregistered caller");
	clipboard->grabs++;
	if (serial >= clipboard->serial) {
		clipboard->serial = serial;
		clipboard->is_clients = true;
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;

	if (!clipboard->is_registered)
		return fail(error, "Unregistered caller");
	clipboard->releases++;
	if (clipboard->is_clients)
		tell_release(clipboard);
	clipboard->is_clients = false;
	return sd_bus_reply_method_return(message, "");
}

static int on_request(sd_bus_message *message, void *context, sd_bus_error *error)
{
	QemuClipboard *clipboard = context;
	sd_bus_message *reply;

	if (!clipboard->is_registered || clipboard->is_clients || !clipboard->text)
		return fail(error, "Empty clipboard");
	qemu_check(sd_bus_message_new_method_return(message, &reply), "Request");
	qemu_check(sd_bus_message_append(reply, "s", MIME), "Request");
	qemu_check(
		sd_bus_message_append_array(reply, 'y', clipboard->text, strlen(clipboard->text)),
		"Request");
	int result = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return result;
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Register", "", "", on_register, 0),
	SD_BUS_METHOD("Unregister", "", "", on_unregister, 0),
	SD_BUS_METHOD("Grab", "uuas", "", on_grab, 0),
	SD_BUS_METHOD("Release", "u", "", on_release, 0),
	SD_BUS_METHOD("Request", "uas", "say", on_request, 0),
	SD_BUS_VTABLE_END,
};

void qemu_clipboard_join(QemuDisplay *display)
{
	display->clipboard.bus = display->bus;
	qemu_check(sd_bus_add_object_vtable(display->bus, NULL, PATH, INTERFACE, methods,
					    &display->clipboard),
		   "Clipboard");
}
