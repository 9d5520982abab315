/* SPDX-License-Identifier: MIT */
/*
 * Compares the persisted records of a stage with a file that the first version wrote for the same
 * stage. The daemon of an upgrade restores records that its predecessor has written, so a
 * difference needs a new record version.
 */
#include <stdio.h>
#include <string.h>

#include "tests/support/restart-stage.h"

#define FIRST_VERSION "tests/unit/store/records-of-version-1.txt"

TestSuite(record_format);

Test(record_format, records_are_those_of_the_first_version)
{
	Stage stage = stage_new();
	FILE *expected = fopen(FIRST_VERSION, "re");
	char line[4096];
	size_t count = 0;

	cr_assert_not_null(expected, "run this from the root of the tree");
	while (fgets(line, sizeof(line), expected)) {
		line[strcspn(line, "\n")] = '\0';
		cr_assert_lt(count, stage.fake_host->persisted_count);
		cr_assert_str_eq(stage.fake_host->persisted[count++].text, line);
	}
	fclose(expected);
	cr_assert_eq(count, stage.fake_host->persisted_count);
	stage_free(&stage);
}
