/* SPDX-License-Identifier: MIT */
/*
 * Watches: decodes the stream of io.vaild.Watch into structs.
 *
 * To survive a restart of vaild, a watch remembers what it has reported. After reconnecting it
 * collects what exists now, until the event "current". Then it reports the differences.
 */
#include <stdlib.h>
#include <string.h>

#include "client/libvail/event.h"
#include "client/libvail/internal.h"
#include "client/libvail/parameters.h"
#include "client/libvail/watch-state.h"

/* Exists from vail_watch() until the last call of the callback. */
typedef struct Watch {
	struct vail *vail;
	VailWatch callback;
	void *context;
	WatchState reported;
	WatchState collected;  /* from vaild since the reconnect, until the event "current" */
	bool current_reported; /* VAIL_EVENT_CURRENT was reported */
	bool interrupted;      /* VAIL_EVENT_INTERRUPTED was reported, the changes since were not */
} Watch;

static Watch *watch_new(struct vail *vail, VailWatch callback, void *context)
{
	Watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->vail = vail;
	watch->callback = callback;
	watch->context = context;
	watch_state_init(&watch->reported);
	watch_state_init(&watch->collected);
	return watch;
}

static void watch_free(Watch *watch)
{
	watch_state_deinit(&watch->reported);
	watch_state_deinit(&watch->collected);
	free(watch);
}

static bool end_watch(const Watch *watch, NTSTATUS status)
{
	watch->callback(watch->vail, status, NULL, false, watch->context);
	return false;
}

static bool end_without_memory(const Watch *watch)
{
	return end_watch(watch, error_set_no_memory(watch->vail));
}

/* ---- Reporting ---- */

/* Passes an event of vaild to the callback. Returns false if the watch ends. */
static bool report(const Watch *watch, const JsonValue *value, bool continues)
{
	_cleanup_free_ char *json = json_format(value, false);
	_cleanup_(event_reading_deinit) EventReading reading = { 0 };

	if (!json || !event_reading_init(&reading, value, json))
		return end_without_memory(watch);
	return watch->callback(watch->vail, STATUS_SUCCESS, &reading.event, continues,
			       watch->context);
}

/* Passes one of the library's own events to the callback. Returns false if the watch ends. */
static bool report_own(const Watch *watch, VailEventKind kind)
{
	_cleanup_(buffer_deinit) Buffer json = BUFFER_INIT;
	/* A copy, because the callback may use the handle and so replace its message. */
	_cleanup_free_ char *reason = strdup(vail_error_message(watch->vail));
	VailEvent event = { .size = sizeof(event), .kind = kind };
	Writer writer = WRITER_INIT(&json);

	if (!reason)
		return end_without_memory(watch);
	writer_object_begin(&writer);
	writer_key(&writer, "kind");
	writer_string(&writer, vail_event_name(kind));
	if (kind == VAIL_EVENT_INTERRUPTED) {
		event.status = STATUS_CONNECTION_DISCONNECTED;
		event.reason = reason;
		writer_key(&writer, "status");
		writer_string(&writer, vail_status_name(event.status));
		writer_key(&writer, "reason");
		writer_string(&writer, event.reason);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	if (writer.failed)
		return end_without_memory(watch);
	event.json = buffer_head(&json);
	return watch->callback(watch->vail, STATUS_SUCCESS, &event, true, watch->context);
}

static bool report_text(const char *text, void *context)
{
	const Watch *watch = context;
	const char *error;
	JsonValue *value = json_parse(watch->vail->parser, text, strlen(text), &error);
	bool go_on = value ? report(watch, value, true) : end_without_memory(watch);

	json_free(value);
	return go_on;
}

/* ---- Resuming ---- */

/* The connection is lost. Returns false, with the watch freed, if the callback ended it. */
static bool watch_on_disconnect(struct vail *vail, PendingCall *call)
{
	Watch *watch = call->context;
	bool go_on = watch->interrupted || report_own(watch, VAIL_EVENT_INTERRUPTED);

	(void)vail;
	watch->interrupted = true;
	watch_state_deinit(&watch->collected);
	if (!go_on)
		watch_free(watch);
	return go_on;
}

/* vaild has reported all that exists: reports the differences. Returns false if the watch ends. */
static bool report_changes(Watch *watch)
{
	WatchStateResult result = watch_state_diff(&watch->reported, &watch->collected,
						   watch->vail->parser, report_text, watch);

	if (result == WATCH_STATE_NO_MEMORY)
		return end_without_memory(watch);
	watch_state_deinit(&watch->reported);
	watch_state_move(&watch->reported, &watch->collected);
	watch->interrupted = false;
	if (result == WATCH_STATE_REPORTED && !watch->current_reported)
		result = report_own(watch, VAIL_EVENT_CURRENT) ? WATCH_STATE_REPORTED
							       : WATCH_STATE_STOPPED;
	watch->current_reported = true;
	return result == WATCH_STATE_REPORTED && report_own(watch, VAIL_EVENT_RESUMED);
}

/* Handles an event between the reconnect and "current". Returns false if the watch ends. */
static bool collect_event(Watch *watch, const JsonValue *value)
{
	switch (event_kind(value)) {
	case VAIL_EVENT_CURRENT:
		return report_changes(watch);
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		return true; /* VAIL_EVENT_RESUMED covers such changes */
	case VAIL_EVENT_UNKNOWN:
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
	case VAIL_EVENT_PAGE_TABLE_RESIDENT:
		return report(watch, value, true);
	default:
		return watch_state_apply(&watch->collected, value) || end_without_memory(watch);
	}
}

/* ---- Receiving ---- */

static bool on_event(Watch *watch, const JsonValue *value, bool continues)
{
	if (watch->interrupted && continues)
		return collect_event(watch, value);
	if (watch->vail->resumes && !watch_state_apply(&watch->reported, value))
		return end_without_memory(watch);
	watch->current_reported |= event_kind(value) == VAIL_EVENT_CURRENT;
	return report(watch, value, continues);
}

static bool on_reply(Watch *watch, const Reply *reply)
{
	const JsonValue *value = json_member(reply->parameters, "event");

	if (value)
		return on_event(watch, value, reply->continues);
	return end_watch(watch,
			 error_set(watch->vail, STATUS_INVALID_NETWORK_RESPONSE,
				   "vaild's reply has no event; use the libvail that belongs "
				   "to this vaild"));
}

static bool watch_on_reply(struct vail *vail, const PendingCall *call, Reply *reply)
{
	Watch *watch = call->context;
	bool go_on = false;

	(void)vail;
	if (reply->status == STATUS_SUCCESS && reply->message)
		go_on = on_reply(watch, reply);
	else
		end_watch(watch, reply->status);
	if (!reply->continues || !go_on)
		watch_free(watch);
	return go_on;
}

static NTSTATUS submit_watch(struct vail *vail, const char *virtual_machine, Watch *watch)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	CallRequest request = { .method = "io.vaild.Watch", .more = true };
	PendingCall call = { .more = true,
			     .handler = watch_on_reply,
			     .on_disconnect = watch_on_disconnect,
			     .context = watch };

	parameters_begin(&parameters);
	put_string(&parameters, "virtualMachineGuid", virtual_machine);
	NTSTATUS status = parameters_end(vail, &parameters, &request.parameters);
	if (status != STATUS_SUCCESS)
		return status;
	handle_begin_call(vail);
	return call_submit(vail, &request, &call);
}

NTSTATUS vail_watch(struct vail *vail, const char *virtual_machine, VailWatch callback,
		    void *context)
{
	use_or_refuse(vail);
	if (!vail || !callback)
		return STATUS_INVALID_PARAMETER;
	Watch *watch = watch_new(vail, callback, context);
	if (!watch)
		return error_set_no_memory(vail);
	NTSTATUS status = submit_watch(vail, virtual_machine, watch);
	if (status != STATUS_SUCCESS)
		watch_free(watch);
	return status;
}
