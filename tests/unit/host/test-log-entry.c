/* SPDX-License-Identifier: MIT */
/* Checks the fields of a log entry, and that those exceeding its size are left out. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "daemon/host/log/log-entry.h"

static void assert_field(const LogEntry *entry, size_t index, const char *text)
{
	cr_assert_lt(index, entry->count);
	cr_assert_eq(entry->fields[index].iov_len, strlen(text));
	cr_assert_arr_eq(entry->fields[index].iov_base, text, strlen(text));
}

Test(log_entry, begins_with_message_id_and_priority)
{
	LogEntry entry;

	log_entry_init(&entry, LOG_NOTICE, MESSAGE_DENIED);
	log_entry_add(&entry, "VAIL_PID=%d", 17);
	assert_field(&entry, 0, "MESSAGE_ID=" MESSAGE_DENIED);
	assert_field(&entry, 1, "PRIORITY=5");
	assert_field(&entry, 2, "VAIL_PID=17");
	cr_assert_eq(entry.count, 3);
}

Test(log_entry, long_text_is_truncated_and_later_fields_dropped)
{
	static char text[2 * LOG_ENTRY_TEXT_SIZE];
	LogEntry entry;

	memset(text, 'a', sizeof(text) - 1);
	log_entry_init(&entry, LOG_INFO, MESSAGE_ALLOWED);
	log_entry_add(&entry, "VAIL_EXE=%s", text);
	log_entry_add(&entry, "VAIL_PID=%d", 17);
	cr_assert_eq(entry.count, 3);
	cr_assert_leq(entry.used, sizeof(entry.text));
	cr_assert_eq(strlen(entry.fields[2].iov_base), entry.fields[2].iov_len);
}

Test(log_entry, holds_a_limited_number_of_fields)
{
	LogEntry entry;
	char last[32];

	log_entry_init(&entry, LOG_INFO, MESSAGE_ALLOWED);
	for (int i = 0; i < 2 * LOG_ENTRY_FIELDS_MAX; i++)
		log_entry_add(&entry, "VAIL_PID=%d", i);
	cr_assert_eq(entry.count, LOG_ENTRY_FIELDS_MAX);
	/* The message id and the priority are fields, too. */
	snprintf(last, sizeof(last), "VAIL_PID=%d", LOG_ENTRY_FIELDS_MAX - 3);
	assert_field(&entry, LOG_ENTRY_FIELDS_MAX - 1, last);
}
