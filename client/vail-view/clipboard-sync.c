/* SPDX-License-Identifier: MIT */
#include "client/vail-view/clipboard-sync.h"

#include <string.h>

#define NUMBER(value)  #value
#define TEXT_OF(value) NUMBER(value)

#define TOO_LONG                                                                          \
	"The text that was copied is too long for the virtual machine: at most " TEXT_OF( \
		CLIPBOARD_TEXT_MAX) " bytes can be pasted there."
#define NO_TEXT                                                                                 \
	"The text that was copied in the virtual machine cannot be pasted here, because it is " \
	"no valid text, or longer than " TEXT_OF(CLIPBOARD_TEXT_MAX) " bytes."

void clipboard_sync_init(ClipboardSync *sync, const ClipboardSyncOwner *owner, void *context)
{
	*sync = (ClipboardSync){ .owner = owner, .context = context };
}

static bool is_known(const ClipboardSync *sync, const ClipboardText *text)
{
	return sync->known.bytes && sync->known.size == text->size &&
	       memcmp(sync->known.bytes, text->bytes, text->size) == 0;
}

/* ---- From the desktop to the guest ---- */

/* Offers the text, and takes ownership of it. A text of the guest that waits is void. */
static void offer(ClipboardSync *sync, ClipboardText text)
{
	clipboard_text_deinit(&sync->known);
	sync->known = text;
	sync->is_offered = true;
	sync->guest_has_text = false;
	sync->owner->send_grab(sync->context, sync->next_serial++);
}

/* The desktop has no text that the guest could get. */
static void take_back(ClipboardSync *sync)
{
	clipboard_text_deinit(&sync->known);
	if (sync->is_offered)
		sync->owner->send_release(sync->context);
	sync->is_offered = false;
}

/* Reads the desktop's text, and notices if the focus was lost. */
static DesktopText read_desktop(ClipboardSync *sync, ClipboardText *ret_text)
{
	DesktopText kind = sync->owner->read_desktop(sync->context, ret_text);

	if (kind == DESKTOP_TEXT_UNKNOWN)
		sync->has_focus = false;
	return kind;
}

/* Offers the desktop's text if it is a new one. */
static void check_desktop(ClipboardSync *sync)
{
	ClipboardText text = { 0 };
	DesktopText kind = read_desktop(sync, &text);
	bool was_too_long = sync->is_too_long;

	if (kind == DESKTOP_TEXT_UNKNOWN || kind == DESKTOP_TEXT_LATE)
		return;
	sync->is_too_long = kind == DESKTOP_TEXT_TOO_LONG;
	if (kind != DESKTOP_TEXT_VALID)
		take_back(sync);
	else if (is_known(sync, &text))
		clipboard_text_deinit(&text);
	else
		offer(sync, text);
	if (sync->is_too_long && !was_too_long)
		sync->owner->say(sync->context, TOO_LONG);
}

const ClipboardText *clipboard_sync_requested(ClipboardSync *sync)
{
	sync->is_first = false;
	return sync->is_linked && sync->is_offered ? &sync->known : NULL;
}

/* ---- From the guest to the desktop ---- */

/* Requests the guest's text if there is one. The agent takes one request at a time. */
static void fetch(ClipboardSync *sync)
{
	if (!sync->guest_has_text || !sync->has_focus || sync->is_requested)
		return;
	sync->is_requested = true;
	sync->is_stale = false;
	sync->owner->request_text(sync->context);
}

/*
 * Copies the text to the desktop. A program that has made the same text keeps it, perhaps with more
 * than plain text. If the focus was lost, the text waits for it.
 */
static void pass_to_desktop(ClipboardSync *sync, const ClipboardText *text)
{
	ClipboardText desktop = { 0 };
	DesktopText kind = read_desktop(sync, &desktop);

	if (kind != DESKTOP_TEXT_UNKNOWN &&
	    clipboard_text_set(&sync->known, text->bytes, text->size)) {
		sync->guest_has_text = false;
		if (kind != DESKTOP_TEXT_VALID || !is_known(sync, &desktop))
			sync->owner->write_desktop(sync->context, &sync->known);
	}
	clipboard_text_deinit(&desktop);
}

void clipboard_sync_guest_text(ClipboardSync *sync, const ClipboardText *text)
{
	bool is_current = sync->guest_has_text && !sync->is_stale;

	sync->is_requested = false;
	if (!is_current || (text && !sync->has_focus)) {
		fetch(sync); /* the next one; without the focus, later */
	} else if (text) {
		pass_to_desktop(sync, text);
	} else {
		sync->guest_has_text = false;
		sync->owner->say(sync->context, NO_TEXT);
	}
}

void clipboard_sync_guest_grab(ClipboardSync *sync, uint32_t serial, bool has_text)
{
	if (!sync->is_linked || serial < sync->next_serial)
		return;
	sync->next_serial = serial + 1;
	if (sync->is_first && sync->is_offered) {
		sync->is_first = false;
		sync->owner->send_grab(sync->context, sync->next_serial++);
		return;
	}
	sync->is_offered = false;
	sync->guest_has_text = has_text;
	sync->is_stale = true;
	fetch(sync);
}

void clipboard_sync_guest_release(ClipboardSync *sync)
{
	sync->guest_has_text = false;
}

/* ---- Changes ---- */

/* Passes the texts that may pass now. */
static void synchronize(ClipboardSync *sync)
{
	if (!sync->is_linked || !sync->has_focus)
		return;
	check_desktop(sync);
	fetch(sync);
}

void clipboard_sync_link(ClipboardSync *sync)
{
	sync->is_linked = true;
	synchronize(sync);
	sync->is_first = sync->is_offered;
}

void clipboard_sync_unlink(ClipboardSync *sync)
{
	clipboard_text_deinit(&sync->known);
	*sync = (ClipboardSync){
		.owner = sync->owner,
		.context = sync->context,
		.has_focus = sync->has_focus,
		.is_too_long = sync->is_too_long,
	};
}

void clipboard_sync_set_focus(ClipboardSync *sync, bool has_focus)
{
	if (sync->has_focus == has_focus)
		return;
	sync->has_focus = has_focus;
	synchronize(sync);
}

void clipboard_sync_note_desktop(ClipboardSync *sync)
{
	synchronize(sync);
}

/* The new agent in the guest knows no text of the desktop. */
void clipboard_sync_guest_reset(ClipboardSync *sync)
{
	if (!sync->is_linked)
		return;
	sync->next_serial = 0;
	sync->is_offered = false;
	clipboard_text_deinit(&sync->known);
	synchronize(sync);
}
