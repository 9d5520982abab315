/* SPDX-License-Identifier: MIT */
/* Checks that the pids of processes in other pid namespaces are read from the real kernel. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/host/process/pid-namespace.h"
#include "daemon/host/process/process-pids.h"

#define BOX_SIZE 3

/* Processes of one pid namespace, with their pids here. The first one has pid 1 there. */
typedef struct Box {
	pid_t maker; /* ends with the others */
	pid_t pids[BOX_SIZE];
} Box;

/* Announces this process on the socket. */
static void announce(int socket)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(socket, "", 1) != 1)
		_exit(1);
}

/* Puts the child into a new pid namespace, this number of levels deep, or ends it. */
static void descend(unsigned int levels)
{
	for (unsigned int i = 0; i < levels; i++) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(1);
		pid_t child = fork();
		if (child != 0) {
			waitpid(child, NULL, 0);
			_exit(0);
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
}

/* Receives an announcement, and returns the pid of its sender, or 0 if there is none. */
static pid_t receive_pid(int socket)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct ucred sender;

	if (recvmsg(socket, &message, 0) != 1)
		return 0;
	memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(sender));
	return sender.pid;
}

/* Makes processes in a pid namespace, this number of levels deep. Skips the test if that is not
 * allowed. */
static Box make_box(unsigned int levels)
{
	static const int on = 1;
	int pair[2];
	Box box = { 0 };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	box.maker = fork();
	if (box.maker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		descend(levels);
		announce(pair[1]);
		for (int i = 1; i < BOX_SIZE; i++)
			if (fork() == 0) {
				announce(pair[1]);
				pause();
			}
		pause();
	}
	close(pair[1]);
	for (int i = 0; i < BOX_SIZE; i++) {
		pid_t pid = receive_pid(pair[0]);

		if (pid == 0)
			cr_skip("pid namespaces cannot be made here");
		box.pids[i] = pid;
	}
	close(pair[0]);
	return box;
}

static void end_box(const Box *box)
{
	kill(box->pids[0], SIGKILL); /* the namespace ends with its first process */
	cr_assert_eq(waitpid(box->maker, NULL, 0), box->maker);
}

static uint32_t read_levels(pid_t pid, PidLevel levels[static PID_LEVELS_MAX])
{
	PidsAnswer answer;

	examine_pids(&FS_ROOTS_DEFAULT, pid, &answer);
	cr_assert_eq(answer.error, 0);
	memcpy(levels, answer.levels, sizeof(answer.levels));
	return answer.count;
}

static pid_t inner_pid(pid_t pid)
{
	PidLevel levels[PID_LEVELS_MAX];
	uint32_t count = read_levels(pid, levels);

	return count > 0 ? levels[count - 1].pid : pid;
}

TestSuite(pid_namespaces);

Test(pid_namespaces, own_process_has_no_inner_pid)
{
	PidLevel levels[PID_LEVELS_MAX];
	int folder = open("/proc/self", O_PATH | O_CLOEXEC);

	cr_assert_eq(read_levels(getpid(), levels), 0);
	cr_assert(pid_namespace_contains(pid_namespace_own(&FS_ROOTS_DEFAULT), folder));
	close(folder);
}

Test(pid_namespaces, each_level_has_its_pid)
{
	PidLevel levels[PID_LEVELS_MAX], again[PID_LEVELS_MAX];
	Box box = make_box(3);

	cr_assert_eq(read_levels(box.pids[0], levels), 3);
	for (int i = 0; i < 3; i++) /* the first process of each level makes that of the next one */
		cr_assert_eq(levels[i].pid, 3 - i);
	cr_assert(levels[0].inode != levels[1].inode && levels[1].inode != levels[2].inode);
	cr_assert_eq(read_levels(box.pids[1], again), 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(levels[i].inode, again[i].inode);
	cr_assert_neq(levels[2].pid, again[2].pid);
	end_box(&box);
}

/* Both ways of the search must find the same. Returns what they find. */
static Lookup find(pid_t pid, pid_t wanted, pid_t *ret)
{
	pid_t by_ioctl = 0, by_search = 0;
	Lookup lookup = pid_namespace_find(&FS_ROOTS_DEFAULT, pid, wanted, true, &by_ioctl);

	cr_assert_eq(pid_namespace_find(&FS_ROOTS_DEFAULT, pid, wanted, false, &by_search), lookup);
	if (lookup == LOOKUP_FOUND)
		cr_assert_eq(by_ioctl, by_search);
	*ret = by_search;
	return lookup;
}

Test(pid_namespaces, process_is_found_by_its_inner_pid)
{
	/* The siblings have the same pids, and all of them are other processes here. */
	Box sibling = make_box(2), box = make_box(2), younger = make_box(2), deeper = make_box(3);
	pid_t found;

	for (int i = 0; i < BOX_SIZE; i++) {
		cr_assert_eq(find(box.pids[1], inner_pid(box.pids[i]), &found), LOOKUP_FOUND);
		cr_assert_eq(found, box.pids[i]);
	}
	cr_assert_eq(find(box.pids[0], 77, &found), LOOKUP_ABSENT);
	end_box(&sibling);
	end_box(&box);
	end_box(&younger);
	end_box(&deeper);
}

Test(pid_namespaces, outer_box_finds_a_process_of_the_inner_one)
{
	PidLevel levels[PID_LEVELS_MAX];
	Box box = make_box(2);
	pid_t found, parent;

	cr_assert_eq(read_levels(box.pids[2], levels), 2);
	char path[64], state;

	/* The first process of the outer namespace is the parent of the inner one's. */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)box.pids[0]);
	FILE *file = fopen(path, "re");
	cr_assert_eq(fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent), 2);
	fclose(file);
	cr_assert_eq(find(parent, levels[0].pid, &found), LOOKUP_FOUND);
	cr_assert_eq(found, box.pids[2]);
	end_box(&box);
}

/* --- known processes ------------------------------------------------------------------------- */

typedef struct Fixture {
	struct event_base *base;
	ProcessTable table;
} Fixture;

static Fixture fixture;

static void on_exit_of_child(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void set_up(void)
{
	fixture.base = event_base_new();
	event_base_priority_init(fixture.base, 2);
	process_table_init(&fixture.table, fixture.base, &FS_ROOTS_DEFAULT, on_exit_of_child, NULL);
}

static void tear_down(void)
{
	process_table_deinit(&fixture.table);
	cr_assert(RB_EMPTY(&fixture.table.pid_namespaces.tree));
	event_base_free(fixture.base);
}

TestSuite(known_pids, .init = set_up, .fini = tear_down);

static HostProcess *open_process(pid_t pid)
{
	HostProcess *process;

	cr_assert_eq(process_table_open(&fixture.table, pid, &process), LOOKUP_FOUND);
	host_process_ref(process);
	return process;
}

Test(known_pids, process_of_this_namespace)
{
	HostProcess *process = open_process(getpid());

	cr_assert_eq(host_process_pid_namespace(process), PID_NAMESPACE_UNKNOWN);
	cr_assert_null(host_process_inner_pids(process));
	cr_assert_eq(host_process_pid_namespace(process), PID_NAMESPACE_OWN);
	host_process_unref(process);
}

Test(known_pids, processes_of_one_namespace)
{
	Box box = make_box(2), sibling = make_box(2);
	HostProcess *first = open_process(box.pids[0]), *second = open_process(box.pids[1]),
		    *other = open_process(sibling.pids[0]);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(host_process_inner_pids(i == 0   ? first
						     : i == 1 ? second
							      : other)
				     ->count,
			     2);
	PidNamespace namespace = host_process_pid_namespace(first);
	cr_assert_eq(host_process_pid_namespace(second), namespace);
	cr_assert_neq(host_process_pid_namespace(other), namespace);
	cr_assert_eq(inner_pids_translate(first->inner_pids, first->pid, namespace), 1);
	cr_assert_eq(inner_pids_translate(other->inner_pids, other->pid, namespace), 0);
	cr_assert_eq(inner_pids_translate(second->inner_pids, second->pid, PID_NAMESPACE_OWN),
		     box.pids[1]);
	host_process_unref(first);
	host_process_unref(second);
	host_process_unref(other);
	end_box(&box);
	end_box(&sibling);
}

Test(known_pids, pids_are_known_after_the_exit)
{
	Box box = make_box(1);
	HostProcess *process = open_process(box.pids[0]);

	host_process_inner_pids(process);
	end_box(&box);
	cr_assert_eq(host_process_inner_pids(process)->items[0].pid, 1);
	host_process_unref(process);
}

Test(known_pids, pids_of_a_dead_process_are_not_learned)
{
	Box box = make_box(1);
	HostProcess *process = open_process(box.pids[0]);

	end_box(&box);
	cr_assert_null(host_process_inner_pids(process));
	cr_assert_eq(host_process_pid_namespace(process), PID_NAMESPACE_UNKNOWN);
	host_process_unref(process);
}

/* The kernel uses inodes again, but not that of a namespace whose processes have open pidfds. */
Test(known_pids, namespace_is_no_other_while_a_process_is_known)
{
	PidLevel known[PID_LEVELS_MAX], now[PID_LEVELS_MAX];
	Box box = make_box(1);
	HostProcess *process = open_process(box.pids[0]);

	cr_assert_eq(read_levels(box.pids[0], known), 1);
	host_process_inner_pids(process);
	end_box(&box);
	for (int i = 0; i < 20; i++) {
		Box later = make_box(1);

		cr_assert_eq(read_levels(later.pids[0], now), 1);
		cr_assert_neq(now[0].inode, known[0].inode);
		end_box(&later);
	}
	host_process_unref(process);
}

Test(known_pids, number_of_a_namespace_is_not_used_again)
{
	PidNamespace last = 0;

	for (int i = 0; i < 5; i++) {
		Box box = make_box(1);
		HostProcess *process = open_process(box.pids[0]);

		host_process_inner_pids(process);
		cr_assert_gt(host_process_pid_namespace(process), last);
		last = host_process_pid_namespace(process);
		host_process_unref(process);
		event_base_loop(fixture.base, EVLOOP_NONBLOCK);
		cr_assert(RB_EMPTY(&fixture.table.pid_namespaces.tree));
		end_box(&box);
	}
}
