/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/hostile/attacker.h"
#include "tests/hostile/attacks.h"
#include "tests/hostile/traffic.h"
#include "tests/support/helper.h"

#define GET_INFO          "{\"method\":\"org.varlink.service.GetInfo\"}\n"
#define FIRST_INNER_ID    200000
#define INNER_IDS         65536
#define CONNECTIONS_TRIED 520 /* more than connectionsPerUid */
#define DEAD_PEERS        1200
#define BURST             16 /* connections that a process makes before it dies */
#define ROUNDS_PER_COUNT  8
#define FIRST_PID         20000 /* of pid-again, below the usual pid_max */
#define FLOODED           4     /* connections that keep the daemon busy meanwhile */

/* --- user namespaces ------------------------------------------------------------------------- */

static void write_map(pid_t pid, const char *name, unsigned int first)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	FILE *file = fopen(path, "we");
	if (!file || fprintf(file, "0 %u %d\n", first, INNER_IDS) < 0 || fclose(file) != 0)
		err(2, "%s", path);
}

/*
 * Enters a new user namespace that belongs to the user, or to root if user is NULL, and becomes its
 * root. Its ids are those from first on. Must be called by root.
 */
static void enter_user_namespace(const char *user, unsigned int first)
{
	int entered[2], mapped[2];
	char byte;
	pid_t self = getpid();

	if (pipe2(entered, O_CLOEXEC) < 0 || pipe2(mapped, O_CLOEXEC) < 0)
		err(2, "pipe");
	pid_t helper = fork();
	if (helper < 0)
		err(2, "fork");
	if (helper == 0) {
		if (read(entered[0], &byte, 1) != 1)
			_exit(2);
		write_map(self, "uid_map", first);
		write_map(self, "gid_map", first);
		_exit(write(mapped[1], "", 1) == 1 ? 0 : 2);
	}
	if (user && !helper_become_user(user))
		err(2, "cannot become %s", user);
	if (unshare(CLONE_NEWUSER) < 0)
		err(2, "unshare");
	if (write(entered[1], "", 1) != 1 || read(mapped[0], &byte, 1) != 1)
		errx(2, "cannot map the ids of a user namespace");
	waitpid(helper, NULL, 0);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		err(2, "cannot become root of the user namespace");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* --- connections that others pay for --------------------------------------------------------- */

/* Tests whether the daemon serves the connection. */
static bool is_served(int connection)
{
	char reply[4096];
	ssize_t size;

	if (send(connection, GET_INFO, strlen(GET_INFO), MSG_NOSIGNAL) < 0)
		return false;
	size = recv(connection, reply, sizeof(reply) - 1, 0);
	reply[size > 0 ? size : 0] = '\0';
	return size > 0 && reply_is_success(reply);
}

/* Opens more connections than a user may have, and then tries more without a pause. */
void attack_namespace(const Attacker *attacker)
{
	unsigned int count = CONNECTIONS_TRIED / attacker->owners + 1;

	enter_user_namespace(NULL, FIRST_INNER_ID + attacker->number * INNER_IDS);
	for (unsigned int i = 0; i < count; i++) {
		int connection = attacker_connect(attacker);

		if (is_served(connection))
			attacker->board->held[attacker->number]++;
		else
			close(connection);
	}
	attacker_begin(attacker);
	for (;;) {
		int connection = attacker_connect(attacker);

		is_served(connection);
		close(connection);
		attacker->board->work++;
	}
}

/* Connects the sockets as one of the namespace's users, and dies before the daemon accepts all. */
static void connect_and_die(const Attacker *attacker, const int *sockets, uid_t inner)
{
	struct sockaddr_un address = helper_address(attacker->socket);
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		if (setresuid(inner, inner, inner) < 0)
			_exit(2);
		for (unsigned int i = 0; i < BURST; i++)
			if (connect(sockets[i], (struct sockaddr *)&address, sizeof(address)) < 0)
				_exit(2);
		_exit(0);
	}
	if (waitpid(pid, NULL, 0) != pid)
		err(2, "waitpid");
}

/* Tests whether the daemon has closed the connection, or written something before it does. */
static bool is_refused(int connection)
{
	char byte;
	ssize_t size = recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return size >= 0 || errno != EAGAIN;
}

/* Closes the connections that the daemon has refused. Returns the number of the others. */
static unsigned int drop_refused(int *kept, unsigned int count)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < count; i++)
		if (is_refused(kept[i]))
			close(kept[i]);
		else
			kept[left++] = kept[i];
	return left;
}

/* Waits until the daemon has accepted all earlier connections, which it does in their order. */
static void await_accepts(const Attacker *attacker)
{
	int connection = attacker_connect(attacker);

	is_served(connection);
	close(connection);
}

void attack_dead_peers(const Attacker *attacker)
{
	unsigned int goal = DEAD_PEERS / attacker->owners, count = 0;
	int *kept = calloc(goal + BURST, sizeof(int));

	if (!kept)
		err(2, "calloc");
	enter_user_namespace(attacker->user, FIRST_INNER_ID + attacker->number * INNER_IDS);
	attacker_begin(attacker);
	for (unsigned int round = 1;; round++) {
		if (count < goal) {
			for (unsigned int i = 0; i < BURST; i++)
				kept[count + i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			connect_and_die(attacker, kept + count, round % (INNER_IDS - 1) + 1);
			count += BURST;
			attacker->board->work += BURST;
		}
		/* A connection that was not accepted yet is not refused, but not held either. */
		bool counts = round % ROUNDS_PER_COUNT == 0;
		if (counts)
			await_accepts(attacker);
		count = drop_refused(kept, count);
		if (counts)
			attacker->board->held[attacker->number] = count;
	}
}

/*
 * Connects with as many groups as the kernel allows, which the daemon reads at each connection. A
 * registration makes it read them again in /proc.
 */
void attack_many_groups(const Attacker *attacker)
{
	gid_t *groups = calloc(INNER_IDS, sizeof(*groups));

	if (!groups)
		err(2, "calloc");
	for (gid_t i = 0; i < INNER_IDS; i++)
		groups[i] = i;
	enter_user_namespace(attacker->user, FIRST_INNER_ID + attacker->number * INNER_IDS);
	if (setgroups(INNER_IDS, groups) < 0)
		err(2, "setgroups");
	traffic_run(attacker,
		    &(Traffic){
			    .text = text_repeat(1,
						"{\"method\":\"io.vaild.RegisterVailProcess\","
						"\"parameters\":{\"virtualMachineGuid\":\"%s\"}}",
						attacker->guid),
			    .messages = 1,
		    });
}

/* --- a pid that is used again ---------------------------------------------------------------- */

/* The first process connects the socket and dies. The second has its pid and uses the socket. */
static void use_pid_twice(const Attacker *attacker, pid_t pid)
{
	struct sockaddr_un address = helper_address(attacker->socket);
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

	if (helper_fork_at(pid) == 0) {
		attacker_become_user(attacker);
		_exit(connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		errx(2, "the first process with pid %d has failed", (int)pid);
	if (helper_fork_at(pid) == 0) {
		attacker_become_user(attacker);
		_exit(is_served(connection));
	}
	if (waitpid(pid, &status, 0) != pid)
		err(2, "waitpid");
	if (status != 0)
		attacker->board->breaches++;
	close(connection);
}

/* A second process keeps the daemon busy, so that it accepts late. */
void attack_pid_again(const Attacker *attacker)
{
	pid_t flood = fork();

	if (flood < 0)
		err(2, "fork");
	if (flood == 0) {
		Attacker busy = *attacker;

		busy.connections = FLOODED;
		attacker_become_user(attacker);
		attack_members(&busy);
	}
	for (pid_t offset = 0;; offset = (offset + 1) % 100) {
		use_pid_twice(attacker, FIRST_PID + (pid_t)attacker->number * 100 + offset);
		attacker->board->work++;
	}
}
