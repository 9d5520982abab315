/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-clipboard.h"

#include "client/common/channel-bus.h"
#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/vail-qemu/clipboard.h"
#include "proto/macros.h"

_Static_assert(CLIPBOARD_TEXT_MAX + 1024 <= CHANNEL_MESSAGE_MAX,
	       "the message of a viewer has a text and a header");

/* The time that a viewer has to send its text, in microseconds. */
#define TEXT_LIMIT 10000000u

static int refuse(sd_bus_error *error, const char *reason)
{
	return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, reason);
}

/* ---- Calls of the viewer, without a reply ---- */

static int begin_call(const ChannelClipboard *viewer, const char *member, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(viewer->bus, ret, NULL, DISPLAY_CLIPBOARD_PATH,
					      DISPLAY_CLIPBOARD, member);
}

/* Sends a call if it was made. The end of the connection shows elsewhere. */
static void send_call(const ChannelClipboard *viewer, sd_bus_message *call, int result)
{
	if (result >= 0 && sd_bus_message_set_expect_reply(call, 0) >= 0)
		sd_bus_send(viewer->bus, call, NULL);
}

static void send_grab(const ChannelClipboard *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, "Grab", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uuas", CLIPBOARD_SELECTION, viewer->serial, 1,
					       CLIPBOARD_MIME);
	send_call(viewer, call, result);
}

static void send_release(const ChannelClipboard *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, "Release", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "u", CLIPBOARD_SELECTION);
	send_call(viewer, call, result);
}

static void send_reset(const ChannelClipboard *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, "Register", &call);

	send_call(viewer, call, result);
}

/* Tests whether calls wait for the viewer to read. */
static bool is_stuck(const ChannelClipboard *viewer)
{
	uint64_t count;

	return sd_bus_get_n_queued_write(viewer->bus, &count) >= 0 && count > 0;
}

void channel_clipboard_process(ChannelClipboard *viewer)
{
	if (viewer->owes_reset && !is_stuck(viewer)) {
		viewer->owes_reset = false;
		send_reset(viewer);
	}
	if (!viewer->owes_text || is_stuck(viewer))
		return;
	viewer->owes_text = false;
	if (clipboard_has_text_for(viewer->clipboard, viewer))
		send_grab(viewer);
	else
		send_release(viewer);
}

void channel_clipboard_tell_grab(ChannelClipboard *viewer)
{
	viewer->fetch = sd_bus_slot_unref(viewer->fetch);
	clipboard_text_deinit(&viewer->text);
	viewer->serial++;
	viewer->owes_text = true;
	channel_clipboard_process(viewer);
}

void channel_clipboard_tell_release(ChannelClipboard *viewer)
{
	viewer->owes_text = true;
	channel_clipboard_process(viewer);
}

void channel_clipboard_tell_reset(ChannelClipboard *viewer)
{
	viewer->serial = 0;
	viewer->owes_reset = true;
	channel_clipboard_process(viewer);
}

/* ---- The viewer's text ---- */

static int on_text(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;

	(void)error;
	viewer->fetch = sd_bus_slot_unref(viewer->fetch);
	clipboard_text_read(&viewer->text, reply);
	clipboard_offer(viewer->clipboard, viewer);
	return 0;
}

/* Asks the viewer for its text, in place of an earlier question. */
static int fetch_text(ChannelClipboard *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, "Request", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uas", CLIPBOARD_SELECTION, 1, CLIPBOARD_MIME);
	return result < 0 ? result
			  : sd_bus_call_async(viewer->bus, &viewer->fetch, call, on_text, viewer,
					      TEXT_LIMIT);
}

/* The viewer has no text any more. */
static void drop_text(ChannelClipboard *viewer)
{
	viewer->fetch = sd_bus_slot_unref(viewer->fetch);
	clipboard_text_deinit(&viewer->text);
}

/* ---- Methods ---- */

static void forget_request(ChannelClipboard *viewer)
{
	viewer->answer = sd_bus_slot_unref(viewer->answer);
	viewer->request = sd_bus_message_unref(viewer->request);
}

static void unregister(ChannelClipboard *viewer)
{
	forget_request(viewer);
	drop_text(viewer);
	if (viewer->is_registered)
		clipboard_remove(viewer->clipboard, viewer);
	viewer->is_registered = viewer->owes_reset = viewer->owes_text = false;
}

static int on_register(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;

	if (viewer->is_registered)
		return refuse(error, "this channel has registered for the clipboard");
	int result = sd_bus_reply_method_return(message, "");
	if (result < 0)
		return result;
	viewer->is_registered = true;
	viewer->serial = 0;
	clipboard_add(viewer->clipboard, viewer);
	return result;
}

static int on_unregister(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;

	if (!viewer->is_registered)
		return refuse(error, "this channel has not registered for the clipboard");
	unregister(viewer);
	return sd_bus_reply_method_return(message, "");
}

/* Reads the selection, and checks that the viewer may speak of it. */
static int read_selection(const ChannelClipboard *viewer, sd_bus_message *message,
			  sd_bus_error *error)
{
	uint32_t selection;
	int result = sd_bus_message_read(message, "u", &selection);

	if (result < 0)
		return result;
	if (!viewer->is_registered)
		return refuse(error, "call Register before you use the clipboard");
	if (selection != CLIPBOARD_SELECTION)
		return refuse(error, "only selection 0, the clipboard itself, is shared");
	return 0;
}

static int on_grab(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;
	uint32_t serial;
	bool has_text = false;
	int result = read_selection(viewer, message, error);

	if (result >= 0)
		result = sd_bus_message_read(message, "u", &serial);
	if (result >= 0)
		result = clipboard_mimes_read(message, &has_text);
	if (result < 0)
		return result;
	/* The guest's grab has overtaken this one. */
	if (serial < viewer->serial)
		return sd_bus_reply_method_return(message, "");
	viewer->serial = serial;
	viewer->owes_text = false; /* it has a text of its own now */
	drop_text(viewer);
	if (has_text)
		result = fetch_text(viewer);
	else
		clipboard_offer(viewer->clipboard, viewer);
	return result < 0 ? result : sd_bus_reply_method_return(message, "");
}

static int on_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;
	int result = read_selection(viewer, message, error);

	if (result < 0)
		return result;
	drop_text(viewer);
	clipboard_offer(viewer->clipboard, viewer);
	return sd_bus_reply_method_return(message, "");
}

/* Passes QEMU's reply on, unless another viewer has got the clipboard meanwhile. */
static int on_answer(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;
	ClipboardText text = { 0 };
	int result;

	(void)error;
	if (clipboard_text_read(&text, reply) && clipboard_has_text_for(viewer->clipboard, viewer))
		result = clipboard_text_reply(&text, viewer->request);
	else
		result = sd_bus_reply_method_errorf(viewer->request, SD_BUS_ERROR_FAILED,
						    "the guest gives no text, or one that is too "
						    "long");
	clipboard_text_deinit(&text);
	forget_request(viewer);
	return result < 0 ? result : 0;
}

static int on_request(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelClipboard *viewer = context;
	bool has_text = false;
	int result = read_selection(viewer, message, error);

	if (result >= 0)
		result = clipboard_mimes_read(message, &has_text);
	if (result < 0)
		return result;
	if (!has_text)
		return refuse(error, "the clipboard has only " CLIPBOARD_MIME);
	if (viewer->request)
		return refuse(error, "this channel has a request that waits for the guest");
	if (!clipboard_has_text_for(viewer->clipboard, viewer))
		return sd_bus_error_set(error, SD_BUS_ERROR_FAILED,
					"the guest has no text, or another viewer has the "
					"clipboard; press a key to get it");
	result = clipboard_request(viewer->clipboard, on_answer, viewer, &viewer->answer);
	if (result < 0)
		return result;
	viewer->request = sd_bus_message_ref(message);
	return 1;
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_CLIPBOARD_METHODS(on_register, on_unregister, on_grab, on_release, on_request),
	SD_BUS_VTABLE_END,
};

/* ---- Life ---- */

int channel_clipboard_serve(ChannelClipboard *viewer, sd_bus *bus, Clipboard *clipboard)
{
	*viewer = (ChannelClipboard){ .clipboard = clipboard, .bus = bus };
	return sd_bus_add_object_vtable(bus, NULL, DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD,
					methods, viewer);
}

void channel_clipboard_deinit(ChannelClipboard *viewer)
{
	if (viewer->clipboard)
		unregister(viewer);
	*viewer = (ChannelClipboard){ 0 };
}

void channel_clipboard_note_input(ChannelClipboard *viewer)
{
	if (viewer->is_registered)
		clipboard_prefer(viewer->clipboard, viewer);
}
