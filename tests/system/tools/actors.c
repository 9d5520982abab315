/* SPDX-License-Identifier: MIT */
/*
 * actors SOCKET: has processes of several users talk to the daemon, as the lines on stdin say.
 * Answers each with a line. Has to be root.
 *
 *   start NAME USER    a process, connected: its pid
 *   ask NAME REQUEST   it sends the request: STATUS ARRIVED OPEN INODE..., the answer's status, how
 *                      many descriptors the kernel brought with it, how many the process has open
 *                      beyond those that it began with, and the inodes of what arrived
 *   share NAME GUID    it shares memory as the VM's: STATUS HANDLE INODE
 *   groups NAME GID... it changes its groups: "done"
 *   lend NAME OTHER    from now on OTHER talks on NAME's connection: "done"
 */
#include <grp.h>

#include "actor.h"

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
	errx(2, "nobody is called %s", name ? name : "nothing");
}

static void start(const char *socket, const char *name, const char *user)
{
	if (actor_count == ACTORS_MAX || !name || !user)
		errx(2, "start NAME USER; %u at most", ACTORS_MAX);
	snprintf(actors[actor_count].name, sizeof(actors[actor_count].name), "%s", name);
	actors[actor_count].actor = actor_start(socket, user);
	printf("%d\n", actors[actor_count++].actor.pid);
}

static void ask(const Actor *actor, const char *request)
{
	const Seen *seen = actor_ask(actor, "%s", request);

	printf("%s %zu %zu", seen->status, seen->rights, seen->kept);
	for (size_t i = 0; i < seen->rights && i < ACTOR_PLANES_MAX; i++)
		printf(" %ju", (uintmax_t)seen->arrived[i].inode);
	printf("\n");
}

static void share(const Actor *actor, const char *guid)
{
	static const char handle[] = "\"handle\":\"";
	Order order = { .tag = 0 };

	order_to_share(&order, guid, 1, false);
	const Seen *seen = actor_do(actor, &order);
	const char *found = strstr(seen->reply, handle);
	printf("%s %.32s %ju\n", seen->status, found ? found + strlen(handle) : "-",
	       (uintmax_t)seen->shared[0].inode);
}

static void change_groups(const Actor *actor, char **rest)
{
	Order order = { .kind = ORDER_GROUPS };
	const char *group;

	while ((group = strsep(rest, " ")) && order.group_count < ACTOR_GROUPS_MAX)
		order.groups[order.group_count++] = (gid_t)tool_number(group);
	actor_do(actor, &order);
	puts("done");
}

static void follow(const char *socket, char *line)
{
	const char *what = strsep(&line, " "), *name = strsep(&line, " ");

	if (!line)
		errx(2, "%s: of whom, and what?", what);
	if (strcmp(what, "start") == 0)
		start(socket, name, line);
	else if (strcmp(what, "ask") == 0)
		ask(find(name), line);
	else if (strcmp(what, "share") == 0)
		share(find(name), line);
	else if (strcmp(what, "groups") == 0)
		change_groups(find(name), &line);
	else if (strcmp(what, "lend") == 0)
		actor_lend(find(name), find(line)), puts("done");
	else
		errx(2, "%s: the source has the orders", what);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[ACTOR_TEXT_SIZE];

	if (argc != 2)
		errx(2, "usage: actors SOCKET");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		follow(argv[1], line);
	}
	return 0;
}
