/* SPDX-License-Identifier: MIT */
#include "client/libvail/event.h"

#include <stdlib.h>

#include "client/libvail/display-info.h"
#include "client/libvail/names.h"
#include "client/libvail/parameters.h"
#include "proto/status.h"

VailEventKind event_kind(const JsonValue *value)
{
	return event_kind_from_name(member_text(value, "kind"));
}

/* Decodes the members of events about shared objects. Returns false if out of memory. */
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

/* Decodes the names of what changed. Returns false if out of memory. */
static bool read_changed(EventReading *reading, const JsonValue *names)
{
	size_t count = json_array_size(names);

	if (count == 0)
		return true;
	reading->changed = calloc(count, sizeof(*reading->changed));
	if (!reading->changed)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string(json_array_at(names, i));

		if (name)
			reading->changed[reading->event.changed_count++] = name;
	}
	reading->event.changed = reading->changed;
	return true;
}

bool event_reading_init(EventReading *reading, const JsonValue *value, const char *json)
{
	const JsonValue *registration = json_member(value, "registration");
	const JsonValue *display = json_member(value, "display");
	const char *status = member_text(value, "status");
	VailEvent event = {
		.size = sizeof(event),
		.kind = event_kind(value),
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

	json_read_real(json_member(registration ? registration : value, "since"), &event.since);
	if (status)
		status_from_name(status, &event.status);
	*reading = (EventReading){ .event = event };
	if (display) {
		reading->display = display_read(display);
		reading->event.display = &reading->display;
	}
	return read_object(reading, value) && read_changed(reading, json_member(value, "changed"));
}

void event_reading_deinit(EventReading *reading)
{
	object_reading_deinit(&reading->object);
	free(reading->damage);
	free(reading->changed);
}
