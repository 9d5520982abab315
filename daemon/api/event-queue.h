/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_EVENT_QUEUE_H
#define DAEMON_API_EVENT_QUEUE_H

#include "proto/buffer.h"

/*
 * The events that a watch has not sent yet.
 *
 * An event is written once for all watches whose callers are in one pid namespace, and their queues
 * share the text. So when an event happens, it costs a watch no more than a pointer. The copy is
 * made when the connection of the watch is served, in a turn of its owner.
 *
 * A queue counts the whole text as its own. So the bound on unread events does not depend on who
 * else watches.
 */

/* The text of an event, without a terminator. Does not change once it is in a queue. */
typedef struct EventText {
	unsigned int references;
	Buffer text;
} EventText;

/* Returns an empty text with one reference, or NULL if out of memory. */
EventText *event_text_new(void);

/* Drops a reference. The last one frees the text. Accepts NULL. Returns NULL. */
EventText *event_text_unref(EventText *text);

typedef struct EventQueue {
	Buffer texts; /* of QueuedEvent, oldest first */
	size_t bytes; /* of all texts, each with its terminator */
} EventQueue;

#define EVENT_QUEUE_INIT ((EventQueue){ .texts = BUFFER_INIT })

void event_queue_deinit(EventQueue *queue);

static inline bool event_queue_is_empty(const EventQueue *queue)
{
	return queue->bytes == 0;
}

/* Adds a reference to the text. Returns false, with the queue unchanged, if out of memory. */
bool event_queue_add(EventQueue *queue, EventText *text);

/*
 * Moves the oldest event to out, and ends it with the terminator. The queue must not be empty.
 * Returns false, with the queue unchanged, if out of memory.
 */
bool event_queue_take(EventQueue *queue, char terminator, Buffer *out);

#endif
