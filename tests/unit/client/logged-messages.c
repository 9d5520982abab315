/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/logged-messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/common/user-message.h"

static unsigned int messages;
static char text[8192];

void log_message(const char *format, ...)
{
	size_t size = strlen(text);
	va_list arguments;

	messages++;
	va_start(arguments, format);
	vsnprintf(text + size, sizeof(text) - size, format, arguments);
	va_end(arguments);
	size = strlen(text);
	snprintf(text + size, sizeof(text) - size, "\n");
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
