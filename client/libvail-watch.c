/* SPDX-License-Identifier: MIT */
/*
 * Watches: io.vaild.Watch as a stream of structs, on top of call_submit().
 *
 * A watch that goes on over a restart of vaild keeps what it has told. What the vaild that came
 * back tells is collected until that is all, and what is different from before is told then.
 */
#include <stdlib.h>
#include <string.h>

#include "libvail-event.h"
#include "libvail-internal.h"
#include "libvail-known.h"
#include "libvail-parameters.h"

/* Lives from vail_watch() to the last call of the watcher. */
typedef struct Watching {
	struct vail *vail;
	VailWatch watch;
	void *context;
	Knowledge told;
	Knowledge collected; /* of a vaild that came back */
	bool is_current;     /* all that existed was told once */
	bool is_interrupted; /* that is told, and nothing of the vaild that comes back */
} Watching;

static Watching *watching_new(struct vail *vail, VailWatch watch, void *context)
{
	Watching *watching = calloc(1, sizeof(*watching));

	if (!watching)
		return NULL;
	watching->vail = vail;
	watching->watch = watch;
	watching->context = context;
	knowledge_init(&watching->told);
	knowledge_init(&watching->collected);
	return watching;
}

static void watching_free(Watching *watching)
{
	knowledge_deinit(&watching->told);
	knowledge_deinit(&watching->collected);
	free(watching);
}

static bool watching_end(const Watching *watching, NTSTATUS status)
{
	watching->watch(watching->vail, status, NULL, false, watching->context);
	return false;
}

static bool end_for_no_memory(const Watching *watching)
{
	return watching_end(watching, vail_error_no_memory(watching->vail));
}

/* ---- Telling ---- */

/* Hands one event to the watcher. */
static bool tell(const Watching *watching, const JsonValue *value, bool continues)
{
	_cleanup_free_ char *json = json_format(value, false);
	_cleanup_(event_reading_deinit) EventReading reading = { 0 };

	if (!json || !event_reading_init(&reading, value, json))
		return end_for_no_memory(watching);
	return watching->watch(watching->vail, STATUS_SUCCESS, &reading.event, continues,
			       watching->context);
}

/* Hands one of the library's own to the watcher. */
static bool tell_own(const Watching *watching, VailEventKind kind)
{
	_cleanup_(buffer_deinit) Buffer json = BUFFER_INIT;
	/* The handle's own goes when the watcher uses it. */
	_cleanup_free_ char *reason = strdup(vail_error_message(watching->vail));
	VailEvent event = { .size = sizeof(event), .kind = kind };
	Writer writer = WRITER_INIT(&json);

	if (!reason)
		return end_for_no_memory(watching);
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
		return end_for_no_memory(watching);
	event.json = buffer_head(&json);
	return watching->watch(watching->vail, STATUS_SUCCESS, &event, true, watching->context);
}

static bool tell_text(const char *text, void *context)
{
	const Watching *watching = context;
	const char *error;
	JsonValue *value = json_parse(watching->vail->parser, text, strlen(text), &error);
	bool go_on = value ? tell(watching, value, true) : end_for_no_memory(watching);

	json_free(value);
	return go_on;
}

/* ---- Going on ---- */

/* Before the connection is made anew. */
static bool watch_interrupted(struct vail *vail, const Call *call)
{
	Watching *watching = call->context;
	bool go_on = watching->is_interrupted || tell_own(watching, VAIL_EVENT_INTERRUPTED);

	(void)vail;
	watching->is_interrupted = true;
	knowledge_deinit(&watching->collected);
	if (!go_on)
		watching_free(watching);
	return go_on;
}

/* All that exists now was told: tells what is different from before. */
static bool resume(Watching *watching)
{
	KnowledgeResult result = knowledge_compare(&watching->told, &watching->collected,
						   watching->vail->parser, tell_text, watching);

	if (result == KNOWLEDGE_NO_MEMORY)
		return end_for_no_memory(watching);
	knowledge_deinit(&watching->told);
	knowledge_move(&watching->told, &watching->collected);
	watching->is_interrupted = false;
	if (result == KNOWLEDGE_TOLD && !watching->is_current)
		result =
			tell_own(watching, VAIL_EVENT_CURRENT) ? KNOWLEDGE_TOLD : KNOWLEDGE_STOPPED;
	watching->is_current = true;
	return result == KNOWLEDGE_TOLD && tell_own(watching, VAIL_EVENT_RESUMED);
}

/* What there is, and changes of it, are collected. */
static bool collect(Watching *watching, const JsonValue *value)
{
	switch (event_kind(value)) {
	case VAIL_EVENT_CURRENT:
		return resume(watching);
	case VAIL_EVENT_UPDATED:
	case VAIL_EVENT_VIRTUAL_MACHINE_CHANGED:
		return true; /* that it is resumed says as much */
	case VAIL_EVENT_UNKNOWN:
	case VAIL_EVENT_GPU_PROCESS_REMOVED:
	case VAIL_EVENT_PAGE_TABLE_RESIDENT:
		return tell(watching, value, true);
	default:
		return knowledge_apply(&watching->collected, value) || end_for_no_memory(watching);
	}
}

/* ---- Taking ---- */

static bool take_value(Watching *watching, const JsonValue *value, bool continues)
{
	if (watching->is_interrupted && continues)
		return collect(watching, value);
	if (watching->vail->resumes && !knowledge_apply(&watching->told, value))
		return end_for_no_memory(watching);
	watching->is_current |= event_kind(value) == VAIL_EVENT_CURRENT;
	return tell(watching, value, continues);
}

/* The event is in the parameters. */
static bool take_reply(Watching *watching, const Reply *reply)
{
	const JsonValue *value = json_member(reply->parameters, "event");

	if (value)
		return take_value(watching, value, reply->continues);
	return watching_end(watching,
			    vail_error_set(watching->vail, STATUS_INVALID_NETWORK_RESPONSE,
					   "vaild answered without an event; use a libvail of its "
					   "version"));
}

static bool take_event(struct vail *vail, const Call *call, Reply *reply)
{
	Watching *watching = call->context;
	bool go_on = false;

	(void)vail;
	if (reply->status == STATUS_SUCCESS && reply->message)
		go_on = take_reply(watching, reply);
	else
		watching_end(watching, reply->status);
	if (!reply->continues || !go_on)
		watching_free(watching); /* nothing more comes */
	return go_on;
}

static NTSTATUS submit_watch(struct vail *vail, const char *virtual_machine, Watching *watching)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	Request request = { .method = "io.vaild.Watch", .more = true };
	Call call = { .more = true,
		      .handler = take_event,
		      .interrupted = watch_interrupted,
		      .context = watching };

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
	Watching *watching = watching_new(vail, watch, context);
	if (!watching)
		return vail_error_no_memory(vail);
	NTSTATUS status = submit_watch(vail, virtual_machine, watching);
	if (status != STATUS_SUCCESS)
		watching_free(watching);
	return status;
}
