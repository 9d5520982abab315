/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/etcd/client.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/macros.h"

typedef enum ChangeKind {
	CHANGE_PUT,
	CHANGE_PUT_LEASED,
	CHANGE_DELETE,
	CHANGE_SWAP,
} ChangeKind;

struct Change {
	ChangeKind kind;
	char *key;
	char *value; /* NULL for a deletion */
	int64_t mod_revision;
	char *leased; /* of the guard of a swap, as in EtcdGuard */
	char *other;
	int64_t other_revision;
	EtcdDone *done; /* NULL for none */
	void *context;

	/* Set when the change is settled. */
	EtcdOutcome outcome;
	int64_t revision;
	char why[ETCD_WHY_SIZE]; /* "" if it is done */
	TAILQ_ENTRY(Change) link;
};

static Etcd *client_of(Changes *changes)
{
	return container_of(changes, Etcd, changes);
}

static void change_free(Change *change)
{
	if (!change)
		return;
	free(change->key);
	free(change->value);
	free(change->leased);
	free(change->other);
	free(change);
}

/* Moves the first change to those that are settled. */
static void settle(Changes *changes, EtcdOutcome outcome, int64_t revision, const char *why)
{
	Change *change = TAILQ_FIRST(&changes->waiting);

	TAILQ_REMOVE(&changes->waiting, change, link);
	TAILQ_INSERT_TAIL(&changes->settled, change, link);
	change->outcome = outcome;
	change->revision = revision;
	snprintf(change->why, sizeof(change->why), "%s", why);
}

/* Settles those that run, or that ran until now. */
static void settle_running(Changes *changes, EtcdOutcome outcome, int64_t revision, const char *why)
{
	/* Only a snapshot shows whether it has happened. */
	if (changes->running > 0 && outcome == ETCD_UNKNOWN)
		view_forget(&client_of(changes)->view);
	for (; changes->running > 0; changes->running--)
		settle(changes, outcome, revision, why);
}

void changes_break(Changes *changes, const char *why)
{
	EtcdOutcome outcome = exchange_runs(&changes->exchange) ? ETCD_UNKNOWN : ETCD_FAILED;

	exchange_cancel(&changes->exchange);
	settle_running(changes, outcome, 0, why);
	while (!TAILQ_EMPTY(&changes->waiting))
		settle(changes, ETCD_FAILED, 0, why);
}

/* Answers */

static void on_answer(Changes *changes)
{
	Etcd *etcd = client_of(changes);
	const Change *change = TAILQ_FIRST(&changes->waiting);
	JsonText text = { buffer_head(&changes->exchange.answer),
			  buffer_size(&changes->exchange.answer) };
	ChangeAnswer answer;
	const char *fault =
		message_read_change(etcd->parser, text, change->kind == CHANGE_SWAP, &answer);

	if (fault) {
		settle_running(changes, ETCD_UNKNOWN, 0, fault);
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", fault);
	} else if (answer.has_succeeded) {
		etcd_answered(etcd);
		settle_running(changes, ETCD_DONE, answer.revision, "");
	} else {
		etcd_answered(etcd);
		settle_running(changes, ETCD_LOST, 0, "the key has changed in the meantime");
	}
}

/*
 * etcd refuses a change with a status from 400 to 499, and has then changed nothing. After any
 * other failure, the change may still happen.
 */
static void on_refusal(Changes *changes, const ExchangeResult *result)
{
	Etcd *etcd = client_of(changes);
	const Change *change = TAILQ_FIRST(&changes->waiting);
	bool is_refused = result->status >= 400 && result->status < 500;
	bool is_lease_gone = result->status == 404 && change->kind == CHANGE_PUT_LEASED;
	char why[ETCD_WHY_SIZE];

	etcd_describe_error(etcd, &changes->exchange, result, why);
	settle_running(changes, is_refused || !result->was_sent ? ETCD_FAILED : ETCD_UNKNOWN, 0,
		       why);
	if (is_lease_gone)
		lease_lose(&etcd->lease, "the lease has expired in etcd");
	else if (!is_refused)
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", why);
}

static void on_end(Exchange *exchange, const ExchangeResult *result)
{
	Changes *changes = container_of(exchange, Changes, exchange);

	if (result->status == 200)
		on_answer(changes);
	else
		on_refusal(changes, result);
}

/* Requests */

/*
 * Bounds of the puts that are sent at once. etcd takes 128 in one request, and 1.5 MiB of base64.
 */
#define BATCH_CHANGES 64
#define BATCH_BYTES   262144

static bool has_key_before(const Change *change, const Change *end)
{
	const char *key = end->key;

	for (; change != end; change = TAILQ_NEXT(change, link))
		if (strcmp(change->key, key) == 0)
			return true;
	return false;
}

/*
 * Counts the changes that can be sent at once: leased puts of different keys. With one revision for
 * all, etcd tells each other host in one message, which costs it much less than one for each.
 */
static size_t count_batch(const Changes *changes)
{
	const Change *first = TAILQ_FIRST(&changes->waiting), *change;
	size_t count = 0, bytes = 0;

	for (change = first; change && change->kind == CHANGE_PUT_LEASED && count < BATCH_CHANGES;
	     change = TAILQ_NEXT(change, link)) {
		bytes += strlen(change->key) + strlen(change->value);
		if (bytes > BATCH_BYTES || has_key_before(first, change))
			break;
		count++;
	}
	return count > 1 ? count : 1;
}

static bool write_batch(Changes *changes, size_t count)
{
	const Etcd *etcd = client_of(changes);
	const Change *change = TAILQ_FIRST(&changes->waiting);
	MessageBatch batch;

	buffer_truncate(&changes->exchange.request, 0);
	message_batch_begin(&batch, &changes->exchange.request);
	for (; count > 0; count--, change = TAILQ_NEXT(change, link))
		message_batch_put(&batch, etcd->settings.prefix, change->key, change->value,
				  etcd->lease.id);
	return message_batch_end(&batch);
}

static bool write_request(Changes *changes, const Change *change, const char **ret_path)
{
	Etcd *etcd = client_of(changes);
	const char *prefix = etcd->settings.prefix;
	Buffer *request = &changes->exchange.request;

	buffer_truncate(request, 0);
	switch (change->kind) {
	case CHANGE_PUT:
		*ret_path = "v3/kv/put";
		return message_put(request, prefix, change->key, change->value, 0);
	case CHANGE_PUT_LEASED:
		*ret_path = "v3/kv/put";
		return message_put(request, prefix, change->key, change->value, etcd->lease.id);
	case CHANGE_DELETE:
		*ret_path = "v3/kv/deleterange";
		return message_delete(request, prefix, change->key);
	case CHANGE_SWAP:
		break;
	}
	*ret_path = "v3/kv/txn";
	const MessageSwap swap = { change->key,           change->mod_revision, change->value,
				   change->leased,        etcd->lease.id,       change->other,
				   change->other_revision };
	return message_swap(request, prefix, &swap);
}

/* Returns NULL, or why the change cannot be sent. */
static const char *obstacle(const Etcd *etcd, const Change *change)
{
	if (!etcd->is_reached)
		return "etcd is not reached";
	if ((change->kind == CHANGE_PUT_LEASED || change->kind == CHANGE_SWAP) &&
	    !etcd_has_lease(etcd))
		return "there is no lease";
	return NULL;
}

/* Writes the request for the first changes. Returns how many, or 0 if out of memory. */
static size_t write_next(Changes *changes, const char **ret_path)
{
	size_t count = count_batch(changes);

	if (count == 1)
		return write_request(changes, TAILQ_FIRST(&changes->waiting), ret_path) ? 1 : 0;
	*ret_path = "v3/kv/txn";
	return write_batch(changes, count) ? count : 0;
}

static void send_next(Changes *changes)
{
	Etcd *etcd = client_of(changes);
	const Change *change;
	const char *path = NULL;
	size_t count = 0;

	while (!exchange_runs(&changes->exchange) && (change = TAILQ_FIRST(&changes->waiting))) {
		const char *why = obstacle(etcd, change);
		if (!why && (count = write_next(changes, &path)) == 0)
			why = "out of memory";
		if (why) {
			settle(changes, ETCD_FAILED, 0, why);
			continue;
		}
		changes->running = count;
		changes->exchange.is_sent_once = change->kind == CHANGE_SWAP;
		/* etcd answers after 7 seconds if it has no quorum. */
		etcd_exchange(etcd, &changes->exchange, path, 2 * ETCD_PATIENCE);
	}
}

static EtcdChangeKind statistic_of(const Change *change)
{
	switch (change->kind) {
	case CHANGE_DELETE:
		return ETCD_DELETE;
	case CHANGE_SWAP:
		return ETCD_SWAP;
	case CHANGE_PUT:
	case CHANGE_PUT_LEASED:
		break;
	}
	return ETCD_PUT;
}

static void call_settled(Changes *changes)
{
	Change *change;

	while ((change = TAILQ_FIRST(&changes->settled))) {
		TAILQ_REMOVE(&changes->settled, change, link);
		changes->count--;
		client_of(changes)->statistics.changes[statistic_of(change)][change->outcome]++;
		if (change->done)
			change->done(change->context, change->outcome, change->revision,
				     change->why[0] ? change->why : NULL);
		change_free(change);
	}
}

void changes_wake(Changes *changes)
{
	send_next(changes);
	call_settled(changes);
	send_next(changes);
}

int64_t changes_deadline(const Changes *changes)
{
	bool is_due = !TAILQ_EMPTY(&changes->settled) ||
		      (!TAILQ_EMPTY(&changes->waiting) && !exchange_runs(&changes->exchange));

	return is_due ? 0 : INT64_MAX;
}

/* Returns a change with copies of the texts, or NULL if out of memory. */
static Change *change_new(ChangeKind kind, const char *key, const char *value)
{
	Change *change = calloc(1, sizeof(*change));

	if (!change)
		return NULL;
	change->kind = kind;
	change->key = strdup(key);
	change->value = value ? strdup(value) : NULL;
	if (change->key && (change->value || !value))
		return change;
	change_free(change);
	return NULL;
}

static bool add(Etcd *etcd, Change *change, EtcdDone *done, void *context)
{
	Changes *changes = &etcd->changes;

	if (!change)
		return false;
	change->done = done;
	change->context = context;
	if (changes->count < ETCD_CHANGES_MAX) {
		TAILQ_INSERT_TAIL(&changes->waiting, change, link);
	} else {
		change->outcome = ETCD_FAILED;
		snprintf(change->why, sizeof(change->why), "too many changes are in progress");
		TAILQ_INSERT_TAIL(&changes->settled, change, link);
	}
	changes->count++;
	etcd_plan(etcd);
	return true;
}

bool etcd_put(Etcd *etcd, const char *key, const char *value, bool is_leased, EtcdDone *done,
	      void *context)
{
	ChangeKind kind = is_leased ? CHANGE_PUT_LEASED : CHANGE_PUT;

	return add(etcd, change_new(kind, key, value), done, context);
}

bool etcd_delete(Etcd *etcd, const char *key, EtcdDone *done, void *context)
{
	return add(etcd, change_new(CHANGE_DELETE, key, NULL), done, context);
}

/* Copies the guard of a swap. Returns false if out of memory. */
static bool copy_guard(Change *change, const EtcdGuard *guard)
{
	change->leased = guard->leased ? strdup(guard->leased) : NULL;
	change->other = guard->other ? strdup(guard->other) : NULL;
	change->other_revision = guard->other_revision;
	return (change->leased || !guard->leased) && (change->other || !guard->other);
}

bool etcd_swap(Etcd *etcd, const char *key, int64_t mod_revision, const char *value,
	       const EtcdGuard *guard, EtcdDone *done, void *context)
{
	Change *change = change_new(CHANGE_SWAP, key, value);

	if (change)
		change->mod_revision = mod_revision;
	if (change && guard && !copy_guard(change, guard)) {
		change_free(change);
		return false;
	}
	return add(etcd, change, done, context);
}

void changes_init(Changes *changes)
{
	*changes = (Changes){ .exchange = { .answer_max = 65536, .on_end = on_end } };
	TAILQ_INIT(&changes->waiting);
	TAILQ_INIT(&changes->settled);
}

void changes_deinit(Changes *changes)
{
	Change *change;

	exchange_deinit(&changes->exchange);
	TAILQ_CONCAT(&changes->settled, &changes->waiting, link);
	while ((change = TAILQ_FIRST(&changes->settled))) {
		TAILQ_REMOVE(&changes->settled, change, link);
		change_free(change);
	}
}
