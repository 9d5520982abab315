/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_EVENT_H
#define LIBVAIL_EVENT_H

/* Events as vaild tells them, read into structs. */

#include "json.h"
#include "libvail-object-info.h"
#include "vail.h"

/* An event and what it points at. */
typedef struct EventReading {
	VailEvent event;
	ObjectReading object;
	VailRectangle *damage;
} EventReading;

VailEventKind event_kind(const JsonValue *value);

/* The texts are the value's. It points into itself: it must not be copied. Returns false when there
 * is no memory. */
bool event_reading_init(EventReading *reading, const JsonValue *value, const char *json);
void event_reading_deinit(EventReading *reading);

#endif
