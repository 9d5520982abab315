/* SPDX-License-Identifier: MIT */
#include "tests/support/fake-service-manager.h"

#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

#define MESSAGE_SIZE 512
#define FIRST_PASSED 3 /* as in sd_listen_fds(3) */

/* Creates the notify socket and binds it to the address. */
static void bind_socket(FakeServiceManager *manager, struct sockaddr_un *address, socklen_t size)
{
	manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(manager->socket, (struct sockaddr *)address, size) < 0)
		err(2, "cannot bind the notify socket");
}

void fake_service_manager_init(FakeServiceManager *manager, size_t maximum)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	char name[sizeof(address.sun_path)], number[32];

	*manager = (FakeServiceManager){ .maximum = maximum };
	/* The kernel assigns an unused abstract address if the size is that of the family alone. */
	bind_socket(manager, &address, sizeof(sa_family_t));
	if (getsockname(manager->socket, (struct sockaddr *)&address, &size) < 0)
		err(2, "getsockname");
	snprintf(name, sizeof(name), "@%.*s",
		 (int)(size - offsetof(struct sockaddr_un, sun_path)) - 1, address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	snprintf(number, sizeof(number), "%zu", maximum);
	setenv("FDSTORE", number, 1);
}

void fake_service_manager_init_at(FakeServiceManager *manager, size_t maximum, const char *path)
{
	struct sockaddr_un address = helper_address(path);

	*manager = (FakeServiceManager){ .maximum = maximum };
	bind_socket(manager, &address, sizeof(address));
	if (chmod(path, 0666) < 0)
		err(2, "%s", path);
}

static void remove_entry(FakeServiceManager *manager, size_t index)
{
	close(manager->entries[index].fd);
	manager->count--;
	memmove(&manager->entries[index], &manager->entries[index + 1],
		(manager->count - index) * sizeof(FakeStoreEntry));
}

void fake_service_manager_deinit(FakeServiceManager *manager)
{
	while (manager->count > 0)
		remove_entry(manager, 0);
	close(manager->socket);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("FDSTORE");
}

static bool is_stored(const FakeServiceManager *manager, int fd)
{
	pid_t self = getpid();

	for (size_t i = 0; i < manager->count; i++)
		if (syscall(SYS_kcmp, self, self, KCMP_FILE, (long)fd,
			    (long)manager->entries[i].fd) == 0)
			return true;
	return false;
}

void fake_service_manager_add(FakeServiceManager *manager, const char *name, int fd)
{
	if (fd < 0)
		errx(2, "there is no fd to store as %s", name);
	if (is_stored(manager, fd) || manager->count == manager->maximum) {
		manager->dropped++;
		close(fd);
		return;
	}
	FakeStoreEntry *entry = &manager->entries[manager->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->fd = fd;
}

void fake_service_manager_remove(FakeServiceManager *manager, const char *name)
{
	for (size_t i = manager->count; i-- > 0;)
		if (strcmp(manager->entries[i].name, name) == 0)
			remove_entry(manager, i);
}

void fake_service_manager_copy(FakeServiceManager *manager, const FakeServiceManager *from)
{
	while (manager->count > 0)
		remove_entry(manager, manager->count - 1);
	for (size_t i = 0; i < from->count; i++)
		fake_service_manager_add(manager, from->entries[i].name,
					 fcntl(from->entries[i].fd, F_DUPFD_CLOEXEC, 0));
}

static void take_message(FakeServiceManager *manager, const char *text, int fd)
{
	char name[FAKE_FDSTORE_NAME_SIZE];

	if (sscanf(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%31s", name) == 1) {
		fake_service_manager_add(manager, name, fd);
		return;
	}
	if (fd >= 0)
		errx(2, "unexpected fd with the message %s", text);
	if (sscanf(text, "FDSTOREREMOVE=1\nFDNAME=%31s", name) == 1)
		fake_service_manager_remove(manager, name);
	else if (strncmp(text, "READY=1", strlen("READY=1")) == 0)
		manager->is_ready = true;
	else if (strncmp(text, "WATCHDOG=1", strlen("WATCHDOG=1")) == 0)
		manager->watchdog_messages++;
}

bool fake_service_manager_read_one(FakeServiceManager *manager)
{
	char text[MESSAGE_SIZE];
	int fd;
	ssize_t size =
		helper_recvmsg_one(manager->socket, text, sizeof(text) - 1, MSG_CMSG_CLOEXEC, &fd);

	if (size < 0 && errno != EAGAIN)
		err(2, "cannot receive a message of the service");
	if (size < 0)
		return false;
	text[size] = '\0';
	take_message(manager, text, fd);
	return true;
}

void fake_service_manager_read(FakeServiceManager *manager)
{
	while (fake_service_manager_read_one(manager))
		;
}

const char *fake_service_manager_names(FakeServiceManager *manager)
{
	static char names[FAKE_FDSTORE_MAX * FAKE_FDSTORE_NAME_SIZE];
	size_t length = 0;

	fake_service_manager_read(manager);
	names[0] = '\0';
	for (size_t i = 0; i < manager->count; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i == 0 ? "" : " ", manager->entries[i].name);
	return names;
}

FakeStoreEntry *fake_service_manager_find(FakeServiceManager *manager, const char *name)
{
	for (size_t i = 0; i < manager->count; i++)
		if (strcmp(manager->entries[i].name, name) == 0)
			return &manager->entries[i];
	return NULL;
}

void fake_service_manager_pass(FakeServiceManager *manager, ListenFds *ret)
{
	fake_service_manager_read(manager);
	ret->items = calloc(manager->count + 1, sizeof(*ret->items));
	ret->count = manager->count;
	for (size_t i = 0; i < manager->count; i++)
		ret->items[i] = (ListenFd){
			.fd = fcntl(manager->entries[i].fd, F_DUPFD_CLOEXEC, 0),
			.name = strdup(manager->entries[i].name),
		};
}

/* Moves all fds to consecutive numbers from FIRST_PASSED on. All others close on exec. */
static void pass_in_order(const FakeServiceManager *manager, int listener, size_t count)
{
	size_t first = listener >= 0;
	int *above = calloc(count + 1, sizeof(*above));

	if (!above)
		err(2, "out of memory");
	for (size_t i = 0; i < count; i++) {
		int from = i < first ? listener : manager->entries[i - first].fd;

		above[i] = fcntl(from, F_DUPFD_CLOEXEC, FIRST_PASSED + (int)count);
		if (above[i] < 0)
			err(2, "cannot duplicate an fd");
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(above[i], FIRST_PASSED + (int)i) < 0)
			err(2, "dup2");
	close_range(FIRST_PASSED + (unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC);
	free(above);
}

/* Sets the environment for sd_listen_fds_with_names(3). */
static void describe_passed(const FakeServiceManager *manager, int listener, size_t count)
{
	static char names[(FAKE_FDSTORE_MAX + 1) * FAKE_FDSTORE_NAME_SIZE];
	char number[32];
	size_t length = 0;

	if (listener >= 0)
		length = (size_t)snprintf(names, sizeof(names), "socket");
	for (size_t i = 0; i < manager->count; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   length == 0 ? "" : ":", manager->entries[i].name);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%zu", count);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
}

void fake_service_manager_execute(const FakeServiceManager *manager, char *const *command,
				  int listener)
{
	size_t count = manager->count + (listener >= 0);

	pass_in_order(manager, listener, count);
	if (count > 0)
		describe_passed(manager, listener, count);
	execvp(command[0], command);
	err(2, "%s", command[0]);
}

pid_t fake_service_manager_start(FakeServiceManager *manager, char *const *command, int listener)
{
	manager->is_ready = false;
	pid_t pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fake_service_manager_execute(manager, command, listener);
}
