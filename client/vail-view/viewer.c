/* SPDX-License-Identifier: MIT */
#include "client/vail-view/viewer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/common/self-register.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

/* Time between attempts to reconnect to vaild, in milliseconds. */
#define RETRY_INTERVAL 500

/* ---- Failures ---- */

static void start_reconnecting(Viewer *viewer)
{
	if (viewer->state == VIEWER_WATCHING)
		log_message("the connection to vaild at %s is lost; retrying until vaild and the "
			    "virtual machine are back",
			    vail_path(viewer->vail));
	viewer->state = VIEWER_RECONNECTING;
	viewer->retry_at = now_milliseconds() + RETRY_INTERVAL;
	follower_handle_loss(&viewer->picture); /* the next watch reports the current objects */
	follower_handle_loss(&viewer->cursor);
	viewer->is_current = false;
	pictures_clear(&viewer->pictures);
}

/* Size of the buffer of advice that names the VM. */
#define ADVICE_SIZE (SHELL_QUOTE_SIZE + 64)

/* Returns advice about a refusal, or NULL if the advice of vaild fits. */
static const char *refusal_advice(NTSTATUS status, const char *machine,
				  char advice[static ADVICE_SIZE])
{
	char quoted[SHELL_QUOTE_SIZE];

	switch (status) {
	case STATUS_NOT_FOUND:
		return "start it, or list the VMs that you may see with: vailctl list";
	case STATUS_GRAPHICS_VAIL_STATE_CHANGED:
		snprintf(advice, ADVICE_SIZE, "have an operator run: vailctl vgpu assign %s",
			 shell_quote(machine, quoted));
		return advice;
	default:
		return NULL;
	}
}

static void viewer_fail(Viewer *viewer, const struct vail *vail, NTSTATUS status)
{
	char typed[PLAIN_QUOTE_SIZE], advice[ADVICE_SIZE];
	Wording wording = { .subject = plain_quote(viewer->machine, typed),
			    .machine = viewer->machine };

	wording.advice = refusal_advice(status, viewer->machine, advice);
	_cleanup_free_ char *sentence = message_refusal(vail, status, &wording);

	const char *failure = sentence ? sentence : "out of memory";

	/* In quarantine, each key press can be another attempt. */
	if (!viewer->is_in_quarantine || strncmp(viewer->failure, failure, FAILURE_SIZE - 1) != 0)
		log_message("%s", failure);
	snprintf(viewer->failure, FAILURE_SIZE, "%s", failure);
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

/* ---- Shared objects ---- */

static bool handle_is_valid(const VailSharedObject *shared)
{
	return shared->handle && strlen(shared->handle) < VAIL_HANDLE_SIZE;
}

static bool list_object(struct vail *vail, const VailSharedObject *shared, void *context)
{
	(void)vail;
	if (handle_is_valid(shared))
		follower_handle_listed(context, shared);
	return true;
}

/*
 * Follows the cursor of the picture as soon as its name is known. The cursor may have been reported
 * before the picture.
 */
static void follow_cursor(Viewer *viewer)
{
	const char *name = viewer->picture.name;

	if (!viewer->with_cursor || viewer->cursor.name || !name)
		return;
	if (asprintf(&viewer->cursor.name, "%s" CURSOR_NAME_END, name) < 0)
		viewer->cursor.name = NULL;
	else
		vail_list_objects(viewer->vail, viewer->guid, list_object, &viewer->cursor);
}

static void handle_shared(Viewer *viewer, const VailSharedObject *shared)
{
	viewer->shares++;
	if (shared->object->plane_count > 0)
		pictures_add(&viewer->pictures, shared->handle, shared->object->name);
	follower_handle_shared(&viewer->picture, shared);
	if (viewer->cursor.name)
		follower_handle_shared(&viewer->cursor, shared);
	else
		follow_cursor(viewer);
}

static void handle_unshared(Viewer *viewer, Follower *follower, const char *handle)
{
	if (follower_handle_unshared(follower, handle))
		vail_list_objects(viewer->vail, viewer->guid, list_object, follower);
}

static void handle_object_event(Viewer *viewer, const VailEvent *event)
{
	const VailSharedObject *shared = event->shared_object;

	if (!shared || !handle_is_valid(shared))
		return;
	if (event->kind == VAIL_EVENT_SHARED) {
		handle_shared(viewer, shared);
	} else if (event->kind == VAIL_EVENT_UPDATED) {
		follower_handle_update(&viewer->picture, event);
		if (viewer->cursor.name)
			follower_handle_update(&viewer->cursor, event);
	} else {
		pictures_remove(&viewer->pictures, shared->handle);
		handle_unshared(viewer, &viewer->picture, shared->handle);
		handle_unshared(viewer, &viewer->cursor, shared->handle);
	}
}

/* ---- Events ---- */

void viewer_log_end(Viewer *viewer)
{
	char typed[PLAIN_QUOTE_SIZE];

	log_message("the virtual machine %s has ended", plain_quote(viewer->machine, typed));
	fleet_move_begin(&viewer->move, viewer->guid);
}

/* Says where the VM is when the search for it has ended. */
static void follow_move(Viewer *viewer)
{
	char typed[PLAIN_QUOTE_SIZE];

	if (viewer->moved || !fleet_move_process(&viewer->move))
		return;
	viewer->moved =
		fleet_move_note(&viewer->move, plain_quote(viewer->machine, typed), program_name);
	fleet_move_deinit(&viewer->move);
	if (viewer->moved)
		log_message("%s", viewer->moved);
}

void viewer_finish_search(Viewer *viewer)
{
	fleet_move_finish(&viewer->move);
	follow_move(viewer);
}

/* Handles the end of the registration or of the VM. */
static void handle_end(Viewer *viewer, const VailEvent *event)
{
	bool is_in_quarantine = event->reason && strcmp(event->reason, "quarantined") == 0;
	const char *reason = event->reason ? plain_reason(event->reason) : "no reason given";
	char code[STATUS_CODE_SIZE], typed[PLAIN_QUOTE_SIZE];

	if (is_in_quarantine)
		reason = "it is in quarantine";
	if (event->kind == VAIL_EVENT_VIRTUAL_MACHINE_REMOVED ||
	    event->status == STATUS_NOT_FOUND) {
		viewer->state = VIEWER_ENDED;
	} else {
		log_message("this process is no longer registered for virtual machine %s: %s (%s)",
			    plain_quote(viewer->machine, typed), reason,
			    message_status(event->status, code));
		viewer->is_in_quarantine = is_in_quarantine;
		snprintf(viewer->failure, FAILURE_SIZE,
			 "the virtual machine may no longer be seen: %s", reason);
		viewer->state = VIEWER_FAILED;
	}
}

/* Tests whether the member of the VM may have changed. */
static bool changes(const VailEvent *event, const char *member)
{
	for (size_t i = 0; i < event->changed_count; i++)
		if (strcmp(event->changed[i], member) == 0)
			return true;
	return event->changed_count == 0;
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
		viewer->rights_changes++;
		break;
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		viewer->rights_changes += changes(event, "displayClients");
		viewer->shares += changes(event, "displayServerPid");
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
	viewer->is_in_quarantine = false;
	follower_close_hidden(&viewer->picture);
	follower_close_hidden(&viewer->cursor);
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

bool viewer_init(Viewer *viewer, const char *path, const char *guid, const char *machine,
		 const char *name, bool with_cursor)
{
	*viewer = (Viewer){
		.guid = guid, .machine = machine, .with_cursor = with_cursor, .state = VIEWER_FAILED
	};
	if (name)
		viewer->picture.name = strdup(name);
	if ((name && !viewer->picture.name) || vail_new(path, &viewer->vail) != STATUS_SUCCESS) {
		log_message("this process is out of memory");
		return false;
	}
	viewer->picture.vail = viewer->cursor.vail = viewer->vail;
	viewer->picture.bytes_max = PICTURE_BYTES_MAX;
	viewer->cursor.bytes_max = CURSOR_BYTES_MAX;
	/* Resuming is not enough: without systemd, a restarted vaild knows no registrations. */
	vail_set_resume(viewer->vail, false);
	viewer->state = VIEWER_WATCHING;
	connect_to_vaild(viewer);
	return viewer->state != VIEWER_FAILED;
}

void viewer_deinit(Viewer *viewer)
{
	close_watch(viewer);
	follower_deinit(&viewer->picture);
	follower_deinit(&viewer->cursor);
	vail_close(viewer->vail);
	pictures_clear(&viewer->pictures);
	fleet_move_deinit(&viewer->move);
	free(viewer->moved);
}

void viewer_retry(Viewer *viewer)
{
	if (viewer->state != VIEWER_FAILED)
		return;
	start_reconnecting(viewer);
	viewer->retry_at = now_milliseconds();
}

void viewer_process(Viewer *viewer)
{
	if (viewer->state == VIEWER_RECONNECTING && now_milliseconds() >= viewer->retry_at)
		connect_to_vaild(viewer);
	if (viewer->state == VIEWER_WATCHING)
		vail_process(viewer->watch); /* reports errors to watch_event() */
	if (viewer->state == VIEWER_ENDED)
		follow_move(viewer);
}

/* ---- Waiting ---- */

void viewer_describe_wait(const Viewer *viewer, char ret_sentence[WAIT_MESSAGE_SIZE])
{
	const Pictures *pictures = &viewer->pictures;
	const char *name = viewer->picture.name;
	char names[PICTURES_NAMES_SIZE];

	if (viewer->state == VIEWER_FAILED)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE, "%s", viewer->failure);
	else if (viewer->state == VIEWER_ENDED)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE, "%s",
			 viewer->moved ? viewer->moved : "the virtual machine has ended");
	else if (viewer->state == VIEWER_RECONNECTING)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "vaild at %s cannot be reached, or does not know the virtual machine yet",
			 vail_path(viewer->vail));
	else if (!viewer->is_current)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE,
			 "vaild has not reported yet what is shared");
	else if (viewer->picture.screen)
		snprintf(ret_sentence, WAIT_MESSAGE_SIZE, "the picture has not changed");
	else if (pictures->count == 0 && viewer->picture.has_shown)
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

static bool next_frame(Viewer *viewer, Follower *follower)
{
	if (viewer->state == VIEWER_WATCHING) {
		NTSTATUS status = follower_switch(follower);

		if (status != STATUS_SUCCESS)
			handle_failure(viewer, viewer->vail, status);
	}
	return follower_read(follower);
}

bool viewer_next_frame(Viewer *viewer)
{
	return next_frame(viewer, &viewer->picture);
}

bool viewer_next_cursor(Viewer *viewer)
{
	return next_frame(viewer, &viewer->cursor);
}
