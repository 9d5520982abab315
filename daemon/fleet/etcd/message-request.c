/* SPDX-License-Identifier: MIT */
/* Writes the requests to etcd. message.c reads the answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/fleet/etcd/base64.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/macros.h"

/* Writes bytes that consist of two parts, such as the prefix and the rest of a key. */
static void write_bytes(Writer *writer, const void *first, size_t first_size, const void *rest,
			size_t rest_size)
{
	_cleanup_(buffer_deinit) Buffer joined = BUFFER_INIT;
	_cleanup_(buffer_deinit) Buffer quoted = BUFFER_INIT;

	if (buffer_append(&joined, first, first_size) && buffer_append(&joined, rest, rest_size) &&
	    buffer_append(&quoted, "\"", 1) &&
	    base64_encode(&quoted, buffer_head(&joined), buffer_size(&joined)) &&
	    buffer_append(&quoted, "\"", 1))
		writer_json(writer, buffer_head(&quoted), buffer_size(&quoted));
	else
		writer->failed = true;
}

static void write_key(Writer *writer, const char *prefix, const char *key)
{
	writer_key(writer, "key");
	write_bytes(writer, prefix, strlen(prefix), key, strlen(key));
}

static void write_int64(Writer *writer, int64_t number)
{
	char quoted[32];
	int length = snprintf(quoted, sizeof(quoted), "\"%" PRId64 "\"", number);

	writer_json(writer, quoted, (size_t)length);
}

/*
 * Writes the key behind all keys with the prefix: the prefix with its last byte increased. Bytes of
 * 0xff do not occur in UTF-8.
 */
static void write_range_end(Writer *writer, const char *prefix)
{
	size_t length = strlen(prefix) - 1;
	char last = (char)(prefix[length] + 1);

	writer_key(writer, "range_end");
	write_bytes(writer, prefix, length, &last, 1);
}

static void write_put(Writer *writer, const char *prefix, const char *key, const char *value,
		      int64_t lease)
{
	writer_object_begin(writer);
	write_key(writer, prefix, key);
	writer_key(writer, "value");
	write_bytes(writer, value, strlen(value), "", 0);
	if (lease != 0) {
		writer_key(writer, "lease");
		write_int64(writer, lease);
	}
	writer_object_end(writer);
}

bool message_put(Buffer *out, const char *prefix, const char *key, const char *value, int64_t lease)
{
	Writer writer = WRITER_INIT(out);

	write_put(&writer, prefix, key, value, lease);
	return !writer.failed;
}

static void write_delete(Writer *writer, const char *prefix, const char *key)
{
	writer_object_begin(writer);
	write_key(writer, prefix, key);
	writer_object_end(writer);
}

bool message_delete(Buffer *out, const char *prefix, const char *key)
{
	Writer writer = WRITER_INIT(out);

	write_delete(&writer, prefix, key);
	return !writer.failed;
}

void message_batch_begin(MessageBatch *batch, Buffer *out)
{
	*batch = (MessageBatch){ .writer = WRITER_INIT(out) };
	writer_object_begin(&batch->writer);
	writer_key(&batch->writer, "success");
	writer_array_begin(&batch->writer);
}

void message_batch_put(MessageBatch *batch, const char *prefix, const char *key, const char *value,
		       int64_t lease)
{
	writer_object_begin(&batch->writer);
	writer_key(&batch->writer, "request_put");
	write_put(&batch->writer, prefix, key, value, lease);
	writer_object_end(&batch->writer);
}

bool message_batch_end(MessageBatch *batch)
{
	writer_array_end(&batch->writer);
	writer_object_end(&batch->writer);
	return !batch->writer.failed;
}

static void write_compare_begin(Writer *writer, const char *prefix, const char *key,
				const char *target)
{
	writer_object_begin(writer);
	write_key(writer, prefix, key);
	writer_key(writer, "target");
	writer_string(writer, target);
	writer_key(writer, "result");
	writer_string(writer, "EQUAL");
}

static void write_compare_revision(Writer *writer, const char *prefix, const char *key,
				   int64_t mod_revision)
{
	write_compare_begin(writer, prefix, key, "MOD");
	writer_key(writer, "mod_revision");
	write_int64(writer, mod_revision);
	writer_object_end(writer);
}

static void write_compare_lease(Writer *writer, const char *prefix, const char *key, int64_t lease)
{
	write_compare_begin(writer, prefix, key, "LEASE");
	writer_key(writer, "lease");
	write_int64(writer, lease);
	writer_object_end(writer);
}

static void write_compares(Writer *writer, const char *prefix, const MessageSwap *swap)
{
	writer_key(writer, "compare");
	writer_array_begin(writer);
	write_compare_revision(writer, prefix, swap->key, swap->mod_revision);
	if (swap->leased)
		write_compare_lease(writer, prefix, swap->leased, swap->lease);
	if (swap->other)
		write_compare_revision(writer, prefix, swap->other, swap->other_revision);
	writer_array_end(writer);
}

bool message_swap(Buffer *out, const char *prefix, const MessageSwap *swap)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	write_compares(&writer, prefix, swap);
	writer_key(&writer, "success");
	writer_array_begin(&writer);
	writer_object_begin(&writer);
	if (swap->value) {
		writer_key(&writer, "request_put");
		write_put(&writer, prefix, swap->key, swap->value, 0);
	} else {
		writer_key(&writer, "request_delete_range");
		write_delete(&writer, prefix, swap->key);
	}
	writer_object_end(&writer);
	writer_array_end(&writer);
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_range(Buffer *out, const char *prefix, const Buffer *after, unsigned int limit,
		   int64_t revision)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	writer_key(&writer, "key");
	if (after)
		write_bytes(&writer, buffer_head(after), buffer_size(after), "", 1);
	else
		write_bytes(&writer, prefix, strlen(prefix), "", 0);
	write_range_end(&writer, prefix);
	writer_key(&writer, "limit");
	write_int64(&writer, limit);
	if (revision != 0) {
		writer_key(&writer, "revision");
		write_int64(&writer, revision);
	}
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_get(Buffer *out, const char *prefix, const char *key, int64_t revision)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	write_key(&writer, prefix, key);
	writer_key(&writer, "revision");
	write_int64(&writer, revision);
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_watch(Buffer *out, const char *prefix, int64_t start_revision)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	writer_key(&writer, "create_request");
	writer_object_begin(&writer);
	writer_key(&writer, "key");
	write_bytes(&writer, prefix, strlen(prefix), "", 0);
	write_range_end(&writer, prefix);
	writer_key(&writer, "start_revision");
	write_int64(&writer, start_revision);
	writer_key(&writer, "fragment");
	writer_boolean(&writer, true);
	writer_object_end(&writer);
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_grant(Buffer *out, unsigned int ttl)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	writer_key(&writer, "TTL");
	write_int64(&writer, ttl);
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_lease(Buffer *out, int64_t lease)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	writer_key(&writer, "ID");
	write_int64(&writer, lease);
	writer_object_end(&writer);
	return !writer.failed;
}

bool message_status(Buffer *out)
{
	Writer writer = WRITER_INIT(out);

	writer_object_begin(&writer);
	writer_object_end(&writer);
	return !writer.failed;
}
