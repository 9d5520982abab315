/* SPDX-License-Identifier: MIT */
/*
 * actors SOCKET: runs processes of several users that send requests to the daemon at SOCKET. Must
 * be started by root. Reads commands from stdin, one a line, and prints one line for each:
 *
 *   command            effect                               printed
 *   start NAME USER    starts a process and connects it     its pid
 *   ask NAME REQUEST   sends the request                    STATUS ARRIVED OPEN INODE...
 *   share NAME GUID    shares memory for the VM             STATUS HANDLE INODE
 *   groups NAME GID... sets the process's groups            "done"
 *   lend NAME OTHER    makes OTHER use NAME's connection    "done"
 *
 * STATUS is the status of the reply, ARRIVED the number of fds that came with it, and INODE...
 * their inodes. OPEN is the number of fds that the process has open, without those it started with.
 */
#include <grp.h>

#include "tests/support/actor.h"

#define ACTORS_MAX 16

static struct {
	char name[32];
	Actor actor;
} actors[ACTORS_MAX];
static size_t actor_count;

static const Actor *find(const char *name)
{
	for (size_t i = 0; name && i < actor_count; i++)
		if (strcmp(actors[i].name, name) == 0)
			return &actors[i].actor;
	errx(2, "no process is called '%s'", name ? name : "");
}

static void start(const char *socket, const char *name, const char *user)
{
	if (actor_count == ACTORS_MAX || !name || !user)
		errx(2, "usage: start NAME USER, at most %u times", ACTORS_MAX);
	snprintf(actors[actor_count].name, sizeof(actors[actor_count].name), "%s", name);
	actors[actor_count].actor = actor_start(socket, user);
	printf("%d\n", actors[actor_count++].actor.pid);
}

static void ask(const Actor *actor, const char *request)
{
	const ActorReport *report = actor_request(actor, "%s", request);

	printf("%s %zu %zu", report->status, report->rights, report->open_fds);
	for (size_t i = 0; i < report->rights && i < ACTOR_PLANES_MAX; i++)
		printf(" %ju", (uintmax_t)report->arrived[i].inode);
	printf("\n");
}

static void share(const Actor *actor, const char *guid)
{
	static const char handle[] = "\"handle\":\"";
	ActorCommand command = { .tag = 0 };

	command_share(&command, guid, 1, false);
	const ActorReport *report = actor_execute(actor, &command);
	const char *found = strstr(report->reply, handle);
	printf("%s %.32s %ju\n", report->status, found ? found + strlen(handle) : "-",
	       (uintmax_t)report->shared[0].inode);
}

static void set_groups(const Actor *actor, char **rest)
{
	ActorCommand command = { .kind = ACTOR_SET_GROUPS };
	const char *group;

	while ((group = strsep(rest, " ")) && command.group_count < ACTOR_GROUPS_MAX)
		command.groups[command.group_count++] = (gid_t)helper_number(group);
	actor_execute(actor, &command);
	puts("done");
}

static void execute(const char *socket, char *line)
{
	const char *command = strsep(&line, " "), *name = strsep(&line, " ");

	if (!line)
		errx(2, "%s: arguments are missing", command);
	if (strcmp(command, "start") == 0)
		start(socket, name, line);
	else if (strcmp(command, "ask") == 0)
		ask(find(name), line);
	else if (strcmp(command, "share") == 0)
		share(find(name), line);
	else if (strcmp(command, "groups") == 0)
		set_groups(find(name), &line);
	else if (strcmp(command, "lend") == 0)
		actor_lend_connection(find(name), find(line)), puts("done");
	else
		errx(2, "%s: unknown command", command);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[ACTOR_TEXT_SIZE];

	if (argc != 2)
		errx(2, "usage: actors SOCKET");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		execute(argv[1], line);
	}
	return 0;
}
