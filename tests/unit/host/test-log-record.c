/* SPDX-License-Identifier: MIT */
/* Checks the fields of a log entry, and that those exceeding its size are left out. */
#include <criterion/criterion.h>
#include <string.h>
#include <syslog.h>

#include "daemon/host/log/log-record.h"

static void assert_field(const LogRecord *record, size_t index, const char *text)
{
	cr_assert_lt(index, record->count);
	cr_assert_eq(record->fields[index].iov_len, strlen(text));
	cr_assert_arr_eq(record->fields[index].iov_base, text, strlen(text));
}

Test(log_record, begins_with_message_id_and_priority)
{
	LogRecord record;

	log_record_init(&record, LOG_NOTICE, MESSAGE_DENIED);
	log_record_add(&record, "VAIL_PID=%d", 17);
	assert_field(&record, 0, "MESSAGE_ID=" MESSAGE_DENIED);
	assert_field(&record, 1, "PRIORITY=5");
	assert_field(&record, 2, "VAIL_PID=17");
	cr_assert_eq(record.count, 3);
}

Test(log_record, long_text_is_truncated_and_later_fields_dropped)
{
	static char text[2 * LOG_RECORD_TEXT_SIZE];
	LogRecord record;

	memset(text, 'a', sizeof(text) - 1);
	log_record_init(&record, LOG_INFO, MESSAGE_ALLOWED);
	log_record_add(&record, "VAIL_EXE=%s", text);
	log_record_add(&record, "VAIL_PID=%d", 17);
	cr_assert_eq(record.count, 3);
	cr_assert_leq(record.used, sizeof(record.text));
	cr_assert_eq(strlen(record.fields[2].iov_base), record.fields[2].iov_len);
}

Test(log_record, holds_at_most_16_fields)
{
	LogRecord record;

	log_record_init(&record, LOG_INFO, MESSAGE_ALLOWED);
	for (int i = 0; i < 2 * LOG_RECORD_FIELDS_MAX; i++)
		log_record_add(&record, "VAIL_PID=%d", i);
	cr_assert_eq(record.count, LOG_RECORD_FIELDS_MAX);
	assert_field(&record, LOG_RECORD_FIELDS_MAX - 1, "VAIL_PID=13");
}
