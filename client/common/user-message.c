/* SPDX-License-Identifier: MIT */
#include "client/common/user-message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/terminal-text.h"

static const char *message_label;

void log_set_label(const char *label)
{
	message_label = label;
}

/* Adds the prefix and the label to the message, and escapes it. Returns NULL if out of memory. */
static char *escape_with_prefix(const char *text)
{
	_cleanup_free_ char *prefixed = NULL;

	if (asprintf(&prefixed, "%s: %s%s%s", program_name, message_label ? message_label : "",
		     message_label ? ": " : "", text) < 0)
		prefixed = NULL;
	return prefixed ? text_escape(prefixed, NULL) : NULL;
}

/* Returns the width of the terminal that stderr is: $COLUMNS, else its own, else 80. */
static size_t terminal_columns(void)
{
	const char *value = getenv("COLUMNS");
	struct winsize size = { 0 };
	unsigned long columns = 0;

	if (value && number_parse(value, UINT16_MAX, &columns))
		return columns;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

#define FOLDED_INDENT 2

/* A terminal would break the line within words. Other readers get each message as one line. */
static void print_line(const char *text)
{
	_cleanup_free_ char *folded = NULL;

	if (isatty(STDERR_FILENO))
		folded = text_fold_message(text, terminal_columns(), FOLDED_INDENT);
	fprintf(stderr, "%s\n", folded ? folded : text);
}

void log_message_list(const char *format, va_list arguments)
{
	_cleanup_free_ char *text = NULL, *safe = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	if (text)
		safe = escape_with_prefix(text);
	if (safe)
		print_line(safe);
	else
		fprintf(stderr, "%s: out of memory\n", program_name);
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

/* Appends the status and the limit to the sentence. */
static char *append_status(const struct vail *vail, NTSTATUS status, const char *sentence)
{
	uint64_t maximum = 0, used = 0;
	const char *limit = vail_error_limit(vail, &maximum, &used);
	char code[STATUS_CODE_SIZE], *text = NULL;
	const char *name = message_status(status, code);
	int length;

	/* A request may need several units, and the use of a total is the caller's own. */
	if (limit && used < maximum)
		length = asprintf(&text, "%s (%s, %s: at most %llu, and you use %llu)", sentence,
				  name, limit, (unsigned long long)maximum,
				  (unsigned long long)used);
	else if (limit)
		length = asprintf(&text, "%s (%s, %s: %llu of %llu used)", sentence, name, limit,
				  (unsigned long long)used, (unsigned long long)maximum);
	else
		length = asprintf(&text, "%s (%s)", sentence, name);
	return length < 0 ? NULL : text;
}

static const char *refusal_sentence(const struct vail *vail, NTSTATUS status)
{
	const char *sentence = vail_error_message(vail);

	if (*sentence != '\0')
		return sentence;
	return status == STATUS_NO_MEMORY ? "this process is out of memory"
					  : "vaild did not give a reason";
}

/* Tests whether vaild does not know the method that was called. */
static bool is_too_old(const struct vail *vail)
{
	static const char *const names[] = {
		"org.varlink.service.MethodNotFound",
		"org.varlink.service.InterfaceNotFound",
		"org.varlink.service.MethodNotImplemented",
	};
	const char *name = vail_error_name(vail);

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

char *message_refusal(const struct vail *vail, NTSTATUS status, const Wording *wording)
{
	const char *sentence = refusal_sentence(vail, status);
	bool is_reply = vail_error_name(vail) != NULL;

	if (is_too_old(vail)) {
		sentence =
			"this vaild is too old for this; update it, and start it again, or under "
			"systemd run: systemctl restart vaild";
		is_reply = false;
	}
	_cleanup_free_ char *plain =
		plain_sentence(sentence, vail_error_parameter(vail), is_reply ? wording : NULL);
	return plain ? append_status(vail, status, plain) : NULL;
}

char *message_refusal_raw(const struct vail *vail, NTSTATUS status)
{
	return append_status(vail, status, refusal_sentence(vail, status));
}
