/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/logged-messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/common/user-message.h"

static unsigned int messages;
static char text[8192];

const char program_name[] = "unit-tests";

void log_message_list(const char *format, va_list arguments)
{
	size_t size = strlen(text);

	messages++;
	vsnprintf(text + size, sizeof(text) - size, format, arguments);
	size = strlen(text);
	snprintf(text + size, sizeof(text) - size, "\n");
}

void log_message(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message_list(format, arguments);
	va_end(arguments);
}

char *message_refusal(const struct vail *vail, NTSTATUS status, const Wording *wording)
{
	(void)status;
	(void)wording;
	return strdup(vail_error_message(vail));
}

void logged_messages_clear(void)
{
	messages = 0;
	text[0] = '\0';
}

unsigned int logged_messages_count(void)
{
	return messages;
}

bool logged_messages_have(const char *expected)
{
	return strstr(text, expected) != NULL;
}

const char *logged_messages(void)
{
	return text;
}
