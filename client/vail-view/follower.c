/* SPDX-License-Identifier: MIT */
#include "client/vail-view/follower.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/object-image.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

/* Logs a repeated remark only once, because a broken sharer can cause it on every frame. */
_printf_(2, 3) static void log_remark(Follower *follower, const char *format, ...)
{
	char text[SCREEN_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (strcmp(text, follower->remark) == 0 || follower->remarks > REMARKS_MAX)
		return;
	memcpy(follower->remark, text, sizeof(text));
	if (follower->remarks++ == REMARKS_MAX)
		log_message("the virtual machine shares many pictures that cannot be shown; no "
			    "more of them are reported");
	else
		log_message("%s", text);
}

/* ---- Which object is shown ---- */

static bool is_cursor(const char *name)
{
	size_t length = strlen(name), end = strlen(CURSOR_NAME_END);

	return length > end && strcmp(name + length - end, CURSOR_NAME_END) == 0;
}

/*
 * Tests whether the object is one to show. If no name was given, the first object that can be shown
 * sets it.
 */
static bool is_wanted(Follower *follower, const VailObjectInfo *info)
{
	const char *name = info->name ? info->name : "";
	char message[SCREEN_MESSAGE_SIZE];

	if (follower->name ? strcmp(follower->name, name) != 0 : is_cursor(name))
		return false;
	if (!object_image_check(info, message, sizeof(message))) {
		if (follower->name || info->plane_count > 0)
			log_remark(follower, "%s is not shown: %s", *name ? name : "the object",
				   message);
		return false;
	}
	if (!follower->name)
		follower->name = strdup(name);
	return follower->name;
}

/* Makes the object the wanted one, unless another was shared or updated after it. */
static void want(Follower *follower, const VailSharedObject *shared)
{
	double at = shared->last_update > shared->since ? shared->last_update : shared->since;

	if (*follower->wanted && at < follower->wanted_at)
		return;
	strcpy(follower->wanted, shared->handle);
	follower->wanted_at = at;
}

/* ---- Screens ---- */

/* Returns the open screen of the object, or NULL. */
static Screen *find_screen(Follower *follower, const char *handle)
{
	for (size_t i = 0; i < SCREENS_MAX; i++)
		if (screen_has(&follower->screens[i], handle))
			return &follower->screens[i];
	return NULL;
}

/* Closes an object that has ended, at the next frame if it is shown. */
static void forget_screen(Follower *follower, const char *handle)
{
	Screen *screen = find_screen(follower, handle);

	if (screen && screen != follower->screen)
		screen_close(screen, follower->vail);
	else if (screen)
		screen->has_ended = true;
}

void follower_close_hidden(Follower *follower)
{
	for (size_t i = 0; i < SCREENS_MAX; i++)
		if (&follower->screens[i] != follower->screen)
			screen_close(&follower->screens[i], follower->vail);
}

/* Returns a screen for another object: an unused one, or the one that was shown longest ago. */
static Screen *take_screen(Follower *follower)
{
	Screen *oldest = &follower->screens[0];

	for (size_t i = 0; i < SCREENS_MAX; i++) {
		if (!follower->screens[i].object)
			return &follower->screens[i];
		if (follower->screens[i].last_shown < oldest->last_shown)
			oldest = &follower->screens[i];
	}
	screen_close(oldest, follower->vail);
	return oldest;
}

/* Returns the screen with pixels that was shown longest ago, apart from one; NULL if none. */
static Screen *oldest_screen(Follower *follower, const Screen *except)
{
	Screen *oldest = NULL;

	for (size_t i = 0; i < SCREENS_MAX; i++) {
		Screen *screen = &follower->screens[i];

		if (screen != except && screen->framebuffer.size > 0 &&
		    (!oldest || screen->last_shown < oldest->last_shown))
			oldest = screen;
	}
	return oldest;
}

void follower_close_surplus(Follower *follower, const Screen *opened)
{
	size_t sum = 0;
	Screen *oldest;

	for (size_t i = 0; i < SCREENS_MAX; i++)
		sum += follower->screens[i].framebuffer.size;
	while (sum > follower->bytes_max && (oldest = oldest_screen(follower, opened))) {
		sum -= oldest->framebuffer.size;
		screen_close(oldest, follower->vail);
	}
}

static void show_screen(Follower *follower, Screen *screen)
{
	screen->last_shown = ++follower->switches;
	follower->screen = screen;
	follower->has_switched = true;
	follower->has_shown = true;
}

/* ---- Events ---- */

void follower_handle_listed(Follower *follower, const VailSharedObject *shared)
{
	if (is_wanted(follower, shared->object))
		want(follower, shared);
}

void follower_handle_shared(Follower *follower, const VailSharedObject *shared)
{
	Screen *screen = find_screen(follower, shared->handle);

	if (!is_wanted(follower, shared->object))
		return;
	want(follower, shared);
	/* After a restart of vaild the object is reported again, but its updates were missed. */
	if (!screen)
		return;
	screen->has_ended = false;
	framebuffer_mark_all_stale(&screen->framebuffer);
}

void follower_handle_update(Follower *follower, const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (strcmp(follower->wanted, shared->handle) != 0 && !is_wanted(follower, shared->object))
		return;
	want(follower, shared);
	Screen *screen = find_screen(follower, shared->handle);
	if (!screen)
		return; /* an object is read completely when it is opened */
	if (event->damage_count == 0)
		framebuffer_mark_all_stale(&screen->framebuffer);
	for (size_t i = 0; i < event->damage_count; i++)
		framebuffer_mark_stale(&screen->framebuffer, &event->damage[i]);
}

bool follower_handle_unshared(Follower *follower, const char *handle)
{
	forget_screen(follower, handle);
	if (strcmp(follower->wanted, handle) != 0)
		return false;
	follower->wanted[0] = '\0';
	return follower->name;
}

void follower_handle_loss(Follower *follower)
{
	follower->wanted[0] = '\0';
	if (follower->screen)
		follower->screen->has_ended = true;
}

/* ---- Frames ---- */

static const char *shown_name(const Follower *follower)
{
	return *follower->name ? follower->name : "the object";
}

/*
 * Opens the wanted object. Returns NULL if it cannot be shown, and sets *ret_status if no event
 * will report why.
 */
static Screen *open_wanted(Follower *follower, NTSTATUS *ret_status)
{
	char message[SCREEN_MESSAGE_SIZE];
	Screen *screen = take_screen(follower);
	NTSTATUS status =
		screen_open(screen, follower->vail, follower->wanted, follower->bytes_max, message);

	if (status == STATUS_QUOTA_EXCEEDED || status == STATUS_INSUFFICIENT_RESOURCES) {
		follower_close_hidden(follower);
		status = screen_open(screen, follower->vail, follower->wanted, follower->bytes_max,
				     message);
	}
	if (status == STATUS_SUCCESS) {
		follower_close_surplus(follower, screen);
		return screen;
	}
	follower->wanted[0] = '\0';
	if (status == STATUS_NOT_SUPPORTED)
		log_remark(follower, "%s is not shown: %s", shown_name(follower), message);
	else if (status != STATUS_INVALID_HANDLE && status != STATUS_ACCESS_DENIED)
		*ret_status = status;
	/* Otherwise the object or the registration has just ended; an event will report it. */
	return NULL;
}

static bool shows_wanted(const Follower *follower)
{
	return follower->screen && screen_has(follower->screen, follower->wanted);
}

NTSTATUS follower_switch(Follower *follower)
{
	Screen *known = *follower->wanted ? find_screen(follower, follower->wanted) : NULL;
	NTSTATUS status = STATUS_SUCCESS;

	if (shows_wanted(follower))
		return STATUS_SUCCESS;
	if (follower->screen && (follower->screen->has_ended || !*follower->wanted))
		screen_close(follower->screen, follower->vail);
	follower->screen = NULL;
	if (*follower->wanted && !known)
		known = open_wanted(follower, &status);
	if (known)
		show_screen(follower, known);
	return status;
}

bool follower_read(Follower *follower)
{
	char message[SCREEN_MESSAGE_SIZE];
	Screen *screen = follower->screen;

	if (!screen || (!follower->has_switched && !screen_is_stale(screen)))
		return false;
	follower->is_whole = follower->has_switched;
	follower->has_switched = false;
	if (screen_read(screen, message))
		return true;
	log_remark(follower, "%s cannot be read: %s", shown_name(follower), message);
	return false;
}

void follower_deinit(Follower *follower)
{
	follower->screen = NULL;
	follower_close_hidden(follower);
	free(follower->name);
}
