/* SPDX-License-Identifier: MIT */
/*
 * register-many SOCKET GUID...: starts and kills processes that are registered for the VMs. Reads
 * commands from stdin, one a line, and prints a number for each:
 *
 *   register COUNT  starts COUNT processes, each of which creates a context, registers for all VMs
 *                   and closes its connection; prints how many succeeded
 *   kill COUNT      kills the COUNT oldest processes; prints how many are left
 *
 * Kills all processes at the end of stdin.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <vail.h>

#include "tests/support/helper.h"

typedef struct Family {
	const char *path;
	char **guids; /* NULL-terminated */
	pid_t *children;
	size_t first; /* index of the oldest living child */
	size_t count;
} Family;

static void register_process(const Family *family)
{
	char context[VAIL_HANDLE_SIZE];
	struct vail *vail;
	NTSTATUS status = vail_open(family->path, &vail);

	if (status != STATUS_SUCCESS)
		errx(1, "vail_open: %s", vail_status_name(status));
	status = vail_create_context(vail, NULL, context, NULL);
	for (char **guid = family->guids; status == STATUS_SUCCESS && *guid; guid++)
		status = vail_register_process(vail, *guid);
	if (status != STATUS_SUCCESS)
		errx(1, "not registered: %s", vail_status_name(status));
	vail_close(vail);
}

static _Noreturn void run_child(const Family *family, int registered)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	register_process(family);
	if (write(registered, "", 1) != 1)
		err(1, "write");
	close(registered);
	for (;;)
		pause();
}

/* Starts a child. Returns false if it cannot register. */
static bool fork_one(Family *family)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		err(2, "pipe2");
	pid_t child = fork();
	if (child < 0)
		err(2, "fork");
	if (child == 0)
		run_child(family, ends[1]);
	close(ends[1]);
	bool is_registered = read(ends[0], &byte, 1) == 1;
	close(ends[0]);
	family->children[family->count++] = child;
	return is_registered;
}

static size_t register_many(Family *family, size_t count)
{
	size_t registered = 0;

	family->children = reallocarray(family->children, family->count + count, sizeof(pid_t));
	if (!family->children)
		err(2, "reallocarray");
	for (size_t i = 0; i < count; i++)
		registered += fork_one(family);
	return registered;
}

static size_t kill_many(Family *family, size_t count)
{
	for (; count > 0 && family->first < family->count; count--) {
		pid_t child = family->children[family->first++];

		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return family->count - family->first;
}

int main(int argc, char **argv)
{
	Family family = { 0 };
	char line[HELPER_LINE_SIZE];
	char *words;

	if (argc < 3)
		errx(2, "usage: register-many SOCKET GUID...");
	family.path = argv[1];
	family.guids = argv + 2;
	while ((words = helper_read_line(line))) {
		const char *command = strsep(&words, " ");

		if (strcmp(command, "register") == 0 && words)
			printf("%zu\n", register_many(&family, helper_number(words)));
		else if (strcmp(command, "kill") == 0 && words)
			printf("%zu\n", kill_many(&family, helper_number(words)));
		else
			errx(2, "%s: unknown command", command);
		fflush(stdout);
	}
	kill_many(&family, family.count);
	free(family.children);
	return 0;
}
