/* SPDX-License-Identifier: MIT */
/* Checks that /proc/PID/status is read completely or not at all, whatever its length. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/process/proc-credentials.h"
#include "daemon/host/process/user-namespace.h"

#define STATUS(uid, gid, groups, permitted, effective)                                             \
	"Name:\tviewer\nUmask:\t0022\nUid:\t" uid "\nGid:\t" gid "\nFDSize:\t64\nGroups:\t" groups \
	" \nCapInh:\t0000000000000000\nCapPrm:\t" permitted "\nCapEff:\t" effective "\n"

Test(proc_status, reads_the_pid_of_each_namespace)
{
	static const struct {
		const char *status;
		int error;
		size_t count;
		pid_t last;
	} rows[] = {
		{ "Name:\tqemu\nNStgid:\t7\t8\nNSpid:\t4711\t17\t1\nNSpgid:\t2\n", 0, 3, 1 },
		{ "Name:\tqemu\nNSpid:\t4711\n", 0, 1, 4711 },
		{ "Name:\tqemu\nNSpid:\t4711\t4194304", 0, 2, 4194304 },
		{ "Name:\tqemu\n", 0, 0, 0 }, /* without pid namespaces */
		{ "NSpid:\t1\tx\n", -EBADMSG, 0, 0 },
		{ "NSpid:\t1\t-2\n", -EBADMSG, 0, 0 },
		{ "NSpid:\t1\t2147483648\n", -EBADMSG, 0, 0 },
		{ "NSpid:\t1\t2\t3\t4\n", -EBADMSG, 0, 0 }, /* more than room */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pids[3];
		size_t count = 0;

		cr_assert_eq(proc_status_parse_pids(rows[i].status, pids, 3, &count), rows[i].error,
			     "%s", rows[i].status);
		cr_assert_eq(count, rows[i].count, "%s", rows[i].status);
		cr_assert(count == 0 || pids[count - 1] == rows[i].last, "%s", rows[i].status);
	}
}

static const LabelFiles all = { .current = true, .apparmor = true, .smack = true };

#define IDS  "1000\t1001\t1002\t1003"
#define NONE "0000000000000000"

Test(proc_status, reads_every_field)
{
	Credentials credentials = CREDENTIALS_INIT;
	const char *status = STATUS(IDS, "5\t6\t7\t8", "44 27 44", "00000000a80425fb", NONE);

	cr_assert_eq(proc_status_parse(status, &credentials), 0);
	cr_assert_eq(credentials.uids[ID_REAL], 1000);
	cr_assert_eq(credentials.uids[ID_EFFECTIVE], 1001);
	cr_assert_eq(credentials.uids[ID_SAVED], 1002);
	cr_assert_eq(credentials.uids[ID_FILE_SYSTEM], 1003);
	cr_assert_eq(credentials.gids[ID_EFFECTIVE], 6);
	cr_assert_eq(credentials.permitted, 0xa80425fb);
	cr_assert_eq(credentials.effective, 0);
	/* 6 is the primary group, and 44 is listed twice */
	cr_assert_eq(credentials.groups.count, 3);
	cr_assert(groups_contain(&credentials.groups, 6));
	cr_assert(groups_contain(&credentials.groups, 27));
	cr_assert(groups_contain(&credentials.groups, 44));
	credentials_deinit(&credentials);
}

Test(proc_status, refuses_incomplete_or_malformed_files)
{
	static const char *const broken[] = {
		"",
		"Uid:\t1 1 1 1\n",
		STATUS("1000\t1001\t1002", "5\t6\t7\t8", "", NONE, NONE),
		STATUS("1000\t1001\t1002\t-1", "5\t6\t7\t8", "", NONE, NONE),
		STATUS("1000\t1001\t1002\t4294967296", "5\t6\t7\t8", "", NONE, NONE),
		STATUS("1000\t1001\t1002\t0x10", "5\t6\t7\t8", "", NONE, NONE),
		STATUS(IDS, "5\t6\t7", "", NONE, NONE),
		STATUS(IDS, "5\t6\t7\t8", "1 x 2", NONE, NONE),
		STATUS(IDS, "5\t6\t7\t8", "", "none", NONE),
		STATUS(IDS, "5\t6\t7\t8", "", NONE, "1ffffffffffffffff"),
		"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nCapPrm:\t0\nCapEff:\t0\n",
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		Credentials credentials = CREDENTIALS_INIT;

		cr_assert_eq(proc_status_parse(broken[i], &credentials), -EBADMSG, "case %zu", i);
		credentials_deinit(&credentials);
	}
}

Test(proc_status, a_name_cannot_pretend_to_be_a_field)
{
	Credentials credentials = CREDENTIALS_INIT;
	const char *status = "Name:\tx Uid:\t0\t0\t0\t0\n" STATUS(IDS, IDS, "", NONE, NONE);

	cr_assert_eq(proc_status_parse(status, &credentials), 0);
	cr_assert_eq(credentials.uids[ID_REAL], 1000);
	credentials_deinit(&credentials);
}

/* CapEff follows Groups, which can be 460 KB long. */
Test(proc_status, reads_a_very_long_file)
{
	enum { GROUPS = 65536 };
	char folder[] = "/tmp/vaild-status-XXXXXX", path[64];
	Credentials credentials;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/status", folder);
	FILE *file = fopen(path, "we");
	fputs("Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t", file);
	for (int group = 0; group < GROUPS; group++)
		fprintf(file, "%d ", 1000000 + group);
	fputs("\nCapPrm:\t0000000000000000\nCapEff:\t0000000800000000\n", file);
	fclose(file);
	int directory = open(folder, O_PATH | O_CLOEXEC);
	cr_assert_eq(proc_credentials_read(directory, &all, &credentials), 0);
	cr_assert_eq(credentials.groups.count, GROUPS + 1);
	cr_assert_eq(credentials.effective, UINT64_C(1) << 35);
	cr_assert_str_eq(credentials.label, "");
	credentials_deinit(&credentials);
	unlinkat(directory, "status", 0);
	close(directory);
	rmdir(folder);
}

Test(proc_status, reads_this_process)
{
	Credentials credentials;
	int self = open("/proc/self", O_PATH | O_CLOEXEC);

	cr_assert_eq(proc_credentials_read(self, &all, &credentials), 0);
	cr_assert_eq(credentials.uids[ID_EFFECTIVE], geteuid());
	cr_assert_eq(credentials.gids[ID_REAL], getgid());
	credentials_deinit(&credentials);
	close(self);
}
