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

/* Returns the first option with this value, which is the one that the help shows. */
static const char *name_of_value(const struct option *long_options, int value)
{
	while (long_options->val != value)
		long_options++;
	return long_options->name;
}

/*
 * Logs that the long option is unknown, or the beginning of several. option: with its dashes, or
 * with one dash.
 */
static int usage_error_unknown(const char *option, const struct option *long_options,
			       const char *help)
{
	const char *names[LONG_OPTIONS_MAX];
	size_t dashes = strspn(option, "-"), length = strcspn(option, "=") - dashes;
	size_t count = 0, fits = 0;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)length, option + dashes);
	for (; long_options[count].name && count < LONG_OPTIONS_MAX; count++) {
		names[count] = long_options[count].name;
		fits += strncmp(names[count], name, length) == 0;
	}
	const char *suggested = fits > 1 ? NULL : suggest_nearest(name, names, count);
	for (size_t i = 0; suggested && i < count; i++)
		if (names[i] == suggested)
			suggested = name_of_value(long_options, long_options[i].val);
	if (fits > 1)
		return usage_error("%.*s%s fits several options; see %s", (int)dashes, option, name,
				   help);
	if (suggested)
		return usage_error("%.*s%s is not an option; did you mean --%s? see %s",
				   (int)dashes, option, name, suggested, help);
	return usage_error("%s is not an option; see %s", option, help);
}

/* Returns a long option that was given with one dash, such as "-json", or NULL. */
static const char *find_single_dash(char *const *argv)
{
	/* getopt_long() stays at such a word as long as it has further letters. */
	const char *last = argv[optind - 1], *word = argv[optind];
	bool is_letter = *last == '-' && last[1] == optopt && last[2] == '\0';

	if (is_letter || !word || *word != '-' || word[1] == '-' || !strchr(word, optopt))
		return NULL;
	return strlen(word) > 2 ? word : NULL;
}

int usage_error_option(char *const *argv, int result, const struct option *long_options,
		       const char *help)
{
	/* optopt is 0 for a long option that is unknown or ambiguous. */
	bool is_long = optopt == 0 || optopt >= LONG_OPTION_BASE;
	/* getopt_long() has moved past a wrong long option, but not always past a short one. */
	const char *option = argv[optind - 1];
	const char *single_dash = is_long ? NULL : find_single_dash(argv);
	char program_help[64];

	snprintf(program_help, sizeof(program_help), "%s --help", program_name);
	if (!help)
		help = program_help;
	if (!is_long && result == ':')
		return usage_error("-%c needs a value; see %s", optopt, help);
	if (single_dash)
		return usage_error_unknown(single_dash, long_options, help);
	if (!is_long)
		return usage_error("-%c is not an option; see %s", optopt, help);
	if (result == ':')
		return usage_error("%s needs a value; see %s", option, help);
	if (optopt == 0)
		return usage_error_unknown(option, long_options, help);
	return usage_error("%s: this option takes no value; see %s", option, help);
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
		exit(usage_error_option(argv, option, long_options, NULL));
	exit(EXIT_DONE);
}
