/* SPDX-License-Identifier: MIT */
/*
 * fake-manager FOLDER MAXIMUM: a service manager with an fd store of MAXIMUM entries. Its notify
 * socket is FOLDER/notify. Reads commands from stdin, one a line, and prints "ok" for each, except
 * for "names":
 *
 *   names            prints the names of all entries
 *   save             remembers the entries
 *   restore          replaces the entries with the remembered ones
 *   forget NAME      removes the entries with this name
 *   swap NAME NAME   exchanges the fds of two entries
 *   add NAME         adds an entry with a new memfd, which no service sent
 *
 * fake-manager FOLDER start COMMAND...: executes the command as a service of that manager. Passes
 * it the notify socket and all entries.
 *
 * Like systemd, it discards an fd without an error if the store is full.
 */
#include <sys/mman.h>

#include "tests/support/helper.h"

#define ENTRIES_MAX  1024
#define NAME_SIZE    32
#define FIRST_PASSED 3 /* as in sd_listen_fds(3) */

typedef struct Entry {
	char name[NAME_SIZE];
	int fd;
} Entry;

typedef struct Store {
	size_t count;
	Entry entries[ENTRIES_MAX];
} Store;

typedef struct Manager {
	int notify; /* receives the messages of the service */
	int take;   /* sends the entries to a service that starts */
	size_t maximum;
	Store store, saved;
} Manager;

static void make_path(char ret[static 108], const char *folder, const char *name)
{
	if (snprintf(ret, 108, "%s/%s", folder, name) >= 108)
		errx(2, "%s is too long for a socket address", folder);
}

static int bind_to(const char *folder, const char *name, int type)
{
	char path[108];
	int result = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	make_path(path, folder, name);
	struct sockaddr_un address = helper_address(path);
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

static void remove_entries(Store *store, const char *name)
{
	Entry *entry;

	while ((entry = find(store, name))) {
		close(entry->fd);
		*entry = store->entries[--store->count];
	}
}

static void add_entry(Manager *manager, const char *name, int fd)
{
	Store *store = &manager->store;

	if (fd < 0 || store->count >= manager->maximum) {
		close(fd);
		return;
	}
	Entry *entry = &store->entries[store->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->fd = fd;
}

static void copy_store(Store *to, const Store *from)
{
	while (to->count > 0)
		close(to->entries[--to->count].fd);
	*to = *from;
	for (size_t i = 0; i < to->count; i++)
		to->entries[i].fd = fcntl(from->entries[i].fd, F_DUPFD_CLOEXEC, 0);
}

/* Returns false if no message is waiting. */
static bool receive_message(Manager *manager)
{
	char text[512], name[NAME_SIZE];
	int fd;
	ssize_t size = helper_recvmsg_one(manager->notify, text, sizeof(text) - 1,
					  MSG_CMSG_CLOEXEC | MSG_DONTWAIT, &fd);

	if (size < 0)
		return false;
	text[size] = '\0';
	if (sscanf(text, "FDSTOREREMOVE=1\nFDNAME=%31s", name) == 1)
		remove_entries(&manager->store, name);
	else if (sscanf(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%31s", name) == 1)
		add_entry(manager, name, fd);
	return true;
}

static void receive_messages(Manager *manager)
{
	while (receive_message(manager))
		;
}

/* Accepts a connection of a service that starts and sends it the entries, one a message. */
static void send_entries(Manager *manager)
{
	int connection = accept4(manager->take, NULL, NULL, SOCK_CLOEXEC);

	receive_messages(manager); /* of the previous service */
	for (size_t i = 0; i < manager->store.count; i++) {
		Entry *entry = &manager->store.entries[i];

		if (helper_sendmsg(connection, entry->name, strlen(entry->name), &entry->fd, 1, 0) <
		    0)
			err(1, "sendmsg");
	}
	close(connection);
}

/* --- commands -------------------------------------------------------------------------------- */

static void swap(Store *store, const char *a, const char *b)
{
	Entry *first = find(store, a), *second = b ? find(store, b) : NULL;

	if (!first || !second)
		errx(2, "the store has no %s or no %s", a, b ? b : "second name");
	int fd = first->fd;
	first->fd = second->fd;
	second->fd = fd;
}

static void print_names(const Store *store)
{
	for (size_t i = 0; i < store->count; i++)
		printf("%s%s", i == 0 ? "" : " ", store->entries[i].name);
	putchar('\n');
}

static void execute(Manager *manager, char *words)
{
	const char *command = strsep(&words, " "), *name = strsep(&words, " ");

	receive_messages(manager);
	if (strcmp(command, "names") == 0) {
		print_names(&manager->store);
		return;
	}
	if (strcmp(command, "save") == 0)
		copy_store(&manager->saved, &manager->store);
	else if (strcmp(command, "restore") == 0)
		copy_store(&manager->store, &manager->saved);
	else if (strcmp(command, "forget") == 0)
		remove_entries(&manager->store, name);
	else if (strcmp(command, "swap") == 0)
		swap(&manager->store, name, words);
	else if (strcmp(command, "add") == 0)
		add_entry(manager, name, memfd_create("added", MFD_CLOEXEC));
	else
		errx(2, "%s: unknown command", command);
	puts("ok");
}

static int serve(Manager *manager)
{
	struct pollfd polled[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = manager->take, .events = POLLIN },
		{ .fd = manager->notify, .events = POLLIN },
	};
	char line[HELPER_LINE_SIZE];

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (poll(polled, 3, -1) > 0) {
		receive_messages(manager);
		if (polled[1].revents)
			send_entries(manager);
		if (!polled[0].revents)
			continue;
		if (!helper_read_line(line))
			return 0;
		execute(manager, line);
	}
	err(2, "poll");
}

/* --- starting a service ---------------------------------------------------------------------- */

/*
 * Receives the entries. Their fds get the numbers from FIRST_PASSED on, which are free. Writes
 * their names as $LISTEN_FDNAMES has them. Returns their number.
 */
static int receive_entries(int connection, char *names, size_t size)
{
	size_t length = 0;

	for (int count = 0;; count++) {
		char name[NAME_SIZE] = "";
		int fd;

		if (helper_recvmsg_one(connection, name, sizeof(name) - 1, 0, &fd) <= 0)
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
	struct sockaddr_un address = helper_address(path);
	int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(2, "%s", path);
	dup3(connection, FIRST_PASSED + ENTRIES_MAX, O_CLOEXEC);
	close_range(FIRST_PASSED, FIRST_PASSED + ENTRIES_MAX - 1, 0);
	int count = receive_entries(FIRST_PASSED + ENTRIES_MAX, names, sizeof(names));
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
		     "usage: fake-manager FOLDER MAXIMUM | fake-manager FOLDER start COMMAND...");
	if (strcmp(argv[2], "start") == 0 && argc > 3)
		start(argv[1], argv + 3);
	manager.maximum = helper_number(argv[2]);
	if (manager.maximum > ENTRIES_MAX)
		errx(2, "MAXIMUM can be at most %d", ENTRIES_MAX);
	manager.notify = bind_to(argv[1], "notify", SOCK_DGRAM);
	manager.take = bind_to(argv[1], "take", SOCK_SEQPACKET);
	if (listen(manager.take, 1) < 0)
		err(2, "listen");
	return serve(&manager);
}
