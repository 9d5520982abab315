/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_SERVICE_MANAGER_H
#define TESTS_SUPPORT_FAKE_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/host/persist/listen-fds.h"

/*
 * A fake service manager with an fd store like that of systemd: it silently drops an fd if an entry
 * has the same open file description, or if the store is full. It reads messages only on request,
 * and exits the process on an unexpected error.
 */
#define FAKE_FDSTORE_MAX       4096
#define FAKE_FDSTORE_NAME_SIZE 32

typedef struct FakeStoreEntry {
	char name[FAKE_FDSTORE_NAME_SIZE];
	int fd;
} FakeStoreEntry;

typedef struct FakeServiceManager {
	int socket;
	size_t maximum;
	size_t count;
	size_t dropped; /* silently dropped fds */
	bool is_ready;  /* received since the last start */
	size_t watchdog_messages;
	FakeStoreEntry entries[FAKE_FDSTORE_MAX];
} FakeServiceManager;

/* Sets $NOTIFY_SOCKET and $FDSTORE. fake_service_manager_deinit() unsets them. */
void fake_service_manager_init(FakeServiceManager *manager, size_t maximum);
void fake_service_manager_deinit(FakeServiceManager *manager);

/* Initialises a manager whose notify socket is at this path. Leaves the environment unchanged. */
void fake_service_manager_init_at(FakeServiceManager *manager, size_t maximum, const char *path);

/* Reads all pending messages. At most 10 can be pending. */
void fake_service_manager_read(FakeServiceManager *manager);

/* Reads the next pending message. Returns false if there is none. */
bool fake_service_manager_read_one(FakeServiceManager *manager);

/* Returns the names in the order in which they were stored, separated by spaces. */
const char *fake_service_manager_names(FakeServiceManager *manager);

/* Returns the first entry with the name, or NULL if there is none. */
FakeStoreEntry *fake_service_manager_find(FakeServiceManager *manager, const char *name);

/* Stores the fd, as if a service had sent it. Takes ownership of the fd. */
void fake_service_manager_add(FakeServiceManager *manager, const char *name, int fd);

/* Removes all entries with the name. */
void fake_service_manager_remove(FakeServiceManager *manager, const char *name);

/* Replaces the entries with duplicates of those of another manager. */
void fake_service_manager_copy(FakeServiceManager *manager, const FakeServiceManager *from);

/* Returns duplicates of all stored fds, as a new daemon would receive them. */
void fake_service_manager_pass(FakeServiceManager *manager, ListenFds *ret);

/*
 * Starts a service and passes the listening socket, unless it is -1, and all stored fds. The
 * service is killed when its parent exits.
 */
pid_t fake_service_manager_start(FakeServiceManager *manager, char *const *command, int listener);

/* Executes the service in this process, and passes it the same fds. Closes all others except 0-2.
 */
_Noreturn void fake_service_manager_execute(const FakeServiceManager *manager, char *const *command,
					    int listener);

#endif
