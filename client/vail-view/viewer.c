/* SPDX-License-Identifier: MIT */
#include "client/vail-view/viewer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/common/object-image.h"
#include "client/common/self-register.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

/* Time between attempts to reconnect to vaild, in milliseconds. */
#define RETRY_INTERVAL 500

int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Logs a repeated remark only once, because a broken sharer can cause it on every frame. */
_printf_(2, 3) static void log_remark(Viewer *viewer, const char *format, ...)
{
	char text[SCREEN_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (strcmp(text, viewer->remark) == 0)
		return;
	memcpy(viewer->remark, text, sizeof(text));
	log_message("%s", text);
}

/* ---- Failures ---- */

static void start_reconnecting(Viewer *viewer)
{
	if (viewer->state == VIEWER_WATCHING)
		log_message("the connection to vaild at %s is lost; retrying until vaild and the "
			    "virtual machine are back",
			    vail_path(viewer->vail));
	viewer->state = VIEWER_RECONNECTING;
	viewer->retry_at = now_milliseconds() + RETRY_INTERVAL;
	viewer->wanted[0] = '\0'; /* the next watch reports the current objects */
	if (viewer->screen)
		viewer->screen->has_ended = true;
	viewer->is_current = false;
	pictures_clear(&viewer->pictures);
}

/* Returns advice about a refusal, or NULL if the advice of vaild fits. */
static const char *refusal_advice(NTSTATUS status)
{
	switch (status) {
	case STATUS_NOT_FOUND:
		return "start it, or list the VMs that you may see with: vailctl list";
	case STATUS_GRAPHICS_VAIL_STATE_CHANGED:
		return "have an operator run: vailctl vgpu assign GUID";
	default:
		return NULL;
	}
}

static void viewer_fail(Viewer *viewer, const struct vail *vail, NTSTATUS status)
{
	char typed[PLAIN_QUOTE_SIZE];
	Wording wording = { plain_quote(viewer->guid, typed), refusal_advice(status) };
	_cleanup_free_ char *sentence = message_refusal(vail, status, &wording);

	log_message("%s", sentence ? sentence : "out of memory");
	viewer->state = VIEWER_FAILED;
}

/* Tests whether the status means that vaild is unreachable. */
static bool is_connection_lost(NTSTATUS status)
{
	return status == STATUS_CONNECTION_REFUSED || status == STATUS_CONNECTION_DISCONNECTED ||
	       status == STATUS_IO_TIMEOUT;
}

/*
 * Tests whether the status may be temporary after a restart of vaild: it may not have made its
 * socket accessible yet, and may not know the VM or its vGPUs yet.
 */
static bool is_temporary(const struct vail *vail, NTSTATUS status)
{
	return status == STATUS_NOT_FOUND || status == STATUS_GRAPHICS_VAIL_STATE_CHANGED ||
	       (status == STATUS_ACCESS_DENIED && !vail_error_name(vail));
}

/* Handles the failure of a call on the handle: reconnects, or gives up. */
static void handle_failure(Viewer *viewer, const struct vail *vail, NTSTATUS status)
{
	bool is_restarting = viewer->state == VIEWER_RECONNECTING && is_temporary(vail, status);

	if (viewer->was_registered && (is_connection_lost(status) || is_restarting))
		start_reconnecting(viewer);
	else
		viewer_fail(viewer, vail, status);
}

/* ---- Events ---- */

/*
 * Tests whether the object is one to show. If no name was given, the first object that can be shown
 * sets it.
 */
static bool is_wanted(Viewer *viewer, const VailObjectInfo *info)
{
	const char *name = info->name ? info->name : "";
	char message[SCREEN_MESSAGE_SIZE];

	if (viewer->name && strcmp(viewer->name, name) != 0)
		return false;
	if (!object_image_check(info, message, sizeof(message))) {
		if (viewer->name || info->plane_count > 0)
			log_remark(viewer, "%s is not shown: %s", *name ? name : "the object",
				   message);
		return false;
	}
	if (!viewer->name)
		viewer->name = strdup(name);
	return viewer->name;
}

/* Makes the object the wanted one, unless another was shared or updated after it. */
static void want(Viewer *viewer, const VailSharedObject *shared)
{
	double at = shared->last_update > shared->since ? shared->last_update : shared->since;

	if (*viewer->wanted && at < viewer->wanted_at)
		return;
	strcpy(viewer->wanted, shared->handle);
	viewer->wanted_at = at;
}

/* ---- Screens ---- */

/* Returns the open screen of the object, or NULL. */
static Screen *find_screen(Viewer *viewer, const char *handle)
{
	for (size_t i = 0; i < SCREENS_MAX; i++)
		if (screen_has(&viewer->screens[i], handle))
			return &viewer->screens[i];
	return NULL;
}

/* Closes an object that has ended, at the next frame if it is shown. */
static void forget_screen(Viewer *viewer, const char *handle)
{
	Screen *screen = find_screen(viewer, handle);

	if (screen && screen != viewer->screen)
		screen_close(screen, viewer->vail);
	else if (screen)
		screen->has_ended = true;
}

/* Closes all objects that are not shown. */
static void forget_hidden_screens(Viewer *viewer)
{
	for (size_t i = 0; i < SCREENS_MAX; i++)
		if (&viewer->screens[i] != viewer->screen)
			screen_close(&viewer->screens[i], viewer->vail);
}

/* Returns a screen for another object: an unused one, or the one that was shown longest ago. */
static Screen *take_screen(Viewer *viewer)
{
	Screen *oldest = &viewer->screens[0];

	for (size_t i = 0; i < SCREENS_MAX; i++) {
		if (!viewer->screens[i].object)
			return &viewer->screens[i];
		if (viewer->screens[i].last_shown < oldest->last_shown)
			oldest = &viewer->screens[i];
	}
	screen_close(oldest, viewer->vail);
	return oldest;
}

static void show_screen(Viewer *viewer, Screen *screen)
{
	screen->last_shown = ++viewer->switches;
	viewer->screen = screen;
	viewer->has_switched = true;
	viewer->has_shown = true;
}

/* ---- Shared objects ---- */

static void handle_shared(Viewer *viewer, const VailSharedObject *shared)
{
	Screen *screen = find_screen(viewer, shared->handle);

	if (!is_wanted(viewer, shared->object))
		return;
	want(viewer, shared);
	/* After a restart of vaild the object is reported again, but its updates were missed. */
	if (!screen)
		return;
	screen->has_ended = false;
	framebuffer_mark_all_stale(&screen->framebuffer);
}

static void handle_update(Viewer *viewer, const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (strcmp(viewer->wanted, shared->handle) != 0 && !is_wanted(viewer, shared->object))
		return;
	want(viewer, shared);
	Screen *screen = find_screen(viewer, shared->handle);
	if (!screen)
		return; /* an object is read completely when it is opened */
	if (event->damage_count == 0)
		framebuffer_mark_all_stale(&screen->framebuffer);
	for (size_t i = 0; i < event->damage_count; i++)
		framebuffer_mark_stale(&screen->framebuffer, &event->damage[i]);
}

/* Handles the end of the registration or of the VM. */
static void handle_end(Viewer *viewer, const VailEvent *event)
{
	const char *reason = event->reason ? plain_reason(event->reason) : "no reason given";
	char code[STATUS_CODE_SIZE];

	if (event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED ||
	    event->status == STATUS_NOT_FOUND) {
		viewer->state = VIEWER_ENDED;
	} else {
		log_message("this process is registered for virtual machine %s no longer: %s (%s)",
			    viewer->guid, reason, message_status(event->status, code));
		viewer->state = VIEWER_FAILED;
	}
}

static bool want_listed(struct vail *vail, const VailSharedObject *shared, void *context)
{
	Viewer *viewer = context;

	(void)vail;
	if (shared->handle && strlen(shared->handle) < VAIL_HANDLE_SIZE &&
	    is_wanted(viewer, shared->object))
		want(viewer, shared);
	return true;
}

/*
 * Handles the end of the wanted object. Another of its name may have been shared before it: while a
 * VM is handed over, both of its VMMs share their screens.
 */
static void handle_unshared(Viewer *viewer)
{
	viewer->wanted[0] = '\0';
	if (viewer->name)
		vail_list_objects(viewer->vail, viewer->guid, want_listed, viewer);
}

static void handle_object_event(Viewer *viewer, const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (!shared || !shared->handle || strlen(shared->handle) >= VAIL_HANDLE_SIZE)
		return;
	if (event->kind == VAIL_EVENT_UNSHARED) {
		pictures_remove(&viewer->pictures, shared->handle);
		forget_screen(viewer, shared->handle);
	} else if (event->kind == VAIL_EVENT_SHARED && shared->object->plane_count > 0) {
		pictures_add(&viewer->pictures, shared->handle, shared->object->name);
	}
	if (event->kind == VAIL_EVENT_SHARED)
		handle_shared(viewer, shared);
	else if (event->kind == VAIL_EVENT_UPDATED)
		handle_update(viewer, event);
	else if (strcmp(viewer->wanted, shared->handle) == 0)
		handle_unshared(viewer);
}

static void handle_event(Viewer *viewer, const VailEvent *event, bool continues)
{
	switch (event->kind) {
	case VAIL_EVENT_SHARED:
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_UNSHARED:
		handle_object_event(viewer, event);
		break;
	case VAIL_EVENT_CURRENT:
		viewer->is_current = true;
		break;
	case VAIL_EVENT_UNREGISTERED:
		/*
		 * If the registration was the only reason why this process may watch, the watch
		 * ends with it. An operator's or VMM's watch continues, and it also reports
		 * registrations of other processes.
		 */
		if (!continues || event->pid == getpid())
			handle_end(viewer, event);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		handle_end(viewer, event);
		break;
	default:
		break;
	}
}

static bool watch_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
			void *context)
{
	Viewer *viewer = context;

	if (vail != viewer->watch)
		return false; /* the handle is being closed */
	if (!event && status == STATUS_NOT_FOUND)
		viewer->state = VIEWER_ENDED; /* the VM existed when we registered */
	else if (!event)
		handle_failure(viewer, vail, status);
	else if (viewer->state == VIEWER_WATCHING)
		handle_event(viewer, event, continues);
	if (!continues && viewer->state == VIEWER_WATCHING)
		start_reconnecting(viewer); /* the watch ended for an unknown reason */
	return viewer->state == VIEWER_WATCHING;
}

/* ---- Connection ---- */

static void close_watch(Viewer *viewer)
{
	vail_close(TAKE_POINTER(viewer->watch));
}

/* Registers this process and starts a new watch. */
static void connect_to_vaild(Viewer *viewer)
{
	NTSTATUS status = self_register(viewer->vail, viewer->guid, viewer->context, false);

	if (status != STATUS_SUCCESS) {
		handle_failure(viewer, viewer->vail, status);
		return;
	}
	viewer->was_registered = true;
	forget_hidden_screens(viewer);
	close_watch(viewer);
	status = vail_new(vail_path(viewer->vail), &viewer->watch);
	vail_set_resume(viewer->watch, false);
	if (status == STATUS_SUCCESS)
		status = vail_watch(viewer->watch, viewer->guid, watch_event, viewer);
	if (status == STATUS_SUCCESS)
		viewer->state = VIEWER_WATCHING;
	else
		handle_failure(viewer, viewer->watch ? viewer->watch : viewer->vail, status);
}

bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *name)
{
	*viewer = (Viewer){ .guid = guid, .state = VIEWER_WATCHING };
	if (name)
		viewer->name = strdup(name);
	if ((name && !viewer->name) || vail_new(path, &viewer->vail) != STATUS_SUCCESS) {
		log_message("this process is out of memory");
		return false;
	}
	/* Resuming is not enough: without systemd, a restarted vaild knows no registrations. */
	vail_set_resume(viewer->vail, false);
	connect_to_vaild(viewer);
	return viewer->state != VIEWER_FAILED;
}

void viewer_deinit(Viewer *viewer)
{
	close_watch(viewer);
	viewer->screen = NULL;
	forget_hidden_screens(viewer);
	vail_close(viewer->vail);
	pictures_clear(&viewer->pictures);
	free(viewer->name);
}

void viewer_process(Viewer *viewer)
{
	if (viewer->state == VIEWER_RECONNECTING && now_milliseconds() >= viewer->retry_at)
		connect_to_vaild(viewer);
	if (viewer->state == VIEWER_WATCHING)
		vail_process(viewer->watch); /* reports errors to watch_event() */
}

/* ---- Waiting ---- */

void viewer_describe_wait(const Viewer *viewer, char ret_sentence[WAIT_MESSAGE_SIZE])
{
	const Pictures *pictures = &viewer->pictures;
	const char *name = viewer->name;
	char names[PICTURES_NAMES_SIZE];

	if (viewer->state == VIEWER_RECONNECTING)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "vaild at %s cannot be reached, or does not know the virtual machine yet",
			 vail_path(viewer->vail));
	else if (!viewer->is_current)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "vaild has not reported yet what is shared");
	else if (viewer->screen)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE, "the picture has not changed");
	else if (pictures->count == 0 && viewer->has_shown)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "the picture is no longer shared; check that the virtual machine is not "
			 "paused, and that its VMM or vail-qemu runs");
	else if (pictures->count == 0)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "no picture is shared yet; check that the virtual machine is not paused, "
			 "and that its VMM or vail-qemu shares its screen");
	else if (name && !pictures_have(pictures, name))
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "no picture is shared as \"%s\"; shared are: %s", name,
			 pictures_names(pictures, names));
	else
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE, "no picture can be shown; shared are: %s",
			 pictures_names(pictures, names));
}

/* ---- Frames ---- */

static const char *shown_name(const Viewer *viewer)
{
	return *viewer->name ? viewer->name : "the object";
}

/* Opens the wanted object. Returns NULL if it cannot be shown. */
static Screen *open_wanted(Viewer *viewer)
{
	char message[SCREEN_MESSAGE_SIZE];
	Screen *screen = take_screen(viewer);
	NTSTATUS status = screen_open(screen, viewer->vail, viewer->wanted, message);

	if (status == STATUS_QUOTA_EXCEEDED || status == STATUS_INSUFFICIENT_RESOURCES) {
		forget_hidden_screens(viewer);
		status = screen_open(screen, viewer->vail, viewer->wanted, message);
	}
	if (status == STATUS_SUCCESS)
		return screen;
	viewer->wanted[0] = '\0';
	if (status == STATUS_NOT_SUPPORTED)
		log_remark(viewer, "%s is not shown: %s", shown_name(viewer), message);
	else if (status != STATUS_INVALID_HANDLE && status != STATUS_ACCESS_DENIED)
		handle_failure(viewer, viewer->vail, status);
	/* Otherwise the object or the registration has just ended; an event will report it. */
	return NULL;
}

/* Shows the wanted object, or none if there is none. */
static void show_wanted(Viewer *viewer)
{
	Screen *known = *viewer->wanted ? find_screen(viewer, viewer->wanted) : NULL;

	if (viewer->screen && (viewer->screen->has_ended || !*viewer->wanted))
		screen_close(viewer->screen, viewer->vail);
	viewer->screen = NULL;
	if (*viewer->wanted && !known)
		known = open_wanted(viewer);
	if (known)
		show_screen(viewer, known);
}

static bool shows_wanted(const Viewer *viewer)
{
	return viewer->screen && screen_has(viewer->screen, viewer->wanted);
}

bool viewer_next_frame(Viewer *viewer)
{
	char message[SCREEN_MESSAGE_SIZE];

	if (viewer->state == VIEWER_WATCHING && !shows_wanted(viewer))
		show_wanted(viewer);
	if (!viewer->screen || (!viewer->has_switched && !screen_is_stale(viewer->screen)))
		return false;
	viewer->has_switched = false;
	if (screen_read(viewer->screen, message))
		return true;
	log_remark(viewer, "%s cannot be read: %s", shown_name(viewer), message);
	return false;
}
