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
 */
#include <limits.h>

#include "tests/support/fake-service-manager.h"
#include "tests/support/helper.h"

/* Returns the socket from which a service that starts receives the entries. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = helper_address(path);
	int result = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (bind(result, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(result, 1) < 0)
		err(2, "%s", path);
	return result;
}

/* Accepts a connection of a service that starts and sends it the entries, one a message. */
static void send_entries(const FakeServiceManager *manager, int listener)
{
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; i < manager->count; i++) {
		const FakeStoreEntry *entry = &manager->entries[i];

		if (helper_sendmsg(connection, entry->name, strlen(entry->name), &entry->fd, 1, 0) <
		    0)
			err(1, "sendmsg");
	}
	close(connection);
}

static void swap(FakeServiceManager *manager, const char *a, const char *b)
{
	FakeStoreEntry *first = fake_service_manager_find(manager, a);
	FakeStoreEntry *second = fake_service_manager_find(manager, b);

	if (!first || !second)
		errx(2, "the store has no %s or no %s", a, b);
	int fd = first->fd;
	first->fd = second->fd;
	second->fd = fd;
}

static void execute(FakeServiceManager *manager, char *words)
{
	static FakeServiceManager saved = { .maximum = FAKE_FDSTORE_MAX };
	const char *command = strsep(&words, " "), *name = strsep(&words, " ");

	if (strcmp(command, "names") == 0) {
		puts(fake_service_manager_names(manager));
		return;
	}
	if (strcmp(command, "save") == 0)
		fake_service_manager_copy(&saved, manager);
	else if (strcmp(command, "restore") == 0)
		fake_service_manager_copy(manager, &saved);
	else if (strcmp(command, "forget") == 0 && name)
		fake_service_manager_remove(manager, name);
	else if (strcmp(command, "swap") == 0 && words)
		swap(manager, name, words);
	else if (strcmp(command, "add") == 0 && name)
		fake_service_manager_add(manager, name, memfd_create("added", MFD_CLOEXEC));
	else
		errx(2, "%s: unknown command, or a name is missing", command);
	puts("ok");
}

static int serve(FakeServiceManager *manager, int listener)
{
	struct pollfd polled[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
		{ .fd = manager->socket, .events = POLLIN },
	};
	char line[HELPER_LINE_SIZE];

	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (poll(polled, 3, -1) > 0) {
		fake_service_manager_read(manager);
		if (polled[1].revents)
			send_entries(manager, listener);
		if (!polled[0].revents)
			continue;
		if (!helper_read_line(line))
			return 0;
		execute(manager, line);
	}
	err(2, "poll");
}

static void receive_entries(FakeServiceManager *ret_manager, int connection)
{
	for (;;) {
		char name[FAKE_FDSTORE_NAME_SIZE] = "";
		int fd;

		if (helper_recvmsg_one(connection, name, sizeof(name) - 1, MSG_CMSG_CLOEXEC, &fd) <=
		    0)
			return;
		fake_service_manager_add(ret_manager, name, fd);
	}
}

static _Noreturn void start(const char *notify, const char *take, char **command)
{
	static FakeServiceManager copy = { .maximum = FAKE_FDSTORE_MAX };
	struct sockaddr_un address = helper_address(take);
	int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(2, "%s", take);
	receive_entries(&copy, connection);
	setenv("NOTIFY_SOCKET", notify, 1);
	fake_service_manager_execute(&copy, command, -1);
}

int main(int argc, char **argv)
{
	static FakeServiceManager manager;
	char notify[PATH_MAX], take[PATH_MAX];

	if (argc < 3)
		errx(2,
		     "usage: fake-manager FOLDER MAXIMUM | fake-manager FOLDER start COMMAND...");
	snprintf(notify, sizeof(notify), "%s/notify", argv[1]);
	snprintf(take, sizeof(take), "%s/take", argv[1]);
	if (strcmp(argv[2], "start") == 0 && argc > 3)
		start(notify, take, argv + 3);
	size_t maximum = helper_number(argv[2]);
	if (maximum > FAKE_FDSTORE_MAX)
		errx(2, "MAXIMUM can be at most %d", FAKE_FDSTORE_MAX);
	fake_service_manager_init_at(&manager, maximum, notify);
	return serve(&manager, listen_at(take));
}
