/* SPDX-License-Identifier: MIT */
/* Tests the sentences about wrong options, with what getopt_long() really says about each. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/option-fault.h"

enum { OPTION_SOCKET = LONG_OPTION_BASE, OPTION_STATE, OPTION_STATUS, OPTION_JSON };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "state-dir", required_argument, NULL, OPTION_STATE },
	{ "status", no_argument, NULL, OPTION_STATUS },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "jason", no_argument, NULL, OPTION_JSON },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *words[3];
	const char *description;
} cases[] = {
	{ { "--sockt", "x" }, "--sockt is not an option; did you mean --socket?" },
	{ { "--sockt=x" }, "--sockt is not an option; did you mean --socket?" },
	{ { "--jasn" }, "--jasn is not an option; did you mean --json?" },
	{ { "--pears" }, "--pears is not an option;" },
	{ { "--pears=x" }, "--pears=x is not an option;" },
	{ { "--stat" }, "--stat fits several options;" },
	{ { "--socket" }, "--socket needs a value;" },
	{ { "--status", "--socket" }, "--socket needs a value;" },
	{ { "--status=1" }, "--status=1: this option takes no value;" },
	{ { "-x" }, "-x is not an option;" },
	{ { "-vx" }, "-x is not an option;" },
	{ { "-n" }, "-n needs a value;" },
	{ { "-json" }, "-json is not an option; did you mean --json?" },
	{ { "-x", "-json" }, "-x is not an option;" },
	{ { "-x", "word" }, "-x is not an option;" },
};

/* Returns the description of the first wrong option, to be freed. */
static char *describe(const char *const *words, size_t count)
{
	char *argv[8] = { "program" };
	int argc = 1, result = 0;

	for (size_t i = 0; i < count && words[i]; i++)
		argv[argc++] = (char *)words[i];
	opterr = 0;
	optind = 0; /* begins a new command line */
	while (result != '?' && result != ':' && result != -1)
		result = getopt_long(argc, argv, ":vn:", long_options, NULL);
	cr_assert_neq(result, -1, "%s is right", words[0]);
	return option_fault_describe(LAST_OPTION_FAULT(result, argv), long_options);
}

Test(option_fault, says_what_is_wrong_and_what_was_meant)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *description =
			describe(cases[i].words, ARRAY_SIZE(cases[i].words));

		cr_assert_str_eq(description, cases[i].description);
	}
}
