/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_EVENT_H
#define CLIENT_LIBVAIL_EVENT_H

/* Decodes vaild's events into structs. */

#include "client/libvail/object-info.h"
#include "proto/json.h"
#include <vail.h>

/* An event, with the memory that it points to. */
typedef struct EventReading {
	VailEvent event;
	ObjectReading object;
	VailDisplay display;
	VailRectangle *damage;
	const char **changed;
} EventReading;

/* Returns VAIL_EVENT_UNKNOWN for a kind that this library does not know. */
VailEventKind event_kind(const JsonValue *value);

/*
 * Decodes an event. Its strings are borrowed from value, and json becomes the event's json member.
 * The struct points into itself, so it must not be copied. Returns false if out of memory; call
 * event_reading_deinit() in either case.
 */
bool event_reading_init(EventReading *reading, const JsonValue *value, const char *json);
void event_reading_deinit(EventReading *reading);

#endif
