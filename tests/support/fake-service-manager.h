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
#define NAIVE_ENTRIES_MAX 4096
#define NAIVE_NAME_SIZE   32

typedef struct FakeStoreEntry {
	char name[NAIVE_NAME_SIZE];
	int fd;
} FakeStoreEntry;

typedef struct FakeServiceManager {
	int socket;
	size_t maximum;
	size_t count;
	size_t dropped; /* silently dropped fds */
	bool is_ready;  /* received since the last start */
	FakeStoreEntry entries[NAIVE_ENTRIES_MAX];
} FakeServiceManager;

/* Sets $NOTIFY_SOCKET and $FDSTORE. */
void fake_service_manager_init(FakeServiceManager *manager, size_t maximum);
void fake_service_manager_deinit(FakeServiceManager *manager);

/* Reads all pending messages. At most 10 can be pending. */
void fake_service_manager_read(FakeServiceManager *manager);

/* Returns the names in the order in which they were stored, separated by spaces. */
const char *fake_service_manager_names(FakeServiceManager *manager);

/* Returns NULL if no entry has the name. */
FakeStoreEntry *fake_service_manager_find(FakeServiceManager *manager, const char *name);

/* Returns duplicates of all stored fds, as a new daemon would receive them. */
void fake_service_manager_pass(FakeServiceManager *manager, ListenFds *ret);

/*
 * Starts a service and passes the listening socket, unless it is -1, and all stored fds. The
 * service is killed when its parent exits.
 */
pid_t fake_service_manager_start(FakeServiceManager *manager, char *const *command, int listener);

#endif
