/* SPDX-License-Identifier: MIT */
/*
 * Compares the members of all persisted records with the list for RECORD_VERSION. A daemon drops
 * records with members that it does not know, so new members need a new version: an older daemon
 * then refuses the file as a whole, and packages refuse the downgrade.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/host/persist/record-line.h"
#include "daemon/store/record-schema.h"

TestSuite(record_members);

/* Writes a line for each member of the table, and of the tables inside it. */
static void write_members(FILE *out, const char *path, const JsonTable *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const JsonField *field = &table->fields[i];
		char inner[256];

		fprintf(out, "%s.%s%s\n", path, field->name, field->is_required ? "" : "?");
		snprintf(inner, sizeof(inner), "%s.%s", path, field->name);
		if (field->table)
			write_members(out, inner, field->table);
	}
}

static char *all_members(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	for (StoreKind kind = 0; kind < STORE_KIND_MAX; kind++)
		write_members(out, record_kinds[kind].name, &record_kinds[kind].table);
	fclose(out);
	return text;
}

static char *read_list(void)
{
	char path[64], *text = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "tests/unit/store/members-of-version-%d.txt", RECORD_VERSION);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file, "run this from the root of the tree; it needs %s", path);
	cr_assert_gt(getdelim(&text, &size, '\0', file), 0);
	fclose(file);
	return text;
}

Test(record_members, are_those_of_the_version)
{
	char *members = all_members(), *list = read_list();

	cr_assert_str_eq(members, list,
			 "if a release has this RECORD_VERSION, raise it; then keep this list in "
			 "tests/unit/store/members-of-version-%d.txt:\n%s",
			 RECORD_VERSION, members);
	free(members);
	free(list);
}
