/* SPDX-License-Identifier: MIT */
/*
 * judge-descriptor [fstat|fstatfs|lseek|ioctl] NUMBER: prints what the daemon would take the
 * inherited descriptor for, its size, and "writable" and "sealable" where it is, or "hangs" if it
 * waits for an answer. With a word before it that question is put as it is, and "answered" printed.
 *
 * Exits with 0 in each case. What hangs is left behind, since nothing can end it.
 */
#include <linux/sync_file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "descriptor-facts.h"
#include "tool.h"

#define LOOK_MS 10 /* how often the child is looked at */

static void print_facts(int descriptor)
{
	static const char *const names[DESCRIPTOR_KIND_MAX] = {
		[DESCRIPTOR_OTHER] = "other",
		[DESCRIPTOR_DMABUF] = "dmabuf",
		[DESCRIPTOR_MEMFD] = "memfd",
		[DESCRIPTOR_SYNC_FILE] = "sync_file",
	};
	MemfdIdentity own;
	DescriptorFacts facts;
	int error = descriptor_facts_init(&own);

	if (error == 0)
		error = descriptor_facts_read(&ROOTS_DEFAULT, &own, descriptor, &facts);
	if (error < 0)
		printf("%s\n", strerror(-error));
	else
		printf("%s %ju%s%s\n", names[facts.kind], (uintmax_t)facts.size,
		       facts.is_writable ? " writable" : "",
		       facts.can_be_sealed ? " sealable" : "");
}

static void put_question(const char *question, int descriptor)
{
	struct stat status;
	struct statfs file_system;
	struct sync_file_info info = { 0 };

	if (strcmp(question, "fstat") == 0)
		fstat(descriptor, &status);
	else if (strcmp(question, "fstatfs") == 0)
		fstatfs(descriptor, &file_system);
	else if (strcmp(question, "lseek") == 0)
		lseek(descriptor, 0, SEEK_END);
	else if (strcmp(question, "ioctl") == 0)
		ioctl(descriptor, SYNC_IOC_FILE_INFO, &info);
	else
		errx(2, "%s: no such question", question);
	puts("answered");
}

/* In a process of its own, whose stdout is the pipe. */
static void judge(const char *question, int descriptor, int pipe_end)
{
	if (dup2(pipe_end, STDOUT_FILENO) < 0)
		err(2, "dup2");
	if (question)
		put_question(question, descriptor);
	else
		print_facts(descriptor);
	exit(0);
}

/* Whether the child sleeps in one of the questions, which sleep for a FUSE file system alone. */
static bool sleeps_in_question(pid_t child)
{
	static const long questions[] = { SYS_newfstatat, SYS_fstat, SYS_statx,
					  SYS_fstatfs,    SYS_lseek, SYS_ioctl };
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)child);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		err(2, "%s", path);
	close(file);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (text[0] >= '0' && text[0] <= '9' && strtol(text, NULL, 10) == questions[i])
			return true;
	return false; /* "running", or it sleeps elsewhere */
}

static void print_verdict(pid_t child, int pipe_end)
{
	struct pollfd poll_for = { .fd = pipe_end, .events = POLLIN };
	char verdict[128];

	while (poll(&poll_for, 1, LOOK_MS) == 0)
		if (sleeps_in_question(child)) {
			puts("hangs");
			return;
		}
	ssize_t length = read(pipe_end, verdict, sizeof(verdict));
	fwrite(verdict, 1, length < 0 ? 0 : (size_t)length, stdout);
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc != 2 && argc != 3)
		errx(2, "usage: judge-descriptor [fstat|fstatfs|lseek|ioctl] NUMBER");
	int descriptor = (int)tool_number(argv[argc - 1]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(2, "pipe");
	pid_t child = fork();
	if (child < 0)
		err(2, "fork");
	if (child == 0)
		judge(argc == 3 ? argv[1] : NULL, descriptor, ends[1]);
	close(ends[1]);
	print_verdict(child, ends[0]);
	return 0;
}
