/* SPDX-License-Identifier: MIT */
#include "client/common/program-options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/user-message.h"
#include "proto/suggest.h"
#include "proto/version.h"

static char last_message[512];

int usage_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_message, sizeof(last_message), format, arguments);
	va_end(arguments);
	va_start(arguments, format);
	log_message_list(format, arguments);
	va_end(arguments);
	return EXIT_USAGE;
}

const char *usage_error_message(void)
{
	return *last_message != '\0' ? last_message : NULL;
}

/* The maximum number of long options of a program. */
#define LONG_OPTIONS_MAX 64

/* Logs that the long option, with its dashes, is unknown, or the beginning of several. */
static int usage_error_unknown(const char *option, const struct option *long_options)
{
	const char *names[LONG_OPTIONS_MAX];
	size_t count = 0, fits = 0, length = strcspn(option + 2, "=");
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)length, option + 2);
	for (; long_options[count].name && count < LONG_OPTIONS_MAX; count++) {
		names[count] = long_options[count].name;
		fits += strncmp(names[count], name, length) == 0;
	}
	const char *suggested = fits > 1 ? NULL : suggest_nearest(name, names, count);
	if (fits > 1)
		return usage_error("--%s fits several options; see %s --help", name, program_name);
	if (suggested)
		return usage_error("--%s is not an option; did you mean --%s? see %s --help", name,
				   suggested, program_name);
	return usage_error("%s is not an option; see %s --help", option, program_name);
}

int usage_error_option(char *const *argv, int result, const struct option *long_options)
{
	/* optopt is 0 for a long option that is unknown or ambiguous. */
	bool is_long = optopt == 0 || optopt >= LONG_OPTION_BASE;
	/* getopt_long() has moved past a wrong long option, but not always past a short one. */
	const char *option = argv[optind - 1];

	if (!is_long && result == ':')
		return usage_error("-%c needs a value; see %s --help", optopt, program_name);
	if (!is_long)
		return usage_error("-%c is not an option; see %s --help", optopt, program_name);
	if (result == ':')
		return usage_error("%s needs a value; see %s --help", option, program_name);
	if (optopt == 0)
		return usage_error_unknown(option, long_options);
	return usage_error("%s: this option takes no value; see %s --help", option, program_name);
}

bool number_parse(const char *text, unsigned long maximum, unsigned long *ret_number)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number < 1 ||
	    number > maximum)
		return false;
	*ret_number = number;
	return true;
}

void print_version(void)
{
	printf("%s " VAILD_VERSION "\n", program_name);
}

enum { SHARED_OPTION_VALUES };

_Noreturn void exit_for_option(char *const *argv, int option, const struct option *long_options,
			       const char *usage)
{
	if (option == OPTION_HELP || option == 'h')
		fputs(usage, stdout);
	else if (option == OPTION_VERSION)
		print_version();
	else
		exit(usage_error_option(argv, option, long_options));
	exit(EXIT_DONE);
}
