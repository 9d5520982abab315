/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/view.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/etcd/client.h"
#include "proto/macros.h"

static Etcd *client_of(View *view)
{
	return container_of(view, Etcd, view);
}

static void forget_entries(View *view)
{
	for (size_t i = 0; i < view->count; i++)
		free((char *)view->entries[i].key);
	free(view->entries);
	view->entries = NULL;
	view->count = view->capacity = view->bytes = 0;
}

/* The list */

static bool make_room(View *view)
{
	size_t capacity = view->capacity ? 2 * view->capacity : 64;

	if (view->count < view->capacity)
		return true;
	EtcdEntry *entries = reallocarray(view->entries, capacity, sizeof(*entries));
	if (!entries)
		return false;
	view->entries = entries;
	view->capacity = capacity;
	return true;
}

/* Keeps a copy of a listed entry. */
static const char *keep_entry(void *context, const EtcdEntry *entry, bool is_deleted)
{
	View *view = context;
	size_t key_size = strlen(entry->key) + 1, value_size = strlen(entry->value) + 1;

	(void)is_deleted;
	view->bytes += key_size + value_size;
	if (view->count == VIEW_ENTRIES_MAX || view->bytes > VIEW_BYTES_MAX)
		return "there are more keys than a fleet can have; check that nothing else uses "
		       "the prefix";
	char *texts = malloc(key_size + value_size);
	if (!texts || !make_room(view)) {
		free(texts);
		return "out of memory";
	}
	memcpy(texts, entry->key, key_size);
	memcpy(texts + key_size, entry->value, value_size);
	view->entries[view->count] = *entry;
	view->entries[view->count].key = texts;
	view->entries[view->count].value = texts + key_size;
	view->count++;
	return NULL;
}

static void ask_for_page(View *view)
{
	Etcd *etcd = client_of(view);
	bool is_first = view->revision == 0;

	buffer_truncate(&view->list.request, 0);
	if (message_range(&view->list.request, etcd->settings.prefix,
			  is_first ? NULL : &view->last_key, view->page, view->revision))
		etcd_exchange(etcd, &view->list, "v3/kv/range",
			      endpoints_patience(&etcd->endpoints, ETCD_PATIENCE));
	else
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

static void begin_watch(View *view)
{
	Etcd *etcd = client_of(view);

	view->stream = (MessageStream){ 0 };
	buffer_truncate(&view->watch.request, 0);
	if (message_watch(&view->watch.request, etcd->settings.prefix, view->revision + 1))
		etcd_exchange(etcd, &view->watch, "v3/watch",
			      endpoints_patience(&etcd->endpoints, ETCD_PATIENCE));
	else
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

static bool is_behind(const Buffer *key, const Buffer *before)
{
	size_t size = buffer_size(key), size_before = buffer_size(before);
	int order = memcmp(buffer_head(key), buffer_head(before),
			   size < size_before ? size : size_before);

	return order > 0 || (order == 0 && size > size_before);
}

/* Returns NULL, or a sentence about the fault. */
static const char *read_page(View *view, RangeAnswer *ret)
{
	Etcd *etcd = client_of(view);
	EntryReader reader = { .parser = etcd->parser,
			       .prefix = etcd->settings.prefix,
			       .visit = keep_entry,
			       .context = view };
	JsonText text = { buffer_head(&view->list.answer), buffer_size(&view->list.answer) };

	_cleanup_(buffer_deinit) Buffer before = view->last_key;

	view->last_key = BUFFER_INIT;
	const char *fault = message_read_range(&reader, text, &view->last_key, ret);
	if (fault || view->revision == 0 || !ret->has_more)
		return fault;
	return is_behind(&view->last_key, &before) ? NULL : "a page of keys repeats the one before";
}

static void on_list_end(Exchange *exchange, const ExchangeResult *result)
{
	View *view = container_of(exchange, View, list);
	Etcd *etcd = client_of(view);
	RangeAnswer answer;

	if (result->is_too_long && view->page > 1) {
		view->page /= 4;
		if (view->page == 0)
			view->page = 1;
		ask_for_page(view);
		return;
	}
	if (result->status != 200) {
		etcd_break_for(etcd, exchange, result);
		return;
	}
	const char *fault = read_page(view, &answer);
	if (fault) {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", fault);
		return;
	}
	if (view->revision == 0) {
		view->revision = answer.revision;
		view->cluster = answer.cluster;
	} else if (view->cluster != answer.cluster) {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "pages of keys come from different clusters");
		return;
	}
	buffer_shrink(&exchange->answer);
	if (answer.has_more)
		ask_for_page(view);
	else
		begin_watch(view);
}

/* The watch */

static const char *show_event(void *context, const EtcdEntry *entry, bool is_deleted)
{
	View *view = context;
	Etcd *etcd = client_of(view);

	if (!etcd->is_reached)
		return "the watch begins with a change";
	etcd->statistics.events++;
	if (is_deleted)
		etcd->handlers.on_delete(etcd->context, entry->key, entry->mod_revision);
	else
		etcd->handlers.on_put(etcd->context, entry);
	return NULL;
}

static void show_snapshot(View *view)
{
	Etcd *etcd = client_of(view);

	if (etcd->handlers.on_cluster)
		etcd->handlers.on_cluster(etcd->context, view->cluster);
	etcd->statistics.lists++;
	etcd->handlers.on_snapshot(etcd->context, view->entries, view->count, view->revision);
	forget_entries(view);
	etcd_reach(etcd);
}

static void on_watch_ended(Etcd *etcd, const WatchAnswer *answer)
{
	if (answer->compact_revision != 0)
		etcd_break(etcd, ETCD_BREAK_AGAIN,
			   "the watch fell behind a compaction; all keys are listed again");
	else
		etcd_break(etcd, ETCD_BREAK_FAILURE, "the watch has ended: %s",
			   answer->why.text[0] ? answer->why.text : "no reason was given");
}

/* Returns false if the watch has ended. */
static bool show_answer(View *view, JsonText text)
{
	Etcd *etcd = client_of(view);
	EntryReader reader = { .parser = etcd->parser,
			       .prefix = etcd->settings.prefix,
			       .visit = show_event,
			       .context = view };
	WatchAnswer answer;
	const char *fault = message_read_watch(&reader, text, &answer);

	if (fault) {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", fault);
		return false;
	}
	if (answer.has_ended) {
		on_watch_ended(etcd, &answer);
		return false;
	}
	etcd_answered(etcd);
	if (answer.is_created && !etcd->is_reached)
		show_snapshot(view);
	return true;
}

static void on_watch_data(Exchange *exchange)
{
	View *view = container_of(exchange, View, watch);
	MessageStreamResult result;
	size_t size;

	while ((result = message_stream_next(&view->stream, &exchange->answer, &size)) ==
	       MESSAGE_STREAM_VALUE) {
		JsonText text = { buffer_head(&exchange->answer), size };
		if (!show_answer(view, text))
			return;
		buffer_consume(&exchange->answer, size);
	}
	if (result == MESSAGE_STREAM_FAULT)
		etcd_break(client_of(view), ETCD_BREAK_FAILURE,
			   "the watch sends what is not JSON, or more than a client can take");
	else if (buffer_size(&exchange->answer) == 0)
		buffer_shrink(&exchange->answer);
}

static void on_watch_end(Exchange *exchange, const ExchangeResult *result)
{
	View *view = container_of(exchange, View, watch);

	if (result->status == 200)
		etcd_break(client_of(view), ETCD_BREAK_FAILURE, "the watch has ended");
	else
		etcd_break_for(client_of(view), exchange, result);
}

void view_init(View *view)
{
	*view = (View){
		.list = { .answer_max = MESSAGE_SIZE_MAX, .on_end = on_list_end },
		/* libcurl passes on at most 100 reads of 16 KiB before the answer is read. */
		.watch = { .answer_max = MESSAGE_SIZE_MAX + (2 << 20),
			   .on_data = on_watch_data,
			   .on_end = on_watch_end,
			   .needs_leader = true,
			   .is_stream = true },
	};
}

void view_deinit(View *view)
{
	view_stop(view);
	exchange_deinit(&view->list);
	exchange_deinit(&view->watch);
	buffer_deinit(&view->last_key);
}

void view_start(View *view)
{
	view->revision = 0;
	view->page = VIEW_PAGE;
	ask_for_page(view);
}

void view_stop(View *view)
{
	exchange_cancel(&view->list);
	exchange_cancel(&view->watch);
	forget_entries(view);
}
