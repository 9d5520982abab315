/* SPDX-License-Identifier: MIT */
/* The owners of subordinate uids, from a file like /etc/subuid. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/process/subordinate-ids.h"
#include "proto/macros.h"

static char path[] = "/tmp/vaild-subuid-XXXXXX";
static SubordinateIds ids;

static void set_up(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	subordinate_ids_init(&ids, path);
}

static void tear_down(void)
{
	subordinate_ids_deinit(&ids);
	unlink(path);
}

TestSuite(subordinate_ids, .init = set_up, .fini = tear_down);

/* Replaces the file, as its tools do, so that it is another inode. */
static void replace_file(const char *text)
{
	char other[sizeof(path) + 4];

	snprintf(other, sizeof(other), "%s.new", path);
	FILE *file = fopen(other, "we");
	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(rename(other, path), 0);
}

Test(subordinate_ids, a_range_belongs_to_its_user)
{
	static const struct {
		uid_t uid, owner;
	} rows[] = {
		{ 0, 0 },         { 1000, 1000 },     { 99999, 99999 },   { 100000, 1000 },
		{ 165535, 1000 }, { 165536, 1001 },   { 231071, 1001 },   { 231072, 231072 },
		{ 300000, 1000 }, { 300001, 300001 }, { 400000, 400000 }, { 4294967294, 1001 },
	};

	replace_file("1001:165536:65536\n1000:100000:65536\n1001:4294967294:1\n1000:300000:1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(subordinate_ids_owner(&ids, rows[i].uid), rows[i].owner, "uid %u",
			     rows[i].uid);
}

Test(subordinate_ids, root_and_unusable_lines_own_nothing)
{
	static const char *const lines[] = {
		"root:100000:65536\n",
		"0:100000:65536\n",
		"vail-no-such-user:100000:65536\n",
		"# 1000:100000:65536\n",
		":100000:65536\n",
		"1000:100000\n",
		"1000:100000:65536:\n",
		"1000:100000:65536 x\n",
		"1000:a:65536\n",
		"1000:100000:-1\n",
		"1000:-1:65536\n",
		"1000:4294967295:65536\n",
		"1000:100000:0\n",
		"1000:100000:99999999999999999999\n",
		"\n",
		"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		replace_file(lines[i]);
		cr_assert_eq(subordinate_ids_owner(&ids, 100000), 100000u, "%s", lines[i]);
	}
}

Test(subordinate_ids, a_changed_file_is_read_again)
{
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 100000u);
	replace_file("1000:100000:10\n");
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 1000u);
	replace_file("1001:100000:10\n");
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 1001u);
	unlink(path);
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 100000u);
}

/* A folder cannot be read as a file. */
Test(subordinate_ids, an_unreadable_file_changes_nothing)
{
	replace_file("1000:100000:10\n");
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 1000u);
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(subordinate_ids_owner(&ids, 100000), 1000u);
	rmdir(path);
}
