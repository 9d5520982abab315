/* SPDX-License-Identifier: MIT */
#include "client/common/program-options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/common/user-message.h"
#include "proto/option-fault.h"
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

int usage_error_option(char *const *argv, int result, const struct option *long_options,
		       const char *help)
{
	_cleanup_free_ char *fault =
		option_fault_describe(LAST_OPTION_FAULT(result, argv), long_options);
	char program_help[64];

	snprintf(program_help, sizeof(program_help), "%s --help", program_name);
	return usage_error("%s see %s", fault ? fault : "wrong arguments;",
			   help ? help : program_help);
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
