/* SPDX-License-Identifier: MIT */
#include "client/libvail/watch-state.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/json-members.h"
#include "client/libvail/event.h"
#include "proto/json-writer.h"
#include "proto/macros.h"

/* The reason in events that the library derives, because vaild's own events were missed. */
#define REASON_WHILE_DISCONNECTED "it ended while the connection to vaild was lost"

/* The events that begin and end an entity, and the members that identify it. */
static const struct EventPair {
	const char *name;
	VailEventKind begin_event;
	VailEventKind end_event;
	const char *object;     /* the event's member with the entity; NULL for the event itself */
	const char *members[2]; /* make up the key; the second may be NULL */
	const char *identity;   /* NULL if the key is never reused */
} event_pairs[] = {
	{ "adapter",
	  VAIL_EVENT_ADAPTER_ADDED,
	  VAIL_EVENT_ADAPTER_REMOVED,
	  NULL,
	  { "adapter" },
	  NULL },
	{ "quarantine",
	  VAIL_EVENT_QUARANTINED,
	  VAIL_EVENT_QUARANTINE_LIFTED,
	  NULL,
	  { "virtualMachineGuid" },
	  "reason" },
	{ "machine",
	  VAIL_EVENT_VIRTUAL_MACHINE_ADDED,
	  VAIL_EVENT_VIRTUAL_MACHINE_REMOVED,
	  NULL,
	  { "virtualMachineGuid" },
	  "since" },
	{ "gpu",
	  VAIL_EVENT_VIRTUAL_GPU_ASSIGNED,
	  VAIL_EVENT_VIRTUAL_GPU_REMOVED,
	  NULL,
	  { "virtualGpu" },
	  NULL },
	{ "registration",
	  VAIL_EVENT_REGISTERED,
	  VAIL_EVENT_UNREGISTERED,
	  "registration",
	  { "virtualMachineGuid", "pid" },
	  "since" },
	{ "object", VAIL_EVENT_SHARED, VAIL_EVENT_UNSHARED, "sharedObject", { "handle" }, NULL },
	{ "display",
	  VAIL_EVENT_DISPLAY_OPENED,
	  VAIL_EVENT_DISPLAY_CLOSED,
	  "display",
	  { "display" },
	  NULL },
};

/* ---- Items ---- */

static void item_free(WatchedItem *item)
{
	if (!item)
		return;
	free(item->key);
	free(item->identity);
	free(item->event);
	free(item->holder);
	free(item->object);
	free(item);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const WatchedItem *)a)->key, ((const WatchedItem *)b)->key);
}

static WatchedItem *watch_state_find(const WatchState *state, const char *key)
{
	const WatchedItem wanted = { .key = (char *)key };
	void *found = tfind(&wanted, &state->tree, compare_keys);

	return found ? *(WatchedItem **)found : NULL;
}

static void watch_state_remove(WatchState *state, WatchedItem *item)
{
	if (!item)
		return;
	tdelete(item, &state->tree, compare_keys);
	TAILQ_REMOVE(&state->list, item, link);
	item_free(item);
}

/* Adds the item, or replaces one with its key. Frees it and returns false if out of memory. */
static bool watch_state_add(WatchState *state, WatchedItem *item)
{
	if (!item)
		return false;
	watch_state_remove(state, watch_state_find(state, item->key));
	if (!tsearch(item, &state->tree, compare_keys)) {
		item_free(item);
		return false;
	}
	TAILQ_INSERT_TAIL(&state->list, item, link);
	return true;
}

void watch_state_init(WatchState *state)
{
	*state = (WatchState){ 0 };
	TAILQ_INIT(&state->list);
}

void watch_state_deinit(WatchState *state)
{
	while (!TAILQ_EMPTY(&state->list))
		watch_state_remove(state, TAILQ_FIRST(&state->list));
}

void watch_state_move(WatchState *to, WatchState *from)
{
	TAILQ_CONCAT(&to->list, &from->list, link);
	to->tree = from->tree;
	from->tree = NULL;
}

/* Returns a member as JSON text, which the caller frees; "null" if absent. */
static char *member_json(const JsonValue *object, const char *name)
{
	const JsonValue *value = name ? json_member(object, name) : NULL;

	return value ? json_format(value, false) : strdup("null");
}

/* ---- Deriving events ---- */

/* Copies the members that identify the event's subject. Returns false if out of memory. */
static bool write_subject(Writer *writer, const JsonValue *event)
{
	static const char *const subjects[] = {
		"virtualMachineGuid",
		"registration",
		"sharedObject",
		"virtualGpu",
		"adapter",
		"since",
		"display",
	};

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		const JsonValue *value = json_member(event, subjects[i]);
		_cleanup_free_ char *text = value ? json_format(value, false) : NULL;
		char key[64];

		if (!value)
			continue;
		if (!text)
			return false;
		int length = snprintf(key, sizeof(key), "\"%s\":", subjects[i]);
		writer_key_quoted(writer, key, (size_t)length);
		writer_json(writer, text, strlen(text));
	}
	return true;
}

static bool has_reason(VailEventKind kind)
{
	return kind != VAIL_EVENT_SHARED && kind != VAIL_EVENT_DISPLAY_OPENED &&
	       kind != VAIL_EVENT_OPENED && kind != VAIL_EVENT_QUARANTINE_LIFTED;
}

/*
 * Makes an event of another kind about the subject of this one. holder is JSON text, or NULL.
 * Returns the event as JSON text, which the caller frees; NULL if out of memory.
 */
static char *event_as(VailEventKind kind, const JsonValue *event, const char *holder)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	Writer writer = WRITER_INIT(&text);

	writer_object_begin(&writer);
	writer_key(&writer, "kind");
	writer_string(&writer, vail_event_name(kind));
	bool is_written = write_subject(&writer, event);
	if (holder) {
		writer_key(&writer, "holder");
		writer_json(&writer, holder, strlen(holder));
	}
	if (has_reason(kind)) {
		writer_key(&writer, "status");
		writer_string(&writer, "STATUS_SUCCESS");
		writer_key(&writer, "reason");
		writer_string(&writer, REASON_WHILE_DISCONNECTED);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	return is_written && !writer.failed ? strdup(buffer_head(&text)) : NULL;
}

/* ---- Keys ---- */

static char *item_key(const struct EventPair *pair, const JsonValue *event)
{
	const JsonValue *object = pair->object ? json_member(event, pair->object) : event;
	_cleanup_free_ char *first = member_json(object, pair->members[0]);
	_cleanup_free_ char *second = member_json(object, pair->members[1]);
	char *key;

	if (!first || !second || asprintf(&key, "%s %s %s", pair->name, first, second) < 0)
		return NULL;
	return key;
}

static const struct EventPair *pair_by_name(const char *name)
{
	size_t i = 0;

	while (strcmp(event_pairs[i].name, name) != 0)
		i++;
	return &event_pairs[i];
}

static char *holder_key(const char *object, const JsonValue *holder)
{
	char *key;

	if (asprintf(&key, "holder %s %d", object, (int)member_number(holder, "pid")) < 0)
		return NULL;
	return key;
}

/* ---- Applying events ---- */

static WatchedItem *item_new(const struct EventPair *pair, const JsonValue *event)
{
	const JsonValue *object = pair->object ? json_member(event, pair->object) : event;
	WatchedItem *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->key = item_key(pair, event);
	item->identity = member_json(object, pair->identity);
	item->event = json_format(event, false);
	if (item->key && item->identity && item->event)
		return item;
	item_free(item);
	return NULL;
}

static WatchedItem *holder_new(const char *object, const JsonValue *holder)
{
	WatchedItem *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->key = holder_key(object, holder);
	item->identity = member_json(holder, "since");
	item->holder = json_format(holder, false);
	item->object = strdup(object);
	if (item->key && item->identity && item->holder && item->object)
		return item;
	item_free(item);
	return NULL;
}

static bool apply_holders(WatchState *state, const JsonValue *event)
{
	const JsonValue *holders = json_member(json_member(event, "sharedObject"), "holders");
	_cleanup_free_ char *object = item_key(pair_by_name("object"), event);

	if (!object)
		return false;
	for (size_t i = 0; i < json_array_size(holders); i++)
		if (!watch_state_add(state, holder_new(object, json_array_at(holders, i))))
			return false;
	return true;
}

/*
 * Removes an unshared object's holders. vaild does not report unshared objects to a new watch, so
 * their holders would look as if they had ended.
 */
static void remove_holders(WatchState *state, const char *object)
{
	WatchedItem *item = TAILQ_FIRST(&state->list);

	while (item) {
		WatchedItem *next = TAILQ_NEXT(item, link);

		if (item->object && strcmp(item->object, object) == 0)
			watch_state_remove(state, item);
		item = next;
	}
}

static bool apply_begin_event(WatchState *state, const struct EventPair *pair,
			      const JsonValue *event)
{
	if (!watch_state_add(state, item_new(pair, event)))
		return false;
	return pair->begin_event != VAIL_EVENT_SHARED || apply_holders(state, event);
}

static bool apply_end_event(WatchState *state, const struct EventPair *pair, const JsonValue *event)
{
	_cleanup_free_ char *key = item_key(pair, event);

	if (!key)
		return false;
	if (pair->end_event == VAIL_EVENT_UNSHARED)
		remove_holders(state, key);
	watch_state_remove(state, watch_state_find(state, key));
	return true;
}

/* Updates the object's stored event, which lists its holders. */
static bool refresh_object(WatchedItem *object, const JsonValue *event)
{
	char *refreshed = event_as(VAIL_EVENT_SHARED, event, NULL);

	if (!refreshed)
		return false;
	free(object->event);
	object->event = refreshed;
	return true;
}

static bool apply_holder(WatchState *state, VailEventKind kind, const JsonValue *event)
{
	const JsonValue *holder = json_member(event, "holder");
	_cleanup_free_ char *object_key = item_key(pair_by_name("object"), event);
	_cleanup_free_ char *key = object_key ? holder_key(object_key, holder) : NULL;
	WatchedItem *object = key ? watch_state_find(state, object_key) : NULL;

	if (!key || !object)
		return key != NULL; /* the object is unshared */
	if (!refresh_object(object, event))
		return false;
	if (kind == VAIL_EVENT_OPENED)
		return watch_state_add(state, holder_new(object_key, holder));
	watch_state_remove(state, watch_state_find(state, key));
	return true;
}

bool watch_state_apply(WatchState *state, const JsonValue *event)
{
	VailEventKind kind = event_kind(event);

	if (kind == VAIL_EVENT_OPENED || kind == VAIL_EVENT_RELEASED)
		return apply_holder(state, kind, event);
	for (size_t i = 0; i < ARRAY_SIZE(event_pairs); i++) {
		if (event_pairs[i].begin_event == kind)
			return apply_begin_event(state, &event_pairs[i], event);
		if (event_pairs[i].end_event == kind)
			return apply_end_event(state, &event_pairs[i], event);
	}
	return true;
}

/* ---- Comparing states ---- */

/* The arguments of a comparison. */
typedef struct Comparison {
	JsonParser *parser;
	WatchStateReporter report;
	void *context;
} Comparison;

/* Reports an event of another kind about the subject of this one. */
static WatchStateResult report_as(const Comparison *comparison, VailEventKind kind,
				  const char *event, const char *holder)
{
	const char *error;
	JsonValue *value = json_parse(comparison->parser, event, strlen(event), &error);
	_cleanup_free_ char *text = value ? event_as(kind, value, holder) : NULL;

	json_free(value);
	if (!text)
		return WATCH_STATE_NO_MEMORY;
	return comparison->report(text, comparison->context) ? WATCH_STATE_REPORTED
							     : WATCH_STATE_STOPPED;
}

static const struct EventPair *pair_of_item(const WatchedItem *item)
{
	size_t i = 0;

	while (strncmp(item->key, event_pairs[i].name, strlen(event_pairs[i].name)) != 0)
		i++;
	return &event_pairs[i];
}

static bool is_same(const WatchedItem *item, const WatchedItem *other)
{
	return other && strcmp(item->identity, other->identity) == 0;
}

/* Reports an item that has ended. Holders end silently with their object. */
static WatchStateResult report_ended(const Comparison *comparison, const WatchedItem *item,
				     const WatchState *after)
{
	const WatchedItem *other = watch_state_find(after, item->key);

	if (is_same(item, other))
		return WATCH_STATE_REPORTED;
	if (item->holder) {
		const WatchedItem *object = watch_state_find(after, item->object);

		return object ? report_as(comparison, VAIL_EVENT_RELEASED, object->event,
					  item->holder)
			      : WATCH_STATE_REPORTED;
	}
	const struct EventPair *pair = pair_of_item(item);
	/* A VM that is still in quarantine has a new reason, which report_begun() reports. */
	if (other && pair->begin_event == VAIL_EVENT_QUARANTINED)
		return WATCH_STATE_REPORTED;
	return report_as(comparison, pair->end_event, item->event, NULL);
}

/* Reports an item that has begun. The event of a new object already lists its holders. */
static WatchStateResult report_begun(const Comparison *comparison, const WatchedItem *item,
				     const WatchState *before, const WatchState *after)
{
	if (is_same(item, watch_state_find(before, item->key)))
		return WATCH_STATE_REPORTED;
	if (item->holder) {
		const WatchedItem *object = watch_state_find(after, item->object);

		return watch_state_find(before, item->object)
			       ? report_as(comparison, VAIL_EVENT_OPENED, object->event,
					   item->holder)
			       : WATCH_STATE_REPORTED;
	}
	return comparison->report(item->event, comparison->context) ? WATCH_STATE_REPORTED
								    : WATCH_STATE_STOPPED;
}

WatchStateResult watch_state_diff(const WatchState *before, const WatchState *after,
				  JsonParser *parser, WatchStateReporter report, void *context)
{
	const Comparison comparison = { .parser = parser, .report = report, .context = context };
	WatchStateResult result = WATCH_STATE_REPORTED;
	const WatchedItem *item;

	TAILQ_FOREACH_REVERSE(item, &before->list, WatchedItemList, link)
	if (result == WATCH_STATE_REPORTED)
		result = report_ended(&comparison, item, after);
	TAILQ_FOREACH (item, &after->list, link)
		if (result == WATCH_STATE_REPORTED)
			result = report_begun(&comparison, item, before, after);
	return result;
}
