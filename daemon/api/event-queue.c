/* SPDX-License-Identifier: MIT */
#include "daemon/api/event-queue.h"

#include <stdlib.h>
#include <string.h>

typedef struct QueuedEvent {
	EventText *text;
} QueuedEvent;

EventText *event_text_new(void)
{
	EventText *text = calloc(1, sizeof(*text));

	if (text)
		text->references = 1;
	return text;
}

EventText *event_text_unref(EventText *text)
{
	if (!text || --text->references > 0)
		return NULL;
	buffer_deinit(&text->text);
	free(text);
	return NULL;
}

static size_t size_with_terminator(const EventText *text)
{
	return buffer_size(&text->text) + 1;
}

static EventText *first_text(const EventQueue *queue)
{
	QueuedEvent event;

	memcpy(&event, buffer_head(&queue->texts), sizeof(event));
	return event.text;
}

static void remove_first(EventQueue *queue)
{
	EventText *text = first_text(queue);

	queue->bytes -= size_with_terminator(text);
	buffer_consume(&queue->texts, sizeof(QueuedEvent));
	event_text_unref(text);
	/* Most watches wait, so they keep no memory. */
	if (event_queue_is_empty(queue))
		buffer_deinit(&queue->texts);
}

void event_queue_deinit(EventQueue *queue)
{
	while (!event_queue_is_empty(queue))
		remove_first(queue);
}

bool event_queue_add(EventQueue *queue, EventText *text)
{
	const QueuedEvent event = { .text = text };

	if (!buffer_append(&queue->texts, &event, sizeof(event)))
		return false;
	queue->bytes += size_with_terminator(text);
	text->references++;
	return true;
}

bool event_queue_take(EventQueue *queue, char terminator, Buffer *out)
{
	const Buffer *text = &first_text(queue)->text;

	if (!buffer_reserve(out, buffer_size(text) + 1))
		return false;
	buffer_append(out, buffer_head(text), buffer_size(text));
	buffer_append(out, &terminator, 1);
	remove_first(queue);
	return true;
}
