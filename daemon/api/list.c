/* SPDX-License-Identifier: MIT */
#include "daemon/api/list.h"

#include <string.h>

#include "daemon/api/reply.h"
#include "daemon/api/session.h"

static ListView view_of(const Stream *stream)
{
	return (ListView){
		.service = stream->session->service,
		.caller = stream->session->caller,
		.list = stream->method->list,
		.subject = stream->subject,
		.machine = stream->machine,
	};
}

/* --- entities -------------------------------------------------------------------------------- */

/*
 * Tests whether the list has the entity: it is not ending, the caller may see it, and it is of the
 * list's VM.
 */
static bool list_has(const ListView *view, const Entity *entity)
{
	const ListOperations *list = view->list;

	if (vm_is_ending(entity_machine(entity)))
		return false;
	if (list->type == ENTITY_REGISTRATION &&
	    vm_prunes(container_of(entity, Registration, entity)))
		return false;
	if (!guid_is_nil(&view->machine) &&
	    guid_compare(list->machine(entity), &view->machine) != 0)
		return false;
	return list->is_visible(view->service, view->caller, entity);
}

ListStep list_next_entity(const ListView *view, ListCursor *cursor, Writer *writer)
{
	const ListOperations *list = view->list;
	const Entity *entity = entity_after(view->service->broker, list->type, cursor->position);

	for (int i = 0; entity && i < LIMIT_LIST_WALK; i++, entity = entity_next(entity)) {
		cursor->position = entity->serial;
		if (!list_has(view, entity))
			continue;
		if (writer)
			list->write(view, writer, entity);
		return LIST_ITEM;
	}
	return entity ? LIST_GOES_ON : LIST_ENDS;
}

ListStep list_count_entities(const ListView *view, ListCursor *cursor)
{
	const ListOperations *list = view->list;
	const Entity *entity = entity_after(view->service->broker, list->type, cursor->position);

	for (int i = 0; entity && i < LIMIT_LIST_WALK; i++, entity = entity_next(entity)) {
		cursor->position = entity->serial;
		if (list_has(view, entity))
			cursor->parts += list->parts ? list->parts(entity) : 1;
	}
	return entity ? LIST_GOES_ON : LIST_ENDS;
}

/* --- one item per reply ---------------------------------------------------------------------- */

static void write_beginning(Writer *writer, const Method *method)
{
	reply_begin(writer, method->interface);
	writer_key_quoted(writer, method->list_key, strlen(method->list_key));
	writer_array_begin(writer);
}

/*
 * Tests whether more replies follow. If this step does not find out, an empty reply may be the last
 * one.
 */
static bool list_continues(const ListView *view, ListCursor *cursor)
{
	ListCursor ahead = *cursor;

	switch (view->list->next(view, &ahead, NULL)) {
	case LIST_ITEM:
	case LIST_WAITS:
		return true;
	case LIST_GOES_ON:
		*cursor = ahead;
		return true;
	case LIST_ENDS:
		break;
	}
	return false;
}

/* Writes the next item as a reply. The last reply, also an empty one, does not continue. */
static StreamStep write_item(Stream *stream, Buffer *out)
{
	const Method *method = stream->method;
	const ListView view = view_of(stream);
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);

	write_beginning(&writer, method);
	ListStep step = method->list->next(&view, &stream->cursor, &writer);
	if (step == LIST_GOES_ON || step == LIST_WAITS) {
		buffer_truncate(out, begin);
		return step == LIST_WAITS ? STREAM_SEARCHES : STREAM_CONTINUES;
	}
	bool continues = step == LIST_ITEM && list_continues(&view, &stream->cursor);
	writer_array_end(&writer);
	reply_end(&writer, continues, stream->terminator);
	if (writer.failed) {
		buffer_truncate(out, begin);
		return STREAM_BREAKS;
	}
	return continues ? STREAM_CONTINUES : STREAM_ENDS;
}

/* --- the whole list as one reply ------------------------------------------------------------- */

/* Replies with the failure instead of the list. */
static StreamStep refuse_list(const Stream *stream, const Failure *failure, Buffer *out)
{
	Writer writer = WRITER_INIT(out);

	reply_failure_instead(&writer, buffer_size(out), stream->method->interface, failure,
			      stream->terminator);
	return writer.failed ? STREAM_BREAKS : STREAM_ENDS;
}

static StreamStep refuse_length(const Stream *stream, Buffer *out)
{
	Failure failure;

	failure_set(&failure, STATUS_INSUFFICIENT_RESOURCES, "replySize",
		    "the list is too long for one reply; request it with \"more\": true");
	return refuse_list(stream, &failure, out);
}

static StreamStep count_items(Stream *stream, Buffer *out)
{
	const ListView view = view_of(stream);
	ListStep step = view.list->count(&view, &stream->cursor);

	if (stream->cursor.parts > LIMIT_LIST_PARTS)
		return refuse_length(stream, out);
	if (step == LIST_GOES_ON)
		return STREAM_CONTINUES;
	stream->is_counted = true;
	stream->cursor = (ListCursor){ 0 };
	stream->writer = WRITER_INIT(&stream->reply);
	write_beginning(&stream->writer, stream->method);
	return STREAM_CONTINUES;
}

/* Completes the reply after its last item. */
static StreamStep finish_reply(Stream *stream, Buffer *out)
{
	Writer *writer = &stream->writer;
	Failure failure;

	writer_array_end(writer);
	reply_end(writer, false, stream->terminator);
	if (!writer->failed &&
	    buffer_append(out, buffer_head(&stream->reply), buffer_size(&stream->reply)))
		return STREAM_ENDS;
	failure_no_memory(&failure);
	return refuse_list(stream, &failure, out);
}

/* Items and bytes that one step adds to the reply. */
#define STEP_ITEMS 32
#define STEP_BYTES 8192

/* Adds the next items to the reply. The list may have grown since it was counted. */
static StreamStep add_items(Stream *stream, Buffer *out)
{
	const ListView view = view_of(stream);
	size_t begin = buffer_size(&stream->reply);
	ListStep step = LIST_ITEM;

	for (int i = 0; step == LIST_ITEM && i < STEP_ITEMS &&
			buffer_size(&stream->reply) - begin < STEP_BYTES;
	     i++)
		step = view.list->next(&view, &stream->cursor, &stream->writer);
	if (buffer_size(&stream->reply) > LIMIT_UNREAD_PER_CONNECTION)
		return refuse_length(stream, out);
	if (step == LIST_ENDS || stream->writer.failed)
		return finish_reply(stream, out);
	return step == LIST_WAITS ? STREAM_SEARCHES : STREAM_CONTINUES;
}

StreamStep list_step(Stream *stream, Buffer *out)
{
	StreamStep step = STREAM_CONTINUES;

	if (!stream->is_whole)
		return write_item(stream, out);
	if (!stream->is_counted)
		step = count_items(stream, out);
	return stream->is_counted ? add_items(stream, out) : step;
}
