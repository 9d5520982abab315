/* SPDX-License-Identifier: MIT */
/* Checks which label files in /proc/PID/attr are read, and that an unreadable one is an error. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/process/proc-credentials.h"
#include "proto/macros.h"

static const LabelFiles all = { .current = true, .apparmor = true, .smack = true };

typedef struct Folder {
	char path[32];
	int fd;
} Folder;

static Folder folder;

static void folder_write(const char *name, const char *text)
{
	int file = openat(folder.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	close(file);
}

/* Creates a fake /proc directory of a process without any label. */
static void set_up(void)
{
	static const char *const folders[] = { "attr", "attr/apparmor", "attr/smack" };

	folder = (Folder){ .path = "/tmp/vaild-labels-XXXXXX" };
	cr_assert_not_null(mkdtemp(folder.path));
	folder.fd = open(folder.path, O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		cr_assert_eq(mkdirat(folder.fd, folders[i], 0700), 0);
	folder_write("status",
		     "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\nCapPrm:\t0\nCapEff:\t0\n");
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static void tear_down(void)
{
	close(folder.fd);
	cr_assert_eq(nftw(folder.path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TestSuite(lsm_labels, .init = set_up, .fini = tear_down);

static void expect_labels(const LabelFiles *files, const char *label, const char *stacked)
{
	Credentials credentials;

	cr_assert_eq(proc_credentials_read(folder.fd, files, &credentials), 0);
	cr_assert_str_eq(credentials.label, label);
	cr_assert_str_eq(credentials.stacked_labels, stacked);
	credentials_deinit(&credentials);
}

Test(lsm_labels, implemented_label_files_are_read)
{
	expect_labels(&all, "", "\n");
	folder_write("attr/current", "unconfined_t\n");
	folder_write("attr/apparmor/current", "viewer (enforce)\n");
	folder_write("attr/smack/current", "floor");
	expect_labels(&all, "unconfined_t", "viewer (enforce)\nfloor");
	expect_labels(&(LabelFiles){ 0 }, "", "\n");
}

Test(lsm_labels, unimplemented_label_files_are_found)
{
	LabelFiles found = label_files_find(folder.fd);

	cr_assert(!found.current && !found.apparmor && !found.smack);
	folder_write("attr/smack/current", "floor");
	found = label_files_find(folder.fd);
	cr_assert(!found.current && !found.apparmor && found.smack);
	found = label_files_find(-1); /* unknown: read them all */
	cr_assert(found.current && found.apparmor && found.smack);
}

/* An unreadable label must not be taken for an empty one. */
Test(lsm_labels, an_unreadable_label_makes_all_credentials_unreadable)
{
	static const char *const labels[] = { "attr/current", "attr/apparmor/current",
					      "attr/smack/current" };
	Credentials credentials;

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		cr_assert_eq(mkdirat(folder.fd, labels[i], 0700), 0); /* read: EISDIR */
		cr_assert_eq(proc_credentials_read(folder.fd, &all, &credentials), -EISDIR);
		cr_assert_null(credentials.label);
		unlinkat(folder.fd, labels[i], AT_REMOVEDIR);
	}
}
