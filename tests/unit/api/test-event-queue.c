/* SPDX-License-Identifier: MIT */
/* The queue of a watch: events in order, texts that queues share, and what they count. */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/api/event-queue.h"

TestSuite(event_queue);

static EventText *text_of(const char *content)
{
	EventText *text = event_text_new();

	cr_assert(text && buffer_append(&text->text, content, strlen(content)));
	return text;
}

static void add(EventQueue *queue, EventText *text)
{
	cr_assert(event_queue_add(queue, text));
}

Test(event_queue, events_leave_in_their_order_with_the_terminator_of_the_watch)
{
	EventQueue queue = EVENT_QUEUE_INIT;
	Buffer out = BUFFER_INIT;

	for (const char *content = "abc"; *content != '\0'; content++) {
		EventText *text = text_of((char[]){ *content, '\0' });

		add(&queue, text);
		event_text_unref(text);
	}
	cr_expect_eq(queue.bytes, 6u);
	while (!event_queue_is_empty(&queue))
		cr_assert(event_queue_take(&queue, '\n', &out));
	cr_expect_eq(buffer_size(&out), 6u);
	cr_expect_eq(memcmp(buffer_head(&out), "a\nb\nc\n", 6), 0);
	cr_expect_eq(queue.texts.capacity, 0u, "a queue without events keeps no memory");
	buffer_deinit(&out);
}

Test(event_queue, a_text_is_stored_once_and_counted_by_each_queue)
{
	EventQueue first = EVENT_QUEUE_INIT, second = EVENT_QUEUE_INIT;
	EventText *text = text_of("a long text");
	Buffer out = BUFFER_INIT;

	add(&first, text);
	add(&second, text);
	add(&second, text);
	cr_expect_eq(text->references, 4u);
	cr_expect_eq(first.bytes, strlen("a long text") + 1);
	cr_expect_eq(second.bytes, 2 * (strlen("a long text") + 1));
	event_queue_deinit(&second);
	cr_expect_eq(text->references, 2u);
	cr_expect(event_queue_is_empty(&second));
	event_text_unref(text);
	cr_assert(event_queue_take(&first, '\0', &out), "the queue keeps the text");
	cr_expect_str_eq(buffer_head(&out), "a long text");
	buffer_deinit(&out);
}
