/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/record-line.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "proto/json-writer.h"
#include "proto/version.h"

#define CRC_LENGTH LINE_CHECKSUM_SIZE
#define TEXT_AT    (CRC_LENGTH + 1)
#define GONE       "null"

static const char *const names[] = {
	[PERSISTED_ENTITY] = "serial",
	[PERSISTED_PROCESS] = "process",
	[PERSISTED_FD] = "descriptor",
};

_Static_assert(sizeof(names) / sizeof(names[0]) == PERSISTED_KIND_MAX, "each kind has a name");
_Static_assert(sizeof("01234567 {\"descriptor\":18446744073709551615,\"record\":null}") <=
		       REMOVAL_LINE_SIZE_MAX,
	       "the longest removal line fits");

static void format_crc(const char *text, size_t size, char ret[static CRC_LENGTH + 1])
{
	snprintf(ret, CRC_LENGTH + 1, "%08lx", crc32_z(0, (const Bytef *)text, size));
}

/* Appends a placeholder for the checksum. Returns the start of the line, or SIZE_MAX. */
static size_t line_begin(Buffer *buffer)
{
	size_t begin = buffer_size(buffer);

	return buffer_append(buffer, "00000000 ", TEXT_AT) ? begin : SIZE_MAX;
}

/* Fills in the checksum, or removes the line if its text is incomplete. */
static bool line_end(Buffer *buffer, size_t begin, bool is_complete)
{
	char crc[CRC_LENGTH + 1];

	if (begin == SIZE_MAX)
		return false;
	if (!is_complete) {
		buffer_truncate(buffer, begin);
		return false;
	}
	char *line = buffer->data + buffer->start + begin;
	format_crc(line + TEXT_AT, buffer_size(buffer) - begin - TEXT_AT, crc);
	memcpy(line, crc, CRC_LENGTH);
	if (buffer_append(buffer, "\n", 1))
		return true;
	buffer_truncate(buffer, begin);
	return false;
}

bool record_line_append(Buffer *buffer, PersistedKind kind, const PersistedRecord *record)
{
	size_t begin = line_begin(buffer);
	char head[REMOVAL_LINE_SIZE_MAX];
	int length = snprintf(head, sizeof(head), "{\"%s\":%" PRIu64 ",\"record\":", names[kind],
			      record->number);
	const char *text = record->text ? record->text : GONE;
	size_t size = record->text ? record->size : strlen(GONE);

	assert(!memchr(text, '\n', size));
	return line_end(buffer, begin,
			begin != SIZE_MAX && buffer_append(buffer, head, (size_t)length) &&
				buffer_append(buffer, text, size) && buffer_append(buffer, "}", 1));
}

bool line_checksum_invert(char checksum[static LINE_CHECKSUM_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char inverted[LINE_CHECKSUM_SIZE];

	for (size_t i = 0; i < LINE_CHECKSUM_SIZE; i++) {
		const char *digit = memchr(digits, checksum[i], 16);

		if (!digit)
			return false;
		inverted[i] = digits[15 - (digit - digits)];
	}
	memcpy(checksum, inverted, sizeof(inverted));
	return true;
}

typedef enum LineState {
	LINE_DAMAGED,
	LINE_SOUND,
	LINE_INVALIDATED,
} LineState;

static LineState line_state(const char *line, size_t length)
{
	char crc[CRC_LENGTH + 1];

	if (length <= TEXT_AT || line[CRC_LENGTH] != ' ')
		return LINE_DAMAGED;
	format_crc(line + TEXT_AT, length - TEXT_AT, crc);
	if (memcmp(line, crc, CRC_LENGTH) == 0)
		return LINE_SOUND;
	line_checksum_invert(crc);
	return memcmp(line, crc, CRC_LENGTH) == 0 ? LINE_INVALIDATED : LINE_DAMAGED;
}

/* Moves *at past the word. Returns false if the word is not there. */
static bool skip_word(const char **at, const char *end, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(end - *at) < length || memcmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

static bool skip_number(const char **at, const char *end, uint64_t *ret)
{
	const char *begin = *at;
	uint64_t number = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(**at - '0'), &number))
			return false;
	*ret = number;
	return *at > begin && number > 0 && number <= PERSISTED_NUMBER_MAX;
}

static bool skip_kind(const char **at, const char *end, PersistedKind *ret)
{
	for (PersistedKind kind = 0; kind < PERSISTED_KIND_MAX; kind++) {
		if (!skip_word(at, end, names[kind]))
			continue;
		*ret = kind;
		return true;
	}
	return false;
}

/* No full JSON parser is needed: the checksum is correct, so the text is as vaild wrote it. */
bool record_line_parse(const char *line, size_t length, PersistedKind *ret_kind,
		       PersistedRecord *ret)
{
	const char *at = line + TEXT_AT, *end = line + length - 1;
	PersistedRecord record;
	PersistedKind kind;

	LineState state = line_state(line, length);

	if (state == LINE_DAMAGED || *end != '}')
		return false;
	if (!skip_word(&at, end, "{\"") || !skip_kind(&at, end, &kind) ||
	    !skip_word(&at, end, "\":") || !skip_number(&at, end, &record.number) ||
	    !skip_word(&at, end, ",\"record\":") || at == end)
		return false;
	record.text = at;
	record.size = (size_t)(end - at);
	if (state == LINE_INVALIDATED ||
	    (record.size == strlen(GONE) && memcmp(at, GONE, record.size) == 0))
		record.text = NULL;
	*ret_kind = kind;
	*ret = record;
	return true;
}

bool record_header_append(Buffer *buffer, const RecordHeader *header)
{
	size_t begin = line_begin(buffer);
	Writer writer = WRITER_INIT(buffer);

	if (begin == SIZE_MAX)
		return false;
	writer_object_begin(&writer);
	writer_key(&writer, "version");
	writer_unsigned(&writer, header->version);
	writer_key(&writer, "bootId");
	writer_string(&writer, header->boot_id);
	writer_key(&writer, "build");
	writer_string(&writer, VAILD_VERSION);
	writer_key(&writer, "last");
	writer_object_begin(&writer);
	writer_key(&writer, "serial");
	writer_unsigned(&writer, header->last[PERSISTED_ENTITY]);
	writer_key(&writer, "process");
	writer_unsigned(&writer, header->last[PERSISTED_PROCESS]);
	writer_key(&writer, "descriptor");
	writer_unsigned(&writer, header->last[PERSISTED_FD]);
	writer_object_end(&writer);
	writer_object_end(&writer);
	return line_end(buffer, begin, !writer.failed);
}

static bool read_header(const JsonValue *value, RecordHeader *header)
{
	const char *boot_id = json_string(json_member(value, "bootId"));

	if (!json_read_unsigned(json_member(value, "version"), &header->version))
		return false;
	if (header->version == 0 || header->version > RECORD_VERSION)
		return true;
	if (!boot_id || strlen(boot_id) >= sizeof(header->boot_id))
		return false;
	strcpy(header->boot_id, boot_id);
	for (PersistedKind kind = 0; kind < PERSISTED_KIND_MAX; kind++)
		if (!json_read_unsigned(json_member(json_member(value, "last"), names[kind]),
					&header->last[kind]))
			return false;
	return true;
}

int record_header_parse(const char *line, size_t length, JsonParser *parser, RecordHeader *ret)
{
	RecordHeader header = { 0 };
	const char *error;

	if (line_state(line, length) != LINE_SOUND)
		return -EBADMSG;
	JsonValue *value = json_parse(parser, line + TEXT_AT, length - TEXT_AT, &error);
	bool is_sound = !error && read_header(value, &header);
	json_free(value);
	if (!is_sound)
		return -EBADMSG;
	*ret = header;
	return 0;
}

bool record_header_raise(char *line, size_t length)
{
	static const char head[] = "{\"version\":";
	char *digit = line + TEXT_AT + strlen(head);

	_Static_assert(RECORD_VERSION <= 9, "the version is one digit");
	if (length < TEXT_AT + strlen(head) + 2 ||
	    memcmp(line + TEXT_AT, head, strlen(head)) != 0 || digit[1] != ',')
		return false;
	char crc[CRC_LENGTH + 1];
	*digit = (char)('0' + RECORD_VERSION);
	format_crc(line + TEXT_AT, length - TEXT_AT, crc);
	memcpy(line, crc, CRC_LENGTH);
	return true;
}
