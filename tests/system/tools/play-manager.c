/* SPDX-License-Identifier: MIT */
/*
 * play-manager FOLDER MAXIMUM: is a service manager with a descriptor store of so many entries,
 * which hears at FOLDER/notify, and answers each line on stdin with one:
 *
 *   names             the names of what is stored
 *   save, restore     remembers what is stored; brings it back: ok
 *   forget NAME       lets go of it: ok
 *   swap NAME NAME    gives each the other's descriptor: ok
 *   add NAME          stores a memory of that name that nobody sent: ok
 *   deaf, hearing     reads no message from now on; does so again: ok
 *
 * play-manager FOLDER start COMMAND...: executes the command as a service of that manager, with all
 * that is stored.
 *
 * As systemd's store, it drops without a word what there is no room for.
 */
#include <sys/mman.h>

#include "tool.h"

#define ENTRIES_MAX  1024
#define NAME_SIZE    32
#define FIRST_PASSED 3 /* as in sd_listen_fds(3) */

typedef struct Entry {
	char name[NAME_SIZE];
	int descriptor;
} Entry;

typedef struct Store {
	size_t count;
	Entry entries[ENTRIES_MAX];
} Store;

typedef struct Manager {
	int notify; /* where the service sends */
	int take;   /* where one that is started asks for what is stored */
	bool is_deaf;
	size_t maximum;
	Store store, saved;
} Manager;

static void make_path(char ret[static 108], const char *folder, const char *name)
{
	if (snprintf(ret, 108, "%s/%s", folder, name) >= 108)
		errx(2, "%s: longer than a socket's address can be", folder);
}

static int bind_to(const char *folder, const char *name, int type)
{
	char path[108];
	int result = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	make_path(path, folder, name);
	struct sockaddr_un address = tool_address(path);
	if (bind(result, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0)
		err(2, "%s", path);
	return result;
}

/* --- the store ------------------------------------------------------------------------------- */

static Entry *find(Store *store, const char *name)
{
	for (size_t i = 0; i < store->count; i++)
		if (strcmp(store->entries[i].name, name) == 0)
			return &store->entries[i];
	return NULL;
}

static void forget(Store *store, const char *name)
{
	Entry *entry;

	while ((entry = find(store, name))) {
		close(entry->descriptor);
		*entry = store->entries[--store->count];
	}
}

static void keep(Manager *manager, const char *name, int descriptor)
{
	Store *store = &manager->store;

	if (descriptor < 0 || store->count >= manager->maximum) {
		close(descriptor);
		return;
	}
	Entry *entry = &store->entries[store->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->descriptor = descriptor;
}

static void copy_store(Store *to, const Store *from)
{
	while (to->count > 0)
		close(to->entries[--to->count].descriptor);
	*to = *from;
	for (size_t i = 0; i < to->count; i++)
		to->entries[i].descriptor = fcntl(from->entries[i].descriptor, F_DUPFD_CLOEXEC, 0);
}

/* Returns false where no message waits. */
static bool hear_one(Manager *manager)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char text[512], name[NAME_SIZE];
	struct iovec vector = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int descriptor = -1;
	ssize_t size = recvmsg(manager->notify, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (size < 0)
		return false;
	text[size] = '\0';
	if (message.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&descriptor, CMSG_DATA(&control.header), sizeof(int));
	if (sscanf(text, "FDSTOREREMOVE=1\nFDNAME=%31s", name) == 1)
		forget(&manager->store, name);
	else if (sscanf(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%31s", name) == 1)
		keep(manager, name, descriptor);
	return true;
}

static void hear(Manager *manager)
{
	while (!manager->is_deaf && hear_one(manager))
		;
}

/* Gives all that is stored to whoever connects, a message each. */
static void give(Manager *manager)
{
	int connection = accept4(manager->take, NULL, NULL, SOCK_CLOEXEC);

	hear(manager); /* what the last service sent */
	for (size_t i = 0; i < manager->store.count; i++) {
		Entry *entry = &manager->store.entries[i];

		if (tool_sendmsg(connection, entry->name, strlen(entry->name), &entry->descriptor,
				 1, 0) < 0)
			err(1, "sendmsg");
	}
	close(connection);
}

/* --- orders ---------------------------------------------------------------------------------- */

static void swap(Store *store, const char *a, const char *b)
{
	Entry *first = find(store, a), *second = b ? find(store, b) : NULL;

	if (!first || !second)
		errx(2, "%s, %s: not stored", a, b);
	int descriptor = first->descriptor;
	first->descriptor = second->descriptor;
	second->descriptor = descriptor;
}

static void print_names(const Store *store)
{
	for (size_t i = 0; i < store->count; i++)
		printf("%s%s", i == 0 ? "" : " ", store->entries[i].name);
	putchar('\n');
}

static void follow(Manager *manager, char *words)
{
	const char *command = strsep(&words, " "), *name = strsep(&words, " ");

	hear(manager);
	if (strcmp(command, "names") == 0) {
		print_names(&manager->store);
		return;
	}
	if (strcmp(command, "save") == 0)
		copy_store(&manager->saved, &manager->store);
	else if (strcmp(command, "restore") == 0)
		copy_store(&manager->store, &manager->saved);
	else if (strcmp(command, "forget") == 0)
		forget(&manager->store, name);
	else if (strcmp(command, "swap") == 0)
		swap(&manager->store, name, words);
	else if (strcmp(command, "add") == 0)
		keep(manager, name, memfd_create("added", MFD_CLOEXEC));
	else if (strcmp(command, "deaf") == 0 || strcmp(command, "hearing") == 0)
		manager->is_deaf = command[0] == 'd';
	else
		errx(2, "%s: no such command", command);
	puts("ok");
}

static int serve(Manager *manager)
{
	struct pollfd polled[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = manager->take, .events = POLLIN },
		{ .fd = manager->notify, .events = POLLIN },
	};
	char line[TOOL_LINE_SIZE];

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (poll(polled, manager->is_deaf ? 2 : 3, -1) > 0) {
		hear(manager);
		if (polled[1].revents)
			give(manager);
		if (!polled[0].revents)
			continue;
		if (!tool_read_line(line))
			return 0;
		follow(manager, line);
	}
	err(2, "poll");
}

/* --- a service ------------------------------------------------------------------------------- */

/* Takes what is stored, which comes to lie from FIRST_PASSED on. Returns how many they are. */
static int take(int connection, char *names, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	size_t length = 0;

	for (int count = 0;; count++) {
		char name[NAME_SIZE] = "";
		struct iovec vector = { .iov_base = name, .iov_len = sizeof(name) - 1 };
		struct msghdr message = {
			.msg_iov = &vector,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(connection, &message, 0) <= 0)
			return count;
		length += (size_t)snprintf(names + length, size - length, "%s%s",
					   count == 0 ? "" : ":", name);
	}
}

static _Noreturn void start(const char *folder, char **command)
{
	static char names[ENTRIES_MAX * NAME_SIZE];
	char path[108], number[16];

	make_path(path, folder, "take");
	struct sockaddr_un address = tool_address(path);
	int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(2, "%s", path);
	dup3(connection, FIRST_PASSED + ENTRIES_MAX, O_CLOEXEC);
	close_range(FIRST_PASSED, FIRST_PASSED + ENTRIES_MAX - 1, 0);
	int count = take(FIRST_PASSED + ENTRIES_MAX, names, sizeof(names));
	make_path(path, folder, "notify");
	setenv("NOTIFY_SOCKET", path, 1);
	if (count > 0) {
		setenv("LISTEN_FDNAMES", names, 1);
		snprintf(number, sizeof(number), "%d", count);
		setenv("LISTEN_FDS", number, 1);
		snprintf(number, sizeof(number), "%d", (int)getpid());
		setenv("LISTEN_PID", number, 1);
	}
	execvp(command[0], command);
	err(2, "%s", command[0]);
}

int main(int argc, char **argv)
{
	static Manager manager;

	if (argc < 3)
		errx(2,
		     "usage: play-manager FOLDER MAXIMUM | play-manager FOLDER start COMMAND...");
	if (strcmp(argv[2], "start") == 0 && argc > 3)
		start(argv[1], argv + 3);
	manager.maximum = tool_number(argv[2]);
	if (manager.maximum > ENTRIES_MAX)
		errx(2, "at most %d entries", ENTRIES_MAX);
	manager.notify = bind_to(argv[1], "notify", SOCK_DGRAM);
	manager.take = bind_to(argv[1], "take", SOCK_SEQPACKET);
	if (listen(manager.take, 1) < 0)
		err(2, "listen");
	return serve(&manager);
}
