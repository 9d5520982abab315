/* SPDX-License-Identifier: MIT */
/* Files that a user has named: replaced, overwritten in place, or written through. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/common/atomic-file.h"
#include "proto/macros.h"

/* A user who owns nothing. */
#define OTHER_UID 47099

static char folder[] = "/tmp/vail-atomic-file.XXXXXX";

static void enter_folder(void)
{
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	umask(022);
}

static void remove_folder(void)
{
	char command[100];

	if (geteuid() != 0 && seteuid(0) < 0)
		cr_assert_eq(chmod(folder, 0755), 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(atomic_file, .init = enter_folder, .fini = remove_folder);

static void make_file(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* Writes the file. Returns 0 or a negative errno, and checks that no temporary file remains. */
static int write_file(const char *path, const char *text)
{
	AtomicFile file;
	int error = atomic_file_create(&file, path);

	if (error == 0 && fputs(text, file.out) >= 0)
		error = atomic_file_commit(&file);
	atomic_file_deinit(&file);
	cr_assert_neq(system("ls -A | grep -q ^[.]vail"), 0, "a temporary file remains");
	return error;
}

static void expect_text(const char *path, const char *text)
{
	char read_text[100] = "";
	int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_geq(read(fd, read_text, sizeof(read_text) - 1), 0);
	cr_assert_str_eq(read_text, text);
	close(fd);
}

static struct stat status_of(const char *path)
{
	struct stat status;

	cr_assert_eq(lstat(path, &status), 0, "%s: %s", path, strerror(errno));
	return status;
}

static mode_t mode_of(const char *path)
{
	return status_of(path).st_mode & 07777;
}

Test(atomic_file, new_files_follow_the_umask)
{
	static const struct {
		mode_t mask, mode;
	} rows[] = { { 022, 0644 }, { 077, 0600 }, { 0, 0666 }, { 0777, 0 } };
	char name[8];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		umask(rows[i].mask);
		snprintf(name, sizeof(name), "new%zu", i);
		cr_assert_eq(write_file(name, "new"), 0);
		cr_assert_eq(mode_of(name), rows[i].mode);
	}
}

Test(atomic_file, existing_files_keep_mode_and_owner)
{
	static const mode_t modes[] = { 0600, 0640, 0666, 0200, 0755 };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		make_file("file", modes[i], "longer than the new text");
		if (geteuid() == 0)
			cr_assert_eq(chown("file", OTHER_UID, OTHER_UID + 1), 0);
		struct stat before = status_of("file");
		cr_assert_eq(write_file("file", "new"), 0);
		struct stat after = status_of("file");
		cr_assert_eq(mode_of("file"), modes[i]);
		cr_assert_eq(after.st_uid, before.st_uid);
		cr_assert_eq(after.st_gid, before.st_gid);
		cr_assert_neq(after.st_ino, before.st_ino, "the file was not replaced");
		cr_assert_eq(chmod("file", 0600), 0);
		expect_text("file", "new");
		cr_assert_eq(unlink("file"), 0);
	}
}

Test(atomic_file, links_are_followed_and_stay)
{
	static const char *const links[] = { "link", "second", "away/third" };

	cr_assert_eq(mkdir("away", 0755), 0);
	make_file("file", 0640, "old");
	cr_assert_eq(symlink("file", "link"), 0);
	cr_assert_eq(symlink("link", "second"), 0);
	cr_assert_eq(symlink("../second", "away/third"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		ino_t before = status_of("file").st_ino;

		cr_assert_eq(write_file(links[i], links[i]), 0);
		cr_assert(S_ISLNK(status_of(links[i]).st_mode));
		cr_assert(S_ISREG(status_of("file").st_mode));
		cr_assert_eq(mode_of("file"), 0640);
		cr_assert_neq(status_of("file").st_ino, before);
		expect_text("file", links[i]);
	}
}

Test(atomic_file, link_to_a_missing_file_creates_it)
{
	cr_assert_eq(symlink("missing", "link"), 0);
	cr_assert_eq(write_file("link", "new"), 0);
	cr_assert(S_ISLNK(status_of("link").st_mode));
	expect_text("missing", "new");
	cr_assert_eq(mode_of("missing"), 0644);
	cr_assert_eq(symlink("nowhere/missing", "broken"), 0);
	cr_assert_eq(write_file("broken", "new"), -ENOENT);
	cr_assert_eq(symlink("circle", "circle"), 0);
	cr_assert_eq(write_file("circle", "new"), -ELOOP);
}

Test(atomic_file, all_names_of_a_file_show_the_new_content)
{
	make_file("one", 0600, "old and longer");
	cr_assert_eq(link("one", "two"), 0);
	cr_assert_eq(write_file("one", "new"), 0);
	expect_text("two", "new");
	cr_assert_eq(status_of("one").st_ino, status_of("two").st_ino);
}

Test(atomic_file, name_of_255_bytes)
{
	char name[256];

	memset(name, 'x', 255);
	name[255] = '\0';
	cr_assert_eq(write_file(name, "new"), 0);
	cr_assert_eq(write_file(name, "newer"), 0);
	expect_text(name, "newer");
}

/* Runs the rest of the test as a user who may write only what its mode allows. */
static void become_other(void)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(OTHER_UID), 0);
}

Test(atomic_file, writable_file_in_a_protected_folder_is_overwritten)
{
	make_file("file", 0666, "old and longer");
	cr_assert_eq(chmod(".", 0555), 0);
	become_other();
	struct stat before = status_of("file");
	cr_assert_eq(write_file("file", "new"), 0);
	expect_text("file", "new");
	cr_assert_eq(status_of("file").st_ino, before.st_ino);
	cr_assert_eq(write_file("other", "new"), -EACCES);
}

Test(atomic_file, owner_that_cannot_be_set_is_kept)
{
	if (geteuid() != 0)
		cr_skip("only root can create a file of another user");
	make_file("file", 0666, "old and longer");
	cr_assert_eq(chmod(".", 0777), 0);
	become_other();
	cr_assert_eq(write_file("file", "new"), 0);
	expect_text("file", "new");
	cr_assert_eq(status_of("file").st_uid, 0);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(chmod(".", 01777), 0);
	become_other();
	cr_assert_eq(write_file("file", "newer"), 0);
	expect_text("file", "newer");
	cr_assert_eq(status_of("file").st_uid, 0);
}

Test(atomic_file, protected_file_is_refused)
{
	make_file("file", 0444, "old");
	cr_assert_eq(chmod(".", 0777), 0);
	become_other();
	cr_assert_eq(write_file("file", "new"), -EACCES);
	expect_text("file", "old");
	cr_assert_eq(write_file(".", "new"), -EISDIR);
	cr_assert_eq(write_file("missing/file", "new"), -ENOENT);
}

Test(atomic_file, uncommitted_content_leaves_the_old_one)
{
	AtomicFile file;

	make_file("file", 0600, "old");
	make_file("two-names", 0600, "old");
	cr_assert_eq(link("two-names", "second-name"), 0);
	cr_assert_eq(symlink("missing", "link"), 0);
	static const char *const paths[] = { "file", "two-names", "link", "new" };
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cr_assert_eq(atomic_file_create(&file, paths[i]), 0);
		cr_assert_geq(fputs("partial", file.out), 0);
		cr_assert_eq(fflush(file.out), 0);
		atomic_file_deinit(&file);
	}
	expect_text("file", "old");
	expect_text("two-names", "old");
	cr_assert_neq(access("missing", F_OK), 0);
	cr_assert_neq(access("new", F_OK), 0);
	cr_assert_neq(system("ls -A | grep -q ^[.]vail"), 0);
}

Test(atomic_file, devices_are_written_through)
{
	dev_t null = status_of("/dev/null").st_rdev;

	cr_assert_eq(write_file("/dev/null", "new"), 0);
	cr_assert(S_ISCHR(status_of("/dev/null").st_mode));
	cr_assert_eq(status_of("/dev/null").st_rdev, null);
	cr_assert_eq(symlink("/dev/full", "full"), 0);
	cr_assert_eq(write_file("full", "new"), -ENOSPC);
	cr_assert(S_ISLNK(status_of("full").st_mode));
}

Test(atomic_file, fifo_is_written_through)
{
	char text[8] = "";

	cr_assert_eq(mkfifo("fifo", 0600), 0);
	int reader = open("fifo", O_RDONLY | O_NONBLOCK);
	cr_assert_eq(write_file("fifo", "new"), 0);
	cr_assert_eq(read(reader, text, sizeof(text)), 3);
	cr_assert_str_eq(text, "new");
	cr_assert(S_ISFIFO(status_of("fifo").st_mode));
	close(reader);
}

Test(atomic_file, fifo_without_a_reader_is_refused)
{
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_assert_eq(write_file("fifo", "new"), -ENXIO);
	cr_assert(S_ISFIFO(status_of("fifo").st_mode));
}

/* Opens the file as this fd, as a shell does for "FD>FILE". */
static void redirect(int fd, const char *path, int flags)
{
	int opened = open(path, flags | O_CREAT, 0600);

	cr_assert_eq(dup2(opened, fd), fd);
	if (opened != fd)
		close(opened);
}

Test(atomic_file, redirected_output_is_continued)
{
	static const char *const names[] = { "-", "/dev/stdout", "/proc/self/fd/1", "link", "log" };

	cr_assert_eq(symlink("/dev/stdout", "link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			redirect(STDOUT_FILENO, "log", O_WRONLY | O_TRUNC);
			printf("before ");
			if (write_file(names[i], "new") < 0)
				_exit(1);
			printf(" after");
			fflush(stdout);
			_exit(0);
		}
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert_eq(status, 0, "%s", names[i]);
		expect_text("log", "before new after");
	}
}

Test(atomic_file, other_redirected_fds_are_continued)
{
	redirect(9, "log", O_WRONLY);
	cr_assert_eq(write(9, "before ", 7), 7);
	cr_assert_eq(write_file("/dev/fd/9", "new"), 0);
	cr_assert_eq(write(9, " after", 6), 6);
	expect_text("log", "before new after");
	close(9);
	/* A file that is open only for reading is replaced. */
	redirect(9, "log", O_RDONLY);
	cr_assert_eq(write_file("log", "new"), 0);
	expect_text("log", "new");
	close(9);
}
