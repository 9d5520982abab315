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

/* Breaks off from a server whose answers cannot be believed, nor perhaps the ones before. */
static void break_for_fault(View *view, const char *fault)
{
	view_forget(view);
	etcd_break(client_of(view), ETCD_BREAK_FAILURE, "%s", fault);
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

static void begin_list(View *view)
{
	resume_forget(&view->resume);
	view->is_resumed = false;
	view->revision = 0;
	view->page = VIEW_PAGE;
	ask_for_page(view);
}

static void begin_watch(View *view, int64_t start_revision)
{
	Etcd *etcd = client_of(view);

	view->stream = (MessageStream){ 0 };
	view->stands = false;
	view->last = 0;
	view->backlog = 0;
	buffer_truncate(&view->watch.request, 0);
	if (message_watch(&view->watch.request, etcd->settings.prefix, start_revision))
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
		begin_watch(view, view->revision + 1);
}

/* The mark */

static void ask_for_mark(View *view)
{
	Etcd *etcd = client_of(view);

	buffer_truncate(&view->recall.request, 0);
	if (message_get(&view->recall.request, etcd->settings.prefix,
			buffer_head(&view->resume.mark), view->resume.mark_revision))
		etcd_exchange(etcd, &view->recall, "v3/kv/range",
			      endpoints_patience(&etcd->endpoints, ETCD_PATIENCE));
	else
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

/* The answer of the mark, with whether it is the one that was shown. */
typedef struct Recall {
	const Resume *resume;
	bool has_mark;
} Recall;

static const char *recognize(void *context, const EtcdEntry *entry, bool is_deleted)
{
	Recall *recall = context;

	(void)is_deleted;
	recall->has_mark |= resume_is_mark(recall->resume, entry);
	return NULL;
}

static void on_recall_end(Exchange *exchange, const ExchangeResult *result)
{
	View *view = container_of(exchange, View, recall);
	Etcd *etcd = client_of(view);
	Recall recall = { .resume = &view->resume };
	EntryReader reader = { .parser = etcd->parser,
			       .prefix = etcd->settings.prefix,
			       .visit = recognize,
			       .context = &recall };
	JsonText text = { buffer_head(&exchange->answer), buffer_size(&exchange->answer) };
	_cleanup_(buffer_deinit) Buffer last_key = BUFFER_INIT;
	RangeAnswer answer;

	/* etcd refuses a revision that is compacted, or that it has not reached. */
	if (result->status >= 400 && result->status < 500) {
		begin_list(view);
		return;
	}
	if (result->status != 200) {
		etcd_break_for(etcd, exchange, result);
		return;
	}
	const char *fault = message_read_range(&reader, text, &last_key, &answer);
	if (fault) {
		break_for_fault(view, fault);
		return;
	}
	buffer_shrink(&exchange->answer);
	view->is_resumed = recall.has_mark && answer.cluster == view->resume.cluster &&
			   answer.revision >= view->resume.revision;
	view->revision = answer.revision;
	if (view->is_resumed)
		begin_watch(view, view->resume.mark_revision);
	else
		begin_list(view);
}

/* The watch */

/*
 * Notes a change before it is shown. Changes come in the order of revisions, so all of earlier
 * revisions have been shown.
 */
static void note_event(View *view, const EtcdEntry *entry, bool is_deleted)
{
	view->backlog += entry->mod_revision != view->last;
	view->last = entry->mod_revision;
	resume_advance(&view->resume, entry->mod_revision - 1);
	if (!is_deleted)
		resume_mark(&view->resume, entry);
}

static const char *show_event(void *context, const EtcdEntry *entry, bool is_deleted)
{
	View *view = context;
	Etcd *etcd = client_of(view);

	if (!view->stands)
		return "the watch begins with a change";
	if (view->is_resumed && view->last == 0 &&
	    entry->mod_revision != view->resume.mark_revision)
		return "the watch does not begin with the change that it should";
	note_event(view, entry, is_deleted);
	if (view->is_resumed && entry->mod_revision <= view->resume.revision)
		return NULL;
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
	view->resume.cluster = view->cluster;
	for (size_t i = 0; i < view->count; i++)
		resume_mark(&view->resume, &view->entries[i]);
	resume_advance(&view->resume, view->revision);
	forget_entries(view);
	etcd_reach(etcd);
}

/* Lists the keys instead of going on with a watch that was resumed. */
static void list_instead(View *view)
{
	exchange_cancel(&view->watch);
	begin_list(view);
}

static void on_watch_ended(View *view, const WatchAnswer *answer)
{
	Etcd *etcd = client_of(view);

	if (answer->compact_revision != 0 && view->is_resumed) {
		list_instead(view);
	} else if (answer->compact_revision != 0) {
		view_forget(view);
		etcd_break(etcd, ETCD_BREAK_AGAIN,
			   "the watch fell behind a compaction; all keys are listed again");
	} else {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "the watch has ended: %s",
			   answer->why.text[0] ? answer->why.text : "no reason was given");
	}
}

/* The watch has been created. Returns false if it has ended. */
static bool stand(View *view, const WatchAnswer *answer)
{
	/* A server behind the same address may be another one than before. */
	if (view->is_resumed &&
	    (answer->cluster != view->resume.cluster || answer->revision < view->revision)) {
		list_instead(view);
		return false;
	}
	view->stands = true;
	if (!view->is_resumed)
		show_snapshot(view);
	return true;
}

/* All changes of an answer and its fragments have been shown. Returns false if the watch has ended.
 */
static bool end_changes(View *view)
{
	resume_advance(&view->resume, view->last);
	if (!view->is_resumed || view->backlog == 0)
		return true;
	if (view->backlog >= RESUME_REVISIONS_MAX) {
		list_instead(view);
		return false;
	}
	view->is_resumed = false;
	etcd_reach(client_of(view));
	return true;
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
		break_for_fault(view, fault);
		return false;
	}
	if (answer.has_ended) {
		on_watch_ended(view, &answer);
		return false;
	}
	etcd_answered(etcd);
	if (answer.is_created && !view->stands)
		return stand(view, &answer);
	return answer.is_fragment || end_changes(view);
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
	if (result == MESSAGE_STREAM_FAULT) {
		break_for_fault(view, "the watch sends what is not JSON, or more than a client can "
				      "take");
		return;
	}
	if (buffer_size(&exchange->answer) == 0)
		buffer_shrink(&exchange->answer);
	/* etcd has to show at least the mark. */
	if (view->is_resumed)
		exchange_await(exchange);
}

static void on_watch_end(Exchange *exchange, const ExchangeResult *result)
{
	View *view = container_of(exchange, View, watch);

	if (view->is_resumed)
		view_forget(view);
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
		.recall = { .answer_max = MESSAGE_SIZE_MAX, .on_end = on_recall_end },
	};
}

void view_deinit(View *view)
{
	view_stop(view);
	exchange_deinit(&view->list);
	exchange_deinit(&view->watch);
	exchange_deinit(&view->recall);
	resume_deinit(&view->resume);
	buffer_deinit(&view->last_key);
}

void view_start(View *view)
{
	const Etcd *etcd = client_of(view);
	bool may_resume = !etcd->handlers.may_resume || etcd->handlers.may_resume(etcd->context);

	if (resume_is_possible(&view->resume) && may_resume)
		ask_for_mark(view);
	else
		begin_list(view);
}

void view_forget(View *view)
{
	resume_forget(&view->resume);
}

void view_stop(View *view)
{
	exchange_cancel(&view->list);
	exchange_cancel(&view->watch);
	exchange_cancel(&view->recall);
	forget_entries(view);
}
