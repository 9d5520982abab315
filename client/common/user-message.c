/* SPDX-License-Identifier: MIT */
#include "client/common/user-message.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/common/terminal-text.h"

void log_message_list(const char *format, va_list arguments)
{
	_cleanup_free_ char *text = NULL, *safe = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	if (text)
		safe = text_escape(text, NULL);
	fprintf(stderr, "%s: %s\n", program_name, safe ? safe : "out of memory");
}

void log_message(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message_list(format, arguments);
	va_end(arguments);
}

const char *message_status(NTSTATUS status, char code[STATUS_CODE_SIZE])
{
	const char *name = vail_status_name(status);

	snprintf(code, STATUS_CODE_SIZE, "0x%08X", (unsigned int)status);
	return name ? name : code;
}

char *message_refusal(const struct vail *vail, NTSTATUS status)
{
	uint64_t maximum = 0, used = 0;
	const char *limit = vail_error_limit(vail, &maximum, &used);
	const char *message = vail_error_message(vail);
	char code[STATUS_CODE_SIZE], *text = NULL;
	const char *name = message_status(status, code);
	int length;

	if (*message == '\0')
		message = status == STATUS_NO_MEMORY ? "this process is out of memory"
						     : "vaild did not give a reason";
	/* A request may need several units, and the use of a total is the caller's own. */
	if (limit && used < maximum)
		length = asprintf(&text, "%s (%s, %s: at most %llu, and you use %llu)", message,
				  name, limit, (unsigned long long)maximum,
				  (unsigned long long)used);
	else if (limit)
		length = asprintf(&text, "%s (%s, %s: %llu of %llu used)", message, name, limit,
				  (unsigned long long)used, (unsigned long long)maximum);
	else
		length = asprintf(&text, "%s (%s)", message, name);
	return length < 0 ? NULL : text;
}
