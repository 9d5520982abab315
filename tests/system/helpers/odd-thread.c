/* SPDX-License-Identifier: MIT */
/*
 * odd-thread SOCKET MODE: a second thread connects, sends stdin and prints one reply for each line.
 * The modes are
 *
 *   leader-exits  the main thread has exited, so that it is a zombie while the process lives
 *   other-uid     the second thread has uid and gid 47002, the main thread has those of root
 *   root-uid      the main thread has uid and gid 47002, the second thread has those of root
 *   both          both threads have uid and gid 47002
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

#define OTHER 47002

typedef struct Task {
	const char *socket;
	bool changes_uid;
	bool leader_exits;
	atomic_bool leader_is_ready;
} Task;

/* Changes the ids of the calling thread only. */
static void become_other(void)
{
	if (syscall(SYS_setresgid, OTHER, OTHER, OTHER) < 0 ||
	    syscall(SYS_setresuid, OTHER, OTHER, OTHER) < 0)
		err(2, "cannot become uid %d", OTHER);
}

static bool leader_is_zombie(void)
{
	char path[40], state = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	FILE *file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		err(2, "%s", path);
	fclose(file);
	return state == 'Z';
}

static void *talk(void *context)
{
	const Task *task = context;
	char line[HELPER_LINE_SIZE];

	while (task->leader_exits ? !leader_is_zombie() : !task->leader_is_ready)
		poll(NULL, 0, 10);
	if (task->changes_uid)
		become_other();
	int connection = helper_connect(task->socket);
	while (helper_read_line(line)) {
		helper_send(connection, line, strlen(line));
		helper_send(connection, "\n", 1);
		helper_print_reply(connection);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	static Task task;
	pthread_t thread;

	if (argc != 3)
		errx(2, "usage: odd-thread SOCKET leader-exits|other-uid|root-uid|both");
	task.socket = argv[1];
	task.leader_exits = strcmp(argv[2], "leader-exits") == 0;
	bool both = strcmp(argv[2], "both") == 0;
	task.changes_uid = both || strcmp(argv[2], "other-uid") == 0;
	bool leader_changes_uid = both || strcmp(argv[2], "root-uid") == 0;
	if (!task.leader_exits && !task.changes_uid && !leader_changes_uid)
		errx(2, "%s: unknown mode", argv[2]);
	if (pthread_create(&thread, NULL, talk, &task) != 0)
		errx(2, "pthread_create failed");
	if (leader_changes_uid)
		become_other();
	task.leader_is_ready = true;
	if (task.leader_exits)
		pthread_exit(NULL);
	pthread_join(thread, NULL);
	return 0;
}
