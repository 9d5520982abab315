/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/clipboard.h"

#include <stdlib.h>
#include <string.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

/* ---- Calls of QEMU ---- */

static int begin_call(const Clipboard *clipboard, const char *member, sd_bus_message **ret)
{
	const DisplayLink *link = &clipboard->display->link;

	return sd_bus_message_new_method_call(link->bus, ret, link->peer, DISPLAY_CLIPBOARD_PATH,
					      DISPLAY_CLIPBOARD, member);
}

/* Sends a call if it was made, without a reply. The end of the display shows elsewhere. */
static void send_call(const Clipboard *clipboard, sd_bus_message *call, int result)
{
	if (result >= 0 && sd_bus_message_set_expect_reply(call, 0) >= 0)
		sd_bus_send(clipboard->display->link.bus, call, NULL);
}

static void grab(Clipboard *clipboard)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(clipboard, "Grab", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uuas", CLIPBOARD_SELECTION,
					       clipboard->next_serial, 1, CLIPBOARD_MIME);
	send_call(clipboard, call, result);
	clipboard->next_serial++;
	clipboard->content = CLIPBOARD_OF_VIEWER;
}

static void release(Clipboard *clipboard)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(clipboard, "Release", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "u", CLIPBOARD_SELECTION);
	send_call(clipboard, call, result);
	clipboard->content = CLIPBOARD_EMPTY;
}

static void leave(const Clipboard *clipboard)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(clipboard, "Unregister", &call);

	send_call(clipboard, call, result);
}

int clipboard_request(const Clipboard *clipboard, sd_bus_message_handler_t handler, void *context,
		      sd_bus_slot **ret_slot)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(clipboard, "Request", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uas", CLIPBOARD_SELECTION, 1, CLIPBOARD_MIME);
	return result < 0 ? result
			  : sd_bus_call_async(clipboard->display->link.bus, ret_slot, call, handler,
					      context, 0);
}

/* ---- Viewers ---- */

static ChannelClipboard *first_viewer(const Clipboard *clipboard)
{
	return TAILQ_FIRST(&clipboard->viewers);
}

/* Acts on a change of the first viewer, which may be missing. */
static void handle_new_first(Clipboard *clipboard)
{
	ChannelClipboard *first = first_viewer(clipboard);

	if (clipboard->content == CLIPBOARD_OF_GUEST) {
		if (first)
			channel_clipboard_tell_grab(first);
	} else if (first && first->text.bytes) {
		grab(clipboard);
	} else if (clipboard->content == CLIPBOARD_OF_VIEWER) {
		release(clipboard);
	}
}

void clipboard_add(Clipboard *clipboard, ChannelClipboard *viewer)
{
	TAILQ_INSERT_TAIL(&clipboard->viewers, viewer, entries);
	if (first_viewer(clipboard) == viewer)
		handle_new_first(clipboard);
}

void clipboard_remove(Clipboard *clipboard, ChannelClipboard *viewer)
{
	bool was_first = first_viewer(clipboard) == viewer;

	TAILQ_REMOVE(&clipboard->viewers, viewer, entries);
	if (was_first)
		handle_new_first(clipboard);
}

void clipboard_prefer(Clipboard *clipboard, ChannelClipboard *viewer)
{
	ChannelClipboard *former = first_viewer(clipboard);

	if (former == viewer)
		return;
	TAILQ_REMOVE(&clipboard->viewers, viewer, entries);
	TAILQ_INSERT_HEAD(&clipboard->viewers, viewer, entries);
	if (clipboard->content == CLIPBOARD_OF_GUEST)
		channel_clipboard_tell_release(former);
	handle_new_first(clipboard);
}

bool clipboard_has_text_for(const Clipboard *clipboard, const ChannelClipboard *viewer)
{
	return clipboard->content == CLIPBOARD_OF_GUEST && first_viewer(clipboard) == viewer;
}

void clipboard_offer(Clipboard *clipboard, const ChannelClipboard *viewer)
{
	if (first_viewer(clipboard) != viewer)
		return;
	if (viewer->text.bytes)
		grab(clipboard);
	else if (clipboard->content == CLIPBOARD_OF_VIEWER)
		release(clipboard);
}

/* ---- Calls by QEMU ---- */

/* Refuses other clients of a message bus. */
static int check_caller(const Clipboard *clipboard, sd_bus_message *message, sd_bus_error *error)
{
	const char *sender = sd_bus_message_get_sender(message);

	if (!clipboard->display->link.peer)
		return 0;
	if (clipboard->peer && sender && strcmp(sender, clipboard->peer) == 0)
		return 0;
	return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
				"the clipboard of vail-qemu is for QEMU alone");
}

/*
 * QEMU registers when serials begin again with 0, for example with a new agent in the guest. That
 * agent has not heard of the viewer's text.
 */
static int on_reset(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Clipboard *clipboard = context;
	int result = check_caller(clipboard, message, error);

	if (result < 0)
		return result;
	clipboard->next_serial = 0;
	if (first_viewer(clipboard))
		channel_clipboard_tell_reset(first_viewer(clipboard));
	if (clipboard->content == CLIPBOARD_OF_VIEWER)
		grab(clipboard);
	return sd_bus_reply_method_return(message, "");
}

static int on_unregister(sd_bus_message *message, void *context, sd_bus_error *error)
{
	int result = check_caller(context, message, error);

	return result < 0 ? result : sd_bus_reply_method_return(message, "");
}

static int on_grab(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Clipboard *clipboard = context;
	uint32_t selection, serial;
	bool has_text = false;
	int result = check_caller(clipboard, message, error);

	if (result >= 0)
		result = sd_bus_message_read(message, "uu", &selection, &serial);
	if (result >= 0)
		result = clipboard_mimes_read(message, &has_text);
	if (result < 0)
		return result;
	if (selection == CLIPBOARD_SELECTION && has_text) {
		clipboard->next_serial = serial + 1;
		clipboard->content = CLIPBOARD_OF_GUEST;
		if (first_viewer(clipboard))
			channel_clipboard_tell_grab(first_viewer(clipboard));
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	Clipboard *clipboard = context;
	uint32_t selection;
	int result = check_caller(clipboard, message, error);

	if (result >= 0)
		result = sd_bus_message_read(message, "u", &selection);
	if (result < 0)
		return result;
	/* QEMU also tells of the release that vail-qemu has asked for. */
	if (selection == CLIPBOARD_SELECTION && clipboard->content == CLIPBOARD_OF_GUEST) {
		clipboard->content = CLIPBOARD_EMPTY;
		if (first_viewer(clipboard))
			channel_clipboard_tell_release(first_viewer(clipboard));
	}
	return sd_bus_reply_method_return(message, "");
}

static int on_request(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const Clipboard *clipboard = context;
	const ChannelClipboard *first = first_viewer(clipboard);
	uint32_t selection;
	int result = check_caller(clipboard, message, error);

	if (result >= 0)
		result = sd_bus_message_read(message, "u", &selection);
	if (result < 0)
		return result;
	if (selection == CLIPBOARD_SELECTION && clipboard->content == CLIPBOARD_OF_VIEWER &&
	    first && first->text.bytes)
		return clipboard_text_reply(&first->text, message);
	return sd_bus_error_set(error, SD_BUS_ERROR_FAILED, "the viewer has no text any more");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_CLIPBOARD_METHODS(on_reset, on_unregister, on_grab, on_release, on_request),
	SD_BUS_VTABLE_END,
};

/* ---- Life ---- */

void clipboard_init(Clipboard *clipboard, const Display *display)
{
	*clipboard = (Clipboard){ .display = display };
	TAILQ_INIT(&clipboard->viewers);
}

void clipboard_deinit(Clipboard *clipboard)
{
	if (clipboard->state == CLIPBOARD_JOINED)
		leave(clipboard);
	sd_bus_slot_unref(clipboard->reply);
	sd_bus_slot_unref(clipboard->object);
	free(clipboard->peer);
}

static int ask_to_join(Clipboard *clipboard);

/*
 * QEMU 7.2 keeps a peer without a message bus after the end of its connection, and then refuses
 * another one. But it lets any such peer leave. Returns true if it was asked again.
 */
static bool replace_former_peer(Clipboard *clipboard)
{
	if (clipboard->has_retried || clipboard->display->link.peer)
		return false;
	clipboard->has_retried = true;
	leave(clipboard);
	return ask_to_join(clipboard) >= 0;
}

/* A later channel asks again, and the reason is usually the same. */
static void log_refusal(Clipboard *clipboard, const sd_bus_error *refusal)
{
	if (!clipboard->has_logged)
		log_message("the clipboard is not served, because QEMU refuses: %s",
			    refusal->message ? refusal->message : refusal->name);
	clipboard->has_logged = true;
}

static int on_joined(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	Clipboard *clipboard = context;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);
	const char *sender = sd_bus_message_get_sender(reply);

	(void)error;
	clipboard->reply = sd_bus_slot_unref(clipboard->reply);
	if (refusal && replace_former_peer(clipboard))
		return 0;
	if (refusal) {
		log_refusal(clipboard, refusal);
		clipboard->state = CLIPBOARD_APART;
		return 0;
	}
	clipboard->state = CLIPBOARD_REFUSED;
	if (clipboard->display->link.peer && sender)
		clipboard->peer = strdup(sender);
	if (!clipboard->display->link.peer || clipboard->peer)
		clipboard->state = CLIPBOARD_JOINED;
	clipboard->has_logged = false;
	return 0;
}

static int ask_to_join(Clipboard *clipboard)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(clipboard, "Register", &call);

	return result < 0 ? result
			  : sd_bus_call_async(clipboard->display->link.bus, &clipboard->reply, call,
					      on_joined, clipboard, 0);
}

void clipboard_join(Clipboard *clipboard)
{
	int result = 0;

	if (clipboard->state != CLIPBOARD_APART)
		return;
	clipboard->has_retried = false;
	/* QEMU reads the properties of this object before it replies. */
	if (!clipboard->object)
		result = sd_bus_add_object_vtable(clipboard->display->link.bus, &clipboard->object,
						  DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD,
						  methods, clipboard);
	if (result >= 0)
		result = ask_to_join(clipboard);
	clipboard->state = result < 0 ? CLIPBOARD_REFUSED : CLIPBOARD_JOINING;
}

bool clipboard_is_settled(const Clipboard *clipboard)
{
	return clipboard->state != CLIPBOARD_JOINING;
}
