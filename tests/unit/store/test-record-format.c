/* SPDX-License-Identifier: MIT */
/*
 * Compares the persisted records of a stage with a file that the first version wrote for the same
 * stage. The daemon of an upgrade restores records that its predecessor has written. Members that
 * were added later must therefore be optional; any other difference needs a new record version.
 */
#include <stdio.h>
#include <string.h>

#include "tests/support/restart-stage.h"

#define FIRST_VERSION "tests/unit/store/records-of-version-1.txt"

TestSuite(record_format);

/* Removes the members that the first version did not have. */
static void remove_new_members(char *text)
{
	static const char *const members[] = { ",\"operatorPays\":true", ",\"firstRow\":1" };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		size_t length = strlen(members[i]);
		char *at;

		while ((at = strstr(text, members[i])))
			memmove(at, at + length, strlen(at + length) + 1);
	}
}

Test(record_format, records_are_those_of_the_first_version)
{
	Stage stage = stage_new();
	FILE *expected = fopen(FIRST_VERSION, "re");
	char line[4096], text[4096];
	size_t count = 0;

	cr_assert_not_null(expected, "run this from the root of the tree");
	while (fgets(line, sizeof(line), expected)) {
		line[strcspn(line, "\n")] = '\0';
		cr_assert_lt(count, stage.fake_host->persisted_count);
		snprintf(text, sizeof(text), "%s", stage.fake_host->persisted[count++].text);
		remove_new_members(text);
		cr_assert_str_eq(text, line);
	}
	fclose(expected);
	cr_assert_eq(count, stage.fake_host->persisted_count);
	stage_free(&stage);
}

/* The first version did not record whether an operator pays, except for VMs and drivers. */
Test(record_format, records_of_the_first_version_are_restored)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;
	const Accounts *accounts = &fake_host->service.broker->accounts;
	uint64_t before[LIMIT_MAX], of_operators = accounts->used_by_operators[LIMIT_STORE_ENTRIES];
	char text[4096];

	memcpy(before, accounts->used, sizeof(before));
	cr_assert_gt(of_operators, 0u);
	for (size_t i = 0; i < fake_host->persisted_count; i++) {
		snprintf(text, sizeof(text), "%s", fake_host->persisted[i].text);
		remove_new_members(text);
		fake_host_persist_record(fake_host, fake_host->persisted[i].serial, text,
					 strlen(text));
	}
	fake_host_restart(fake_host);
	cr_assert_eq(fake_host->report.drop_count, 0u);
	accounts = &fake_host->service.broker->accounts;
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		cr_assert_eq(accounts->used[kind], before[kind], "%s", limit_name(kind, false));
	cr_assert_eq(accounts_used((Accounts *)accounts, OPERATOR(0), LIMIT_VIRTUAL_MACHINES), 2u);
	cr_assert_eq(accounts_used((Accounts *)accounts, ORDINARY(0), LIMIT_STORE_ENTRIES),
		     of_operators);
	stage_free(&stage);
}
