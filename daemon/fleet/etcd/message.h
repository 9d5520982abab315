/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_MESSAGE_H
#define DAEMON_FLEET_ETCD_MESSAGE_H

#include "daemon/fleet/etcd/etcd.h"
#include "proto/buffer.h"
#include "proto/json-scan.h"
#include "proto/json-writer.h"
#include "proto/json.h"

/*
 * Requests and answers of etcd's JSON gateway. Keys and values are in base64, 64-bit integers are
 * strings, and members that are false, zero or empty are absent.
 *
 * Answers come from a server that may be broken. Each reader returns NULL, or a static sentence
 * about the fault of the answer.
 */

/*
 * The bounds of one answer, in bytes and in JSON values. etcd accepts requests of at most 1.5 MiB,
 * and divides the answers of a watch at that size.
 */
#define MESSAGE_SIZE_MAX   ((size_t)4 << 20)
#define MESSAGE_VALUES_MAX 262144

/*
 * Each of these appends a request, or returns false if out of memory; the buffer's contents are
 * then incomplete. Keys stand behind the prefix.
 */
bool message_put(Buffer *out, const char *prefix, const char *key, const char *value,
		 int64_t lease);
bool message_delete(Buffer *out, const char *prefix, const char *key);

/* Puts several keys at once: begin, add each, end. No key may occur twice. */
typedef struct MessageBatch {
	Writer writer;
} MessageBatch;

void message_batch_begin(MessageBatch *batch, Buffer *out);
void message_batch_put(MessageBatch *batch, const char *prefix, const char *key, const char *value,
		       int64_t lease);
bool message_batch_end(MessageBatch *batch);

/* Puts the value, or deletes the key if it is NULL, if everything else is true. */
typedef struct MessageSwap {
	const char *key;
	int64_t mod_revision; /* of the key; 0 if it must be absent */
	const char *value;
	const char *leased; /* a key that must have the lease; NULL for none */
	int64_t lease;
	const char *other; /* a key that must have the next revision; NULL for none */
	int64_t other_revision;
} MessageSwap;

bool message_swap(Buffer *out, const char *prefix, const MessageSwap *swap);

/*
 * Asks for keys with the prefix. after: the last key of the page before, as it is in etcd, or NULL
 * for the first page. revision: that of the first page, or 0.
 */
bool message_range(Buffer *out, const char *prefix, const Buffer *after, unsigned int limit,
		   int64_t revision);
/* Asks for one key as of the revision. */
bool message_get(Buffer *out, const char *prefix, const char *key, int64_t revision);
bool message_watch(Buffer *out, const char *prefix, int64_t start_revision);
bool message_grant(Buffer *out, unsigned int ttl);
bool message_lease(Buffer *out, int64_t lease); /* for a keepalive */
bool message_status(Buffer *out);

/*
 * Called for each entry of an answer. is_deleted: the entry is the end of a key, without a value.
 * Returns NULL, or the sentence with which the reader ends.
 */
typedef const char *EntryVisitor(void *context, const EtcdEntry *entry, bool is_deleted);

/* Skips keys that are not UTF-8, contain a NUL, or do not begin with the prefix. */
typedef struct EntryReader {
	JsonParser *parser;
	const char *prefix;
	EntryVisitor *visit;
	void *context;
} EntryReader;

typedef struct RangeAnswer {
	int64_t revision; /* of the store */
	uint64_t cluster; /* its ID; 0 if the server does not tell */
	bool has_more;    /* keys behind the last one */
} RangeAnswer;

/* last_key receives the last key as it is in etcd, if there is any. */
const char *message_read_range(const EntryReader *reader, JsonText text, Buffer *last_key,
			       RangeAnswer *ret);

#define MESSAGE_WHY_SIZE 160

/* A server's own words. Control characters are replaced, and a long text is cut. */
typedef struct ServerWords {
	char text[MESSAGE_WHY_SIZE];
} ServerWords;

typedef struct WatchAnswer {
	int64_t revision; /* of the store; 0 if the server does not tell */
	uint64_t cluster; /* the same */
	bool is_created;
	bool is_fragment;         /* the next answer goes on with the same changes */
	bool has_ended;           /* canceled, or ended by an error */
	int64_t compact_revision; /* 0 if the watch has not ended because of a compaction */
	ServerWords why;          /* it has ended; "" if the server gives no reason */
} WatchAnswer;

const char *message_read_watch(const EntryReader *reader, JsonText text, WatchAnswer *ret);

typedef struct LeaseAnswer {
	int64_t lease;
	int64_t ttl; /* in seconds; 0 for a lease that has expired */
} LeaseAnswer;

const char *message_read_grant(JsonParser *parser, JsonText text, LeaseAnswer *ret);
const char *message_read_keepalive(JsonParser *parser, JsonText text, LeaseAnswer *ret);

typedef struct ChangeAnswer {
	int64_t revision; /* of the change */
	bool has_succeeded;
} ChangeAnswer;

/* is_swap: only then can a change that was answered without an error have failed. */
const char *message_read_change(JsonParser *parser, JsonText text, bool is_swap, ChangeAnswer *ret);

/* Reads the name of the first alarm that the status of a member has; "" if it has none. */
const char *message_read_status(JsonParser *parser, JsonText text, ServerWords *ret_alarm);

/* Reads the body of an answer with an HTTP error. The words are "" if it has none. */
void message_read_error(JsonParser *parser, JsonText text, ServerWords *ret);

/* Divides the stream of a watch, which is one JSON value after the other. */
typedef struct MessageStream {
	JsonScan scan;
	size_t scanned; /* bytes from the head of the input */
} MessageStream;

typedef enum MessageStreamResult {
	MESSAGE_STREAM_VALUE,
	MESSAGE_STREAM_INCOMPLETE,
	MESSAGE_STREAM_FAULT,
} MessageStreamResult;

/*
 * Looks for the next value at the head of the input. Removes blanks before it. *ret_size is its
 * size, which the caller consumes.
 */
MessageStreamResult message_stream_next(MessageStream *stream, Buffer *input, size_t *ret_size);

#endif
