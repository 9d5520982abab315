/* SPDX-License-Identifier: MIT */
#include "libvail-known.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvail-event.h"
#include "macros.h"
#include "members.h"
#include "writer.h"

/* What vaild cannot say, for it does not know who heard of it when. */
#define WHY_GONE "it ended while vaild could not be heard"

/* How a thing comes and goes, and what of the event says which one it is. */
static const struct Way {
	const char *name;
	VailEventKind comes;
	VailEventKind goes;
	const char *object; /* inside of the event; NULL: the event itself */
	const char *members[2];
	const char *identity;
} ways[] = {
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
};

/* ---- One thing ---- */

static void known_free(Known *known)
{
	if (!known)
		return;
	free(known->key);
	free(known->identity);
	free(known->event);
	free(known->holder);
	free(known->object);
	free(known);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const Known *)a)->key, ((const Known *)b)->key);
}

static Known *knowledge_find(const Knowledge *knowledge, const char *key)
{
	const Known wanted = { .key = (char *)key };
	void *found = tfind(&wanted, &knowledge->tree, compare_keys);

	return found ? *(Known **)found : NULL;
}

static void knowledge_forget(Knowledge *knowledge, Known *known)
{
	if (!known)
		return;
	tdelete(known, &knowledge->tree, compare_keys);
	TAILQ_REMOVE(&knowledge->list, known, link);
	known_free(known);
}

/* Takes it, in the place of one of the same key. Returns false when there is no memory. */
static bool knowledge_add(Knowledge *knowledge, Known *known)
{
	if (!known)
		return false;
	knowledge_forget(knowledge, knowledge_find(knowledge, known->key));
	if (!tsearch(known, &knowledge->tree, compare_keys)) {
		known_free(known);
		return false;
	}
	TAILQ_INSERT_TAIL(&knowledge->list, known, link);
	return true;
}

void knowledge_init(Knowledge *knowledge)
{
	*knowledge = (Knowledge){ 0 };
	TAILQ_INIT(&knowledge->list);
}

void knowledge_deinit(Knowledge *knowledge)
{
	while (!TAILQ_EMPTY(&knowledge->list))
		knowledge_forget(knowledge, TAILQ_FIRST(&knowledge->list));
}

void knowledge_move(Knowledge *to, Knowledge *from)
{
	TAILQ_CONCAT(&to->list, &from->list, link);
	to->tree = from->tree;
	from->tree = NULL;
}

/* A member as JSON text; "null" where it is absent. The caller frees it. */
static char *member_json(const JsonValue *object, const char *name)
{
	const JsonValue *value = name ? json_member(object, name) : NULL;

	return value ? json_format(value, false) : strdup("null");
}

/* ---- Events made of others ---- */

/* Writes what an event is about, and nothing of what has become of it. */
static bool write_subject(Writer *writer, const JsonValue *event)
{
	static const char *const subjects[] = {
		"virtualMachineGuid", "registration", "sharedObject",
		"virtualGpu",         "adapter",      "since"
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
	return kind != VAIL_EVENT_SHARED && kind != VAIL_EVENT_OPENED &&
	       kind != VAIL_EVENT_QUARANTINE_LIFTED;
}

/* An event of another kind about the same thing, and the holder, where there is one. The caller
 * frees it; NULL when there is no memory. */
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
		writer_string(&writer, WHY_GONE);
	}
	writer_object_end(&writer);
	writer_terminator(&writer, '\0');
	return is_written && !writer.failed ? strdup(buffer_head(&text)) : NULL;
}

/* ---- Keys ---- */

static char *thing_key(const struct Way *way, const JsonValue *event)
{
	const JsonValue *object = way->object ? json_member(event, way->object) : event;
	_cleanup_free_ char *first = member_json(object, way->members[0]);
	_cleanup_free_ char *second = member_json(object, way->members[1]);
	char *key;

	if (!first || !second || asprintf(&key, "%s %s %s", way->name, first, second) < 0)
		return NULL;
	return key;
}

static const struct Way *way_of(const char *name)
{
	size_t i = 0;

	while (strcmp(ways[i].name, name) != 0)
		i++;
	return &ways[i];
}

static char *holder_key(const char *object, const JsonValue *holder)
{
	char *key;

	if (asprintf(&key, "holder %s %d", object, (int)member_number(holder, "pid")) < 0)
		return NULL;
	return key;
}

/* ---- Applying ---- */

static Known *thing_new(const struct Way *way, const JsonValue *event)
{
	const JsonValue *object = way->object ? json_member(event, way->object) : event;
	Known *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->key = thing_key(way, event);
	known->identity = member_json(object, way->identity);
	known->event = json_format(event, false);
	if (known->key && known->identity && known->event)
		return known;
	known_free(known);
	return NULL;
}

static Known *holder_new(const char *object, const JsonValue *holder)
{
	Known *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->key = holder_key(object, holder);
	known->identity = member_json(holder, "since");
	known->holder = json_format(holder, false);
	known->object = strdup(object);
	if (known->key && known->identity && known->holder && known->object)
		return known;
	known_free(known);
	return NULL;
}

static bool apply_holders(Knowledge *knowledge, const JsonValue *event)
{
	const JsonValue *holders = json_member(json_member(event, "sharedObject"), "holders");
	_cleanup_free_ char *object = thing_key(way_of("object"), event);

	if (!object)
		return false;
	for (size_t i = 0; i < json_array_size(holders); i++)
		if (!knowledge_add(knowledge, holder_new(object, json_array_at(holders, i))))
			return false;
	return true;
}

/* Of an object that nobody can open any more, vaild tells nothing to who begins to watch. */
static void forget_holders(Knowledge *knowledge, const char *object)
{
	Known *known = TAILQ_FIRST(&knowledge->list);

	while (known) {
		Known *next = TAILQ_NEXT(known, link);

		if (known->object && strcmp(known->object, object) == 0)
			knowledge_forget(knowledge, known);
		known = next;
	}
}

static bool apply_coming(Knowledge *knowledge, const struct Way *way, const JsonValue *event)
{
	if (!knowledge_add(knowledge, thing_new(way, event)))
		return false;
	return way->comes != VAIL_EVENT_SHARED || apply_holders(knowledge, event);
}

static bool apply_going(Knowledge *knowledge, const struct Way *way, const JsonValue *event)
{
	_cleanup_free_ char *key = thing_key(way, event);

	if (!key)
		return false;
	if (way->goes == VAIL_EVENT_UNSHARED)
		forget_holders(knowledge, key);
	knowledge_forget(knowledge, knowledge_find(knowledge, key));
	return true;
}

/* The object is told with its holders as they are now. */
static bool renew_object(Known *object, const JsonValue *event)
{
	char *renewed = event_as(VAIL_EVENT_SHARED, event, NULL);

	if (!renewed)
		return false;
	free(object->event);
	object->event = renewed;
	return true;
}

static bool apply_holder(Knowledge *knowledge, VailEventKind kind, const JsonValue *event)
{
	const JsonValue *holder = json_member(event, "holder");
	_cleanup_free_ char *object_key = thing_key(way_of("object"), event);
	_cleanup_free_ char *key = object_key ? holder_key(object_key, holder) : NULL;
	Known *object = key ? knowledge_find(knowledge, object_key) : NULL;

	if (!key || !object)
		return key != NULL; /* of what nobody can open any more */
	if (!renew_object(object, event))
		return false;
	if (kind == VAIL_EVENT_OPENED)
		return knowledge_add(knowledge, holder_new(object_key, holder));
	knowledge_forget(knowledge, knowledge_find(knowledge, key));
	return true;
}

bool knowledge_apply(Knowledge *knowledge, const JsonValue *event)
{
	VailEventKind kind = event_kind(event);

	if (kind == VAIL_EVENT_OPENED || kind == VAIL_EVENT_RELEASED)
		return apply_holder(knowledge, kind, event);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].comes == kind)
			return apply_coming(knowledge, &ways[i], event);
		if (ways[i].goes == kind)
			return apply_going(knowledge, &ways[i], event);
	}
	return true;
}

/* ---- Comparing ---- */

/* A comparison while it tells. */
typedef struct Comparison {
	JsonParser *parser;
	KnowledgeTeller tell;
	void *context;
} Comparison;

/* Tells of what an event is about another one. */
static KnowledgeResult tell_as(const Comparison *comparison, VailEventKind kind, const char *event,
			       const char *holder)
{
	const char *error;
	JsonValue *value = json_parse(comparison->parser, event, strlen(event), &error);
	_cleanup_free_ char *text = value ? event_as(kind, value, holder) : NULL;

	json_free(value);
	if (!text)
		return KNOWLEDGE_NO_MEMORY;
	return comparison->tell(text, comparison->context) ? KNOWLEDGE_TOLD : KNOWLEDGE_STOPPED;
}

static const struct Way *way_of_known(const Known *known)
{
	size_t i = 0;

	while (strncmp(known->key, ways[i].name, strlen(ways[i].name)) != 0)
		i++;
	return &ways[i];
}

static bool is_same(const Known *known, const Known *other)
{
	return other && strcmp(known->identity, other->identity) == 0;
}

/* Holders of an object that has gone go with it. */
static KnowledgeResult tell_gone(const Comparison *comparison, const Known *known,
				 const Knowledge *after)
{
	const Known *other = knowledge_find(after, known->key);

	if (is_same(known, other))
		return KNOWLEDGE_TOLD;
	if (known->holder) {
		const Known *object = knowledge_find(after, known->object);

		return object ? tell_as(comparison, VAIL_EVENT_RELEASED, object->event,
					known->holder)
			      : KNOWLEDGE_TOLD;
	}
	const struct Way *way = way_of_known(known);
	if (other && way->comes == VAIL_EVENT_QUARANTINED)
		return KNOWLEDGE_TOLD; /* for another reason */
	return tell_as(comparison, way->goes, known->event, NULL);
}

/* Holders of an object that has come come with it. */
static KnowledgeResult tell_come(const Comparison *comparison, const Known *known,
				 const Knowledge *before, const Knowledge *after)
{
	if (is_same(known, knowledge_find(before, known->key)))
		return KNOWLEDGE_TOLD;
	if (known->holder) {
		const Known *object = knowledge_find(after, known->object);

		return knowledge_find(before, known->object)
			       ? tell_as(comparison, VAIL_EVENT_OPENED, object->event,
					 known->holder)
			       : KNOWLEDGE_TOLD;
	}
	return comparison->tell(known->event, comparison->context) ? KNOWLEDGE_TOLD
								   : KNOWLEDGE_STOPPED;
}

KnowledgeResult knowledge_compare(const Knowledge *before, const Knowledge *after,
				  JsonParser *parser, KnowledgeTeller tell, void *context)
{
	const Comparison comparison = { .parser = parser, .tell = tell, .context = context };
	KnowledgeResult result = KNOWLEDGE_TOLD;
	const Known *known;

	TAILQ_FOREACH_REVERSE(known, &before->list, KnownList, link)
	if (result == KNOWLEDGE_TOLD)
		result = tell_gone(&comparison, known, after);
	TAILQ_FOREACH (known, &after->list, link)
		if (result == KNOWLEDGE_TOLD)
			result = tell_come(&comparison, known, before, after);
	return result;
}
