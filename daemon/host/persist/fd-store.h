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
 * An entry's name is "p" and a ProcessKey, or "m" and an id that is never reused. Names are short
 * because systemd returns all of them in one environment variable of at most 128 KiB.
 */

/* Limited by the environment variable. Keep in sync with FileDescriptorStoreMax= in the unit. */
#define STORE_ENTRIES_MAX 4096

typedef struct StoreName {
	KeptKind kind; /* KEPT_PROCESS or KEPT_DESCRIPTOR */
	uint64_t number;
} StoreName;

typedef struct StoreUse {
	int descriptor;
	struct StoreEntry *entry;
	RB_ENTRY(StoreUse) by_descriptor;
	LIST_ENTRY(StoreUse) of_entry;
} StoreUse;

typedef struct StoreEntry {
	StoreName name;
	int own; /* restored but not claimed yet; -1 otherwise */
	LIST_HEAD(, StoreUse) uses;
	RB_ENTRY(StoreEntry) by_name;
	RB_ENTRY(StoreEntry) by_description;
} StoreEntry;

typedef RB_HEAD(StoreUseTree, StoreUse) StoreUseTree;
typedef RB_HEAD(StoreNameTree, StoreEntry) StoreNameTree;
typedef RB_HEAD(StoreDescriptionTree, StoreEntry) StoreDescriptionTree;

typedef struct DescriptorStore {
	bool is_lasting; /* there is a store; if not, nothing can be persisted */
	size_t maximum;
	size_t used; /* entries, plus those that could not be removed from the service manager */
	StoreUseTree uses;
	StoreNameTree by_name;
	StoreDescriptionTree by_description; /* only entries of kind KEPT_DESCRIPTOR */
} DescriptorStore;

/* The store is lasting if $NOTIFY_SOCKET is set and the kernel has kcmp(). */
void descriptor_store_init(DescriptorStore *store);

/* Closes all unclaimed fds. They stay in the service manager's store. */
void descriptor_store_deinit(DescriptorStore *store);

/* Returns the capacity according to the service manager, but at most STORE_ENTRIES_MAX. */
size_t descriptor_store_maximum(void);

bool descriptor_store_has_room(const DescriptorStore *store);

/* Returns the entry with the same open file description, or NULL. Ignores pidfds. */
StoreEntry *descriptor_store_find_same(const DescriptorStore *store, int descriptor);

/* Returns the entry with that name, or NULL. */
StoreEntry *descriptor_store_find(const DescriptorStore *store, const StoreName *name);

/*
 * Stores the fd, and counts it as the first use of a new entry. The caller keeps the fd and must
 * not close it before descriptor_store_release(). The name must be new, and no entry may have the
 * same open file description. Returns NULL if the store is full, if memory is exhausted, or if the
 * service manager cannot be notified.
 */
StoreEntry *descriptor_store_add(DescriptorStore *store, const StoreName *name, int descriptor);

/* Adds another fd of the entry's open file description. Returns false if out of memory. */
bool descriptor_store_use(DescriptorStore *store, StoreEntry *entry, int descriptor);

/*
 * Ends a use; the fd must still be open. If it was the last use, removes the entry from the store,
 * sets *ret_gone to its name, and returns true. Does nothing for an fd that is not in use.
 */
bool descriptor_store_release(DescriptorStore *store, int descriptor, StoreName *ret_gone);

/*
 * Adds a restored fd, which waits to be claimed. Takes the fd on success. Returns false with errno
 * set: EEXIST if there is such an entry already, or ENOMEM.
 */
bool descriptor_store_take_back(DescriptorStore *store, const StoreName *name, int descriptor);

/* As above, but the caller keeps the fd, which counts as the first use. */
bool descriptor_store_take_back_used(DescriptorStore *store, const StoreName *name, int descriptor);

/* Returns false if the name does not follow the scheme above. */
bool store_name_parse(const char *text, StoreName *ret);

/*
 * Claims an fd of a restored entry as a new use: the entry's own one first, later duplicates. The
 * caller owns the fd, which stays stored until descriptor_store_release(). Returns it, or a
 * negative errno.
 */
int descriptor_store_claim(DescriptorStore *store, StoreEntry *entry);

/* Removes all unclaimed entries, and calls forgotten for each. Returns their number. */
size_t descriptor_store_forget_unclaimed(DescriptorStore *store,
					 void (*forgotten)(void *context, const StoreName *name),
					 void *context);

/* Removes a name from the service manager's store that has no entry here. */
void descriptor_store_remove(DescriptorStore *store, const char *name);

#endif
