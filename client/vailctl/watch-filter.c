/* SPDX-License-Identifier: MIT */
#include "client/vailctl/watch-filter.h"

#include <stdio.h>
#include <string.h>

#include "client/common/program-options.h"
#include "client/vailctl/options.h"
#include "proto/macros.h"
#include "proto/suggest.h"

#define KIND_BIT(kind) (UINT64_C(1) << (kind))

/* Finds the kind with this name. Returns VAIL_EVENT_UNKNOWN if there is none. */
static VailEventKind kind_find(const char *name, size_t length)
{
	const char *known;

	for (int kind = VAIL_EVENT_CURRENT; (known = vail_event_name((VailEventKind)kind)); kind++)
		if (strlen(known) == length && memcmp(known, name, length) == 0)
			return (VailEventKind)kind;
	return VAIL_EVENT_UNKNOWN;
}

static int kind_unknown(const char *name, size_t length)
{
	const char *names[64];
	char typed[64];
	size_t count = 0;
	const char *known;

	snprintf(typed, sizeof(typed), "%.*s", (int)length, name);
	for (int kind = VAIL_EVENT_CURRENT;
	     (known = vail_event_name((VailEventKind)kind)) && count < ARRAY_SIZE(names); kind++)
		names[count++] = known;
	const char *nearest = suggest_nearest(typed, names, count);
	if (nearest)
		return usage_error("%s is no kind of event; did you mean %s? see vailctl help "
				   "watch",
				   typed, nearest);
	return usage_error("%s is no kind of event; see vailctl help watch for the kinds", typed);
}

int event_kinds_parse(const char *text, uint64_t *kinds)
{
	while (true) {
		size_t length = strcspn(text, ",");
		VailEventKind kind = kind_find(text, length);

		if (kind == VAIL_EVENT_UNKNOWN)
			return kind_unknown(text, length);
		*kinds |= KIND_BIT(kind);
		if (!text[length])
			return EXIT_DONE;
		text += length + 1;
	}
}

static bool is_of_object(const VailEvent *event, const char *handle)
{
	return event->shared_object && event->shared_object->handle &&
	       strcmp(event->shared_object->handle, handle) == 0;
}

bool watch_shows(const Options *options, const VailEvent *event)
{
	if (options->object && event->kind != VAIL_EVENT_CURRENT &&
	    !is_of_object(event, options->object))
		return false;
	if (options_have(options, OPTION_KIND))
		return options->kinds & KIND_BIT(event->kind);
	return event->kind != VAIL_EVENT_UPDATED || options_have(options, OPTION_ALL) ||
	       options_have(options, OPTION_JSON);
}
