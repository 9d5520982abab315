/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/desktop-clipboard.h"

#include <string.h>

#include "client/common/display-methods.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "proto/macros.h"

/* Messages that may wait for the agent to read. Beyond that, it gets no text. */
#define TEXTS_MAX 16

/* Time for the guest to send its text, in microseconds. */
#define TEXT_LIMIT 60000000u

/* ---- The desktop ---- */

static bool has_focus(const DesktopClipboard *clipboard)
{
	return SDL_GetKeyboardFocus() == clipboard->window;
}

/*
 * A text that was copied after the window has lost the focus is not the guest's business. The
 * desktop reports the loss before it hands out that text, so the focus is looked at again.
 */
static DesktopText read_desktop(void *context, ClipboardText *ret_text)
{
	const DesktopClipboard *clipboard = context;

	SDL_ClearError();
	char *text = SDL_GetClipboardText();
	size_t size = text ? strlen(text) : 0;
	/* SDL waits for one second. */
	DesktopText kind = size == 0 && *SDL_GetError() ? DESKTOP_TEXT_LATE : DESKTOP_TEXT_NONE;

	SDL_PumpEvents();
	if (!has_focus(clipboard))
		kind = DESKTOP_TEXT_UNKNOWN;
	else if (size > CLIPBOARD_TEXT_MAX)
		kind = DESKTOP_TEXT_TOO_LONG;
	else if (clipboard_text_is_valid(text, size) && clipboard_text_set(ret_text, text, size))
		kind = DESKTOP_TEXT_VALID;
	SDL_free(text);
	return kind;
}

static void write_desktop(void *context, const ClipboardText *text)
{
	(void)context;
	SDL_SetClipboardText(text->bytes);
}

static void say(void *context, const char *sentence)
{
	const DesktopClipboard *clipboard = context;
	int64_t now = now_milliseconds();
	const char *shown = notice_sentence(clipboard->notice, now);

	/* The guest can cause this as often as it likes. */
	if (!shown || strcmp(shown, sentence) != 0)
		log_message("%s", sentence);
	notice_say(clipboard->notice, sentence, now);
}

/* ---- Calls of the agent ---- */

static int begin_call(const DesktopClipboard *clipboard, const char *member, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(clipboard->channel->bus.bus, ret, NULL,
					      DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, member);
}

/* Sends a call if it was made, without a reply. */
static void send_call(const DesktopClipboard *clipboard, sd_bus_message *call, int result)
{
	if (result >= 0)
		result = sd_bus_message_set_expect_reply(call, 0);
	if (result >= 0)
		result = sd_bus_send(clipboard->channel->bus.bus, call, NULL);
	if (result < 0)
		clipboard->channel->is_broken = true;
}

static void send_grab(void *context, uint32_t serial)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(context, "Grab", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uuas", CLIPBOARD_SELECTION, serial, 1,
					       CLIPBOARD_MIME);
	send_call(context, call, result);
}

static void send_release(void *context)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(context, "Release", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "u", CLIPBOARD_SELECTION);
	send_call(context, call, result);
}

static int on_text(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;
	ClipboardText text = { 0 };
	bool is_valid = clipboard_text_read(&text, reply);

	(void)error;
	clipboard->request = sd_bus_slot_unref(clipboard->request);
	clipboard_sync_guest_text(&clipboard->sync, is_valid ? &text : NULL);
	clipboard_text_deinit(&text);
	return 1;
}

static void request_text(void *context)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	DesktopClipboard *clipboard = context;
	int result = begin_call(clipboard, "Request", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "uas", CLIPBOARD_SELECTION, 1, CLIPBOARD_MIME);
	if (result >= 0)
		result = sd_bus_call_async(clipboard->channel->bus.bus, &clipboard->request, call,
					   on_text, clipboard, TEXT_LIMIT);
	if (result < 0)
		clipboard->channel->is_broken = true;
}

static const ClipboardSyncOwner owner = {
	.read_desktop = read_desktop,
	.write_desktop = write_desktop,
	.send_grab = send_grab,
	.send_release = send_release,
	.request_text = request_text,
	.say = say,
};

/* ---- Calls by the agent ---- */

static int on_register(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;

	(void)error;
	clipboard_sync_guest_reset(&clipboard->sync);
	return sd_bus_reply_method_return(message, "");
}

static int on_unregister(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;

	(void)error;
	clipboard_sync_guest_release(&clipboard->sync);
	return sd_bus_reply_method_return(message, "");
}

static int on_grab(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;
	uint32_t selection, serial;
	bool has_text = false;
	int result = sd_bus_message_read(message, "uu", &selection, &serial);

	(void)error;
	if (result >= 0)
		result = clipboard_mimes_read(message, &has_text);
	if (result < 0)
		return result;
	if (selection == CLIPBOARD_SELECTION)
		clipboard_sync_guest_grab(&clipboard->sync, serial, has_text);
	return sd_bus_reply_method_return(message, "");
}

static int on_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;
	uint32_t selection;
	int result = sd_bus_message_read(message, "u", &selection);

	(void)error;
	if (result < 0)
		return result;
	if (selection == CLIPBOARD_SELECTION)
		clipboard_sync_guest_release(&clipboard->sync);
	return sd_bus_reply_method_return(message, "");
}

static int on_request(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;
	const ClipboardText *text = clipboard_sync_requested(&clipboard->sync);
	uint32_t selection;
	bool has_text = false;
	int result = sd_bus_message_read(message, "u", &selection);

	if (result >= 0)
		result = clipboard_mimes_read(message, &has_text);
	if (result < 0)
		return result;
	if (text && selection == CLIPBOARD_SELECTION && has_text &&
	    guest_channel_unsent(clipboard->channel) < TEXTS_MAX)
		return clipboard_text_reply(text, message);
	return sd_bus_error_set(error, SD_BUS_ERROR_FAILED, "the window offers no text");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	DISPLAY_CLIPBOARD_METHODS(on_register, on_unregister, on_grab, on_release, on_request),
	SD_BUS_VTABLE_END,
};

/* ---- The channel ---- */

static int on_registered(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DesktopClipboard *clipboard = context;

	(void)error;
	clipboard->registration = sd_bus_slot_unref(clipboard->registration);
	clipboard->is_refused = sd_bus_message_is_method_error(reply, NULL);
	if (!clipboard->is_refused)
		clipboard_sync_link(&clipboard->sync);
	return 1;
}

static void register_window(DesktopClipboard *clipboard)
{
	sd_bus *bus = clipboard->channel->bus.bus;
	int result = 0;

	clipboard->is_refused = false;
	if (!clipboard->object)
		result = sd_bus_add_object_vtable(bus, &clipboard->object, DISPLAY_CLIPBOARD_PATH,
						  DISPLAY_CLIPBOARD, methods, clipboard);
	if (result >= 0)
		result = sd_bus_call_method_async(bus, &clipboard->registration, NULL,
						  DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD,
						  "Register", on_registered, clipboard, "");
	clipboard->is_refused = result < 0;
}

/* Forgets the channel. Nothing passes any more, and all texts are forgotten. */
static void leave(DesktopClipboard *clipboard)
{
	clipboard->registration = sd_bus_slot_unref(clipboard->registration);
	clipboard->request = sd_bus_slot_unref(clipboard->request);
	clipboard->object = sd_bus_slot_unref(clipboard->object);
	clipboard->is_refused = false;
	clipboard_sync_unlink(&clipboard->sync);
}

static bool can_serve(const DesktopClipboard *clipboard)
{
	return clipboard->is_wanted &&
	       guest_channel_has(clipboard->channel, VAIL_DISPLAY_CLIPBOARD);
}

void desktop_clipboard_init(DesktopClipboard *clipboard, GuestChannel *channel, SDL_Window *window,
			    Notice *notice, bool is_wanted)
{
	*clipboard = (DesktopClipboard){
		.is_wanted = is_wanted, .channel = channel, .window = window, .notice = notice
	};
	clipboard_sync_init(&clipboard->sync, &owner, clipboard);
}

void desktop_clipboard_deinit(DesktopClipboard *clipboard)
{
	leave(clipboard);
}

/* Tests whether the key may begin a combination that pastes. */
static bool begins_paste(SDL_Keycode key)
{
	return key == SDLK_LCTRL || key == SDLK_RCTRL || key == SDLK_LSHIFT || key == SDLK_RSHIFT ||
	       key == SDLK_LGUI || key == SDLK_RGUI;
}

/*
 * Tests whether the desktop's clipboard may have changed. On X11, SDL 2.26 does not hear of texts
 * that other programs copy. So the clipboard is read when the user may be about to paste.
 */
static bool is_occasion(const SDL_Event *event)
{
	if (event->type == SDL_KEYDOWN && !event->key.repeat)
		return begins_paste(event->key.keysym.sym);
	return event->type == SDL_CLIPBOARDUPDATE || event->type == SDL_MOUSEBUTTONDOWN;
}

void desktop_clipboard_handle(DesktopClipboard *clipboard, const SDL_Event *event)
{
	if (is_occasion(event))
		clipboard->has_changed = true;
	/* QEMU may have let the agent join its clipboard meanwhile. */
	if (event->type == SDL_WINDOWEVENT && event->window.event == SDL_WINDOWEVENT_FOCUS_GAINED &&
	    clipboard->is_refused && clipboard->object && can_serve(clipboard) &&
	    clipboard->opening == clipboard->channel->openings)
		register_window(clipboard);
}

void desktop_clipboard_process(DesktopClipboard *clipboard)
{
	const GuestChannel *channel = clipboard->channel;

	if (!can_serve(clipboard) || clipboard->opening != channel->openings)
		leave(clipboard);
	clipboard->opening = channel->openings;
	if (can_serve(clipboard) && !clipboard->object)
		register_window(clipboard);
	clipboard_sync_set_focus(&clipboard->sync, has_focus(clipboard));
	if (clipboard->has_changed)
		clipboard_sync_note_desktop(&clipboard->sync);
	clipboard->has_changed = false;
}
