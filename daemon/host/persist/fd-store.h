/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_FD_STORE_H
#define DAEMON_HOST_PERSIST_FD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/tree.h"
#include "daemon/host/persist/record-line.h"

/*
 * The service manager's fd store (FDSTORE of sd_notify(3)), which holds fds while the daemon does
 * not run. It silently drops an fd if the store is full, or if it already has the same open file
 * description according to kcmp(2). Therefore this module has one entry per open file description,
 * tracks the daemon's fds that use it, and refuses to exceed the capacity.
 *
 * An entry without uses has ended. It stays stored, and counts, until fd_store_remove_ended(), so
 * that the owner can tell the service manager about many entries in slices. Until then it can be
 * used again.
 *
 * An entry's name is "p" and a ProcessKey, or "m" and an id that is never reused. Names are short
 * because systemd returns all of them in one environment variable of at most 128 KiB.
 */

/* Limited by the environment variable. Keep in sync with FileDescriptorStoreMax= in the unit. */
#define STORE_ENTRIES_MAX 4096

typedef struct StoreName {
	PersistedKind kind; /* PERSISTED_PROCESS or PERSISTED_FD */
	uint64_t number;
} StoreName;

typedef struct StoreUse {
	int fd;
	struct StoreEntry *entry;
	RB_ENTRY(StoreUse) by_fd;
	LIST_ENTRY(StoreUse) of_entry;
} StoreUse;

typedef struct StoreEntry {
	StoreName name;
	int own; /* restored but not claimed yet, or ended; -1 otherwise */
	bool has_ended;
	LIST_HEAD(, StoreUse) uses;
	TAILQ_ENTRY(StoreEntry) of_ended;
	RB_ENTRY(StoreEntry) by_name;
	RB_ENTRY(StoreEntry) by_description;
} StoreEntry;

typedef RB_HEAD(StoreUseTree, StoreUse) StoreUseTree;
typedef RB_HEAD(StoreNameTree, StoreEntry) StoreNameTree;
typedef RB_HEAD(StoreDescriptionTree, StoreEntry) StoreDescriptionTree;
typedef TAILQ_HEAD(EndedEntries, StoreEntry) EndedEntries;

typedef struct FdStore {
	bool is_lasting; /* there is a store; if not, nothing can be persisted */
	int notify;      /* for messages to the service manager; negative if there is none */
	size_t maximum;
	size_t used; /* entries, plus those that could not be removed from the service manager */
	StoreUseTree uses;
	StoreNameTree by_name;
	StoreDescriptionTree by_description; /* only entries of kind PERSISTED_FD */
	EndedEntries ended;                  /* in the order in which they have ended */
} FdStore;

/* The store is lasting if $NOTIFY_SOCKET is set and the kernel has kcmp(). */
void fd_store_init(FdStore *store);

/* Closes all unclaimed fds. They stay in the service manager's store. */
void fd_store_deinit(FdStore *store);

/* Returns the capacity according to the service manager, but at most STORE_ENTRIES_MAX. */
size_t fd_store_capacity(void);

bool fd_store_has_room(const FdStore *store);

/* Returns the entry with the same open file description, or NULL. Ignores pidfds. */
StoreEntry *fd_store_find_same(const FdStore *store, int fd);

/* Returns the entry with that name, or NULL. */
StoreEntry *fd_store_find(const FdStore *store, const StoreName *name);

/*
 * Stores the fd, and counts it as the first use of a new entry. The caller keeps the fd and must
 * not close it before fd_store_release(). The name must be new, and no entry may have the
 * same open file description. Returns NULL if the store is full, if memory is exhausted, or if the
 * service manager cannot be notified.
 */
StoreEntry *fd_store_add(FdStore *store, const StoreName *name, int fd);

/*
 * Adds another fd of the entry's open file description. An entry that had ended is used again.
 * Returns false if out of memory.
 */
bool fd_store_use(FdStore *store, StoreEntry *entry, int fd);

/*
 * Ends a use; the fd must still be open. Returns the entry if this was its last use, so that it has
 * ended. Returns NULL otherwise, also for an fd that is not in use. An ended entry of kind
 * PERSISTED_FD owns the fd, and closes it when it is removed.
 */
StoreEntry *fd_store_release(FdStore *store, int fd);

/* Returns the entry that ended first, or NULL. */
StoreEntry *fd_store_first_ended(const FdStore *store);

/* Removes the entry that ended first from the service manager's store. There must be one. */
void fd_store_remove_ended(FdStore *store);

/*
 * Adds a restored fd, which waits to be claimed. Takes the fd on success. Returns false with errno
 * set: EEXIST if there is such an entry already, or ENOMEM.
 */
bool fd_store_restore(FdStore *store, const StoreName *name, int fd);

/* As above, but the caller keeps the fd, which counts as the first use. */
bool fd_store_restore_used(FdStore *store, const StoreName *name, int fd);

/* Returns false if the name does not follow the scheme above. */
bool store_name_parse(const char *text, StoreName *ret);

/*
 * Claims an fd of a restored entry as a new use: the entry's own one first, later duplicates. The
 * caller owns the fd, which stays stored until fd_store_release(). Returns it, or a
 * negative errno.
 */
int fd_store_claim(FdStore *store, StoreEntry *entry);

/*
 * Ends all unclaimed entries, and calls ended for each. Shuts down and empties those that are
 * sockets, because the service manager would block if it closed fds that were sent on them. If out
 * of resources for that, keeps such an entry for the next start. Returns the number of ended ones.
 */
size_t fd_store_end_unclaimed(FdStore *store, void (*ended)(void *context, const StoreName *name),
			      void *context);

/* Removes a name from the service manager's store that has no entry here. */
void fd_store_remove(FdStore *store, const char *name);

#endif
