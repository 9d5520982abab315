/* SPDX-License-Identifier: MIT */
#include "viewer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "object-picture.h"
#include "own-process.h"

/* How long to wait before vaild is tried again, in milliseconds. */
#define RETRY_INTERVAL 500

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write("vail-view", format, arguments);
	va_end(arguments);
}

int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Who shares can do the wrong thing for each frame anew: that is said once. */
_printf_(2, 3) static void remark(Viewer *viewer, const char *format, ...)
{
	char text[SCREEN_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (strcmp(text, viewer->remark) == 0)
		return;
	memcpy(viewer->remark, text, sizeof(text));
	say("%s", text);
}

/* ---- What becomes of it ---- */

static void lose(Viewer *viewer)
{
	if (viewer->state == VIEWER_WATCHES)
		say("the connection to vaild at %s is lost; trying until it and the virtual "
		    "machine are back",
		    vail_path(viewer->vail));
	viewer->state = VIEWER_LOST;
	viewer->retry_at = now_milliseconds() + RETRY_INTERVAL;
	viewer->wanted[0] = '\0'; /* the next watch tells what there is */
}

static void fail(Viewer *viewer, const struct vail *vail, NTSTATUS status)
{
	_cleanup_free_ char *sentence = message_refusal(vail, status);

	say("%s", sentence ? sentence : "out of memory");
	viewer->state = VIEWER_FAILED;
}

/* Whether the status says that there is nobody to ask. */
static bool is_loss(NTSTATUS status)
{
	return status == STATUS_CONNECTION_REFUSED || status == STATUS_CONNECTION_DISCONNECTED ||
	       status == STATUS_IO_TIMEOUT;
}

/* A vaild that comes back is yet to open its socket to others, and to be told of its VMs and their
 * vGPUs. */
static bool may_come(const struct vail *vail, NTSTATUS status)
{
	return status == STATUS_NOT_FOUND || status == STATUS_GRAPHICS_VAIL_STATE_CHANGED ||
	       (status == STATUS_ACCESS_DENIED && !vail_error_name(vail));
}

/* A call failed. vail: the handle that it was on. */
static void refuse(Viewer *viewer, const struct vail *vail, NTSTATUS status)
{
	bool is_coming = viewer->state == VIEWER_LOST && may_come(vail, status);

	if (viewer->was_registered && (is_loss(status) || is_coming))
		lose(viewer);
	else
		fail(viewer, vail, status);
}

/* ---- Events ---- */

/* The first that can be shown decides what is followed. */
static bool takes_name(Viewer *viewer, const VailObjectInfo *info)
{
	const char *name = info->name ? info->name : "";
	char message[SCREEN_MESSAGE_SIZE];

	if (viewer->name && strcmp(viewer->name, name) != 0)
		return false;
	if (!object_picture_check(info, message, sizeof(message))) {
		if (viewer->name || info->plane_count > 0)
			remark(viewer, "%s is not shown: %s", *name ? name : "the object", message);
		return false;
	}
	if (!viewer->name)
		viewer->name = strdup(name);
	return viewer->name;
}

static void take_shared(Viewer *viewer, const VailSharedObject *shared)
{
	if (!takes_name(viewer, shared->object))
		return;
	strcpy(viewer->wanted, shared->handle);
	/* A vaild that came back tells of it again; nobody told what was drawn meanwhile. */
	if (screen_has(&viewer->screen, shared->handle))
		framebuffer_damage_all(&viewer->screen.framebuffer);
}

static void take_update(Viewer *viewer, const VailEvent *event)
{
	if (!screen_has(&viewer->screen, event->shared_object->handle))
		return; /* what is opened later is read whole */
	if (event->damage_count == 0)
		framebuffer_damage_all(&viewer->screen.framebuffer);
	for (size_t i = 0; i < event->damage_count; i++)
		framebuffer_damage(&viewer->screen.framebuffer, &event->damage[i]);
}

/* The registration, or the VM, is gone. */
static void take_end(Viewer *viewer, const VailEvent *event)
{
	const char *reason = event->reason ? event->reason : "no reason is told";
	char code[STATUS_CODE_SIZE];

	if (event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED ||
	    event->status == STATUS_NOT_FOUND) {
		viewer->state = VIEWER_ENDED;
	} else {
		say("this process is registered for the virtual machine %s no longer: %s (%s)",
		    viewer->guid, reason, message_status(event->status, code));
		viewer->state = VIEWER_FAILED;
	}
}

static void take_object_event(Viewer *viewer, const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (!shared || !shared->handle || strlen(shared->handle) >= VAIL_HANDLE_SIZE)
		return;
	if (event->kind == VAIL_EVENT_SHARED)
		take_shared(viewer, shared);
	else if (event->kind == VAIL_EVENT_UPDATED)
		take_update(viewer, event);
	else if (strcmp(viewer->wanted, shared->handle) == 0)
		viewer->wanted[0] = '\0';
}

static void take_event(Viewer *viewer, const VailEvent *event, bool continues)
{
	switch (event->kind) {
	case VAIL_EVENT_SHARED:
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_UNSHARED:
		take_object_event(viewer, event);
		break;
	case VAIL_EVENT_UNREGISTERED:
		/* With the last of its entitlements the watch of a process ends. That of an
		 * operator or a VMM goes on, and tells of others as well. */
		if (!continues || event->pid == getpid())
			take_end(viewer, event);
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_REMOVED:
		take_end(viewer, event);
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
		return false; /* it is being closed */
	if (!event && status == STATUS_NOT_FOUND)
		viewer->state = VIEWER_ENDED; /* since it was registered for */
	else if (!event)
		refuse(viewer, vail, status);
	else if (viewer->state == VIEWER_WATCHES)
		take_event(viewer, event, continues);
	if (!continues && viewer->state == VIEWER_WATCHES)
		lose(viewer); /* the watch has ended by what is no known end */
	return viewer->state == VIEWER_WATCHES;
}

/* ---- vaild ---- */

static void close_watch(Viewer *viewer)
{
	vail_close(TAKE_POINTER(viewer->watch));
}

/* Registers, and watches from the beginning. */
static void connect_to_vaild(Viewer *viewer)
{
	NTSTATUS status = own_process_register(viewer->vail, viewer->guid, false);

	if (status != STATUS_SUCCESS) {
		refuse(viewer, viewer->vail, status);
		return;
	}
	viewer->was_registered = true;
	close_watch(viewer);
	status = vail_new(vail_path(viewer->vail), &viewer->watch);
	vail_set_resume(viewer->watch, false);
	if (status == STATUS_SUCCESS)
		status = vail_watch(viewer->watch, viewer->guid, watch_event, viewer);
	if (status == STATUS_SUCCESS)
		viewer->state = VIEWER_WATCHES;
	else
		refuse(viewer, viewer->watch ? viewer->watch : viewer->vail, status);
}

bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *name)
{
	*viewer = (Viewer){ .guid = guid, .state = VIEWER_WATCHES };
	if (name)
		viewer->name = strdup(name);
	if ((name && !viewer->name) || vail_new(path, &viewer->vail) != STATUS_SUCCESS) {
		say("this process is out of memory");
		return false;
	}
	/* Without systemd a vaild that comes back knows of no registration. */
	vail_set_resume(viewer->vail, false);
	connect_to_vaild(viewer);
	return viewer->state != VIEWER_FAILED;
}

void viewer_deinit(Viewer *viewer)
{
	close_watch(viewer);
	screen_close(&viewer->screen, viewer->vail);
	vail_close(viewer->vail);
	free(viewer->name);
}

void viewer_process(Viewer *viewer)
{
	if (viewer->state == VIEWER_LOST && now_milliseconds() >= viewer->retry_at)
		connect_to_vaild(viewer);
	if (viewer->state == VIEWER_WATCHES)
		vail_process(viewer->watch); /* what is wrong comes to watch_event() */
}

/* ---- Frames ---- */

static const char *shown_name(const Viewer *viewer)
{
	return *viewer->name ? viewer->name : "the object";
}

/* Opens what is wanted in place of what is open. */
static void open_wanted(Viewer *viewer)
{
	char message[SCREEN_MESSAGE_SIZE];

	screen_close(&viewer->screen, viewer->vail);
	if (!*viewer->wanted)
		return;
	NTSTATUS status = screen_open(&viewer->screen, viewer->vail, viewer->wanted, message);
	if (status == STATUS_SUCCESS)
		return;
	viewer->wanted[0] = '\0';
	if (status == STATUS_NOT_SUPPORTED)
		remark(viewer, "%s is not shown: %s", shown_name(viewer), message);
	else if (status != STATUS_INVALID_HANDLE && status != STATUS_ACCESS_DENIED)
		refuse(viewer, viewer->vail, status);
	/* It is gone already, or the registration is: the events that follow say so. */
}

bool viewer_next_frame(Viewer *viewer)
{
	char message[SCREEN_MESSAGE_SIZE];

	if (viewer->state == VIEWER_WATCHES && !screen_has(&viewer->screen, viewer->wanted))
		open_wanted(viewer);
	if (!screen_is_damaged(&viewer->screen))
		return false;
	if (screen_read(&viewer->screen, message))
		return true;
	remark(viewer, "%s cannot be read: %s", shown_name(viewer), message);
	return false;
}
