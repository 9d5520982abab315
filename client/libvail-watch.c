/* SPDX-License-Identifier: MIT */
/* Watches: io.vaild.Watch as a stream of structs, on top of call_submit(). */
#include <stdlib.h>
#include <string.h>

#include "libvail-internal.h"
#include "libvail-object-info.h"
#include "libvail-parameters.h"
#include "status.h"

/* Lives from vail_watch() to the last call of the watcher. */
typedef struct Watching {
	VailWatch watch;
	void *context;
} Watching;

static const char *const event_names[] = {
	[VAIL_EVENT_UNKNOWN] = NULL,
	[VAIL_EVENT_CURRENT] = "current",
	[VAIL_EVENT_REGISTERED] = "registered",
	[VAIL_EVENT_UNREGISTERED] = "unregistered",
	[VAIL_EVENT_VIRTUAL_MACHINE_ADDED] = "virtualMachineAdded",
	[VAIL_EVENT_VIRTUAL_MACHINE_CHANGED] = "virtualMachineChanged",
	[VAIL_EVENT_VIRTUAL_MACHINE_REMOVED] = "virtualMachineRemoved",
	[VAIL_EVENT_VIRTUAL_GPU_ASSIGNED] = "virtualGpuAssigned",
	[VAIL_EVENT_VIRTUAL_GPU_REMOVED] = "virtualGpuRemoved",
	[VAIL_EVENT_QUARANTINED] = "quarantined",
	[VAIL_EVENT_QUARANTINE_LIFTED] = "quarantineLifted",
	[VAIL_EVENT_ADAPTER_ADDED] = "adapterAdded",
	[VAIL_EVENT_ADAPTER_REMOVED] = "adapterRemoved",
	[VAIL_EVENT_GPU_PROCESS_REMOVED] = "gpuProcessRemoved",
	[VAIL_EVENT_PAGE_TABLE_RESIDENT] = "pageTableResident",
	[VAIL_EVENT_SHARED] = "shared",
	[VAIL_EVENT_UPDATED] = "updated",
	[VAIL_EVENT_UNSHARED] = "unshared",
	[VAIL_EVENT_OPENED] = "opened",
	[VAIL_EVENT_RELEASED] = "released",
};

_Static_assert(ARRAY_SIZE(event_names) == VAIL_EVENT_RELEASED + 1, "each kind has its name");

const char *vail_event_name(VailEventKind kind)
{
	return (size_t)kind < ARRAY_SIZE(event_names) ? event_names[kind] : NULL;
}

/* An event and what it points at. */
typedef struct EventReading {
	VailEvent event;
	ObjectReading object;
	VailRectangle *damage;
} EventReading;

/* The events that are about a shared object. */
static bool read_object(EventReading *reading, const JsonValue *value)
{
	const JsonValue *object = json_member(value, "sharedObject");
	const JsonValue *holder = json_member(value, "holder");
	VailEvent *event = &reading->event;

	event->holder_pid = (pid_t)member_number(holder, "pid");
	event->holder_uid = (uid_t)member_number(holder, "uid");
	if (object && !object_reading_init(&reading->object, object))
		return false;
	event->shared_object = object ? &reading->object.object : NULL;
	if (!rectangles_read(json_member(value, "damage"), &reading->damage, &event->damage_count))
		return false;
	event->damage = reading->damage;
	return true;
}

/* The texts are the value's. It points into itself: it must not be copied. Returns false when there
 * is no memory. */
static bool event_reading_init(EventReading *reading, const JsonValue *value, const char *json)
{
	const JsonValue *registration = json_member(value, "registration");
	const char *status = member_text(value, "status");
	VailEvent event = {
		.size = sizeof(event),
		.kind = (VailEventKind)find_name(event_names, ARRAY_SIZE(event_names),
						 member_text(value, "kind")),
		.virtual_machine = member_text(value, "virtualMachineGuid"),
		.virtual_gpu = member_text(value, "virtualGpu"),
		.adapter = member_text(value, "adapter"),
		.pid = (pid_t)member_number(registration, "pid"),
		.uid = (uid_t)member_number(registration, "uid"),
		.graphics_context = member_text(registration, "graphicsContext"),
		.status = STATUS_SUCCESS,
		.reason = member_text(value, "reason"),
		.json = json,
		.process = member_text(value, "process"),
		.virtual_address = member_address(value, "virtualAddress"),
	};

	json_read_real(json_member(registration, "since"), &event.since);
	if (status)
		status_from_name(status, &event.status);
	*reading = (EventReading){ .event = event };
	return read_object(reading, value);
}

static void event_reading_deinit(EventReading *reading)
{
	object_reading_deinit(&reading->object);
	free(reading->damage);
}

static bool watching_end(struct vail *vail, const Watching *watching, NTSTATUS status)
{
	watching->watch(vail, status, NULL, false, watching->context);
	return false;
}

/* Hands one event to the watcher. */
static bool watching_tell(struct vail *vail, const Watching *watching, const JsonValue *value,
			  bool continues)
{
	_cleanup_free_ char *json = json_format(value, false);
	_cleanup_(event_reading_deinit) EventReading reading = { 0 };

	if (!json || !event_reading_init(&reading, value, json))
		return watching_end(vail, watching, vail_error_no_memory(vail));
	return watching->watch(vail, STATUS_SUCCESS, &reading.event, continues, watching->context);
}

/* The event is in the parameters. */
static bool watching_take(struct vail *vail, const Watching *watching, const Reply *reply)
{
	const JsonValue *value = json_member(reply->parameters, "event");

	if (value)
		return watching_tell(vail, watching, value, reply->continues);
	return watching_end(vail, watching,
			    vail_error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
					   "vaild answered without an event; use a libvail of its "
					   "version"));
}

static bool take_event(struct vail *vail, const Call *call, Reply *reply)
{
	Watching *watching = call->context;
	bool go_on = false;

	if (reply->status == STATUS_SUCCESS && reply->message)
		go_on = watching_take(vail, watching, reply);
	else
		watching_end(vail, watching, reply->status);
	if (!reply->continues || !go_on)
		free(watching); /* nothing more comes */
	return go_on;
}

static NTSTATUS submit_watch(struct vail *vail, const char *virtual_machine, Watching *watching)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	Request request = { .method = "io.vaild.Watch", .more = true };
	Call call = { .more = true, .handler = take_event, .context = watching };

	parameters_begin(&parameters);
	put_string(&parameters, "virtualMachineGuid", virtual_machine);
	NTSTATUS status = parameters_end(vail, &parameters, &request.parameters);
	if (status != STATUS_SUCCESS)
		return status;
	vail_begin(vail);
	return call_submit(vail, &request, &call);
}

NTSTATUS vail_watch(struct vail *vail, const char *virtual_machine, VailWatch watch, void *context)
{
	if (!vail || !watch)
		return STATUS_INVALID_PARAMETER;
	Watching *watching = malloc(sizeof(*watching));
	if (!watching)
		return vail_error_no_memory(vail);
	*watching = (Watching){ .watch = watch, .context = context };
	NTSTATUS status = submit_watch(vail, virtual_machine, watching);
	if (status != STATUS_SUCCESS)
		free(watching);
	return status;
}
