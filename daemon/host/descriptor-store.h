/* SPDX-License-Identifier: MIT */
#ifndef HOST_DESCRIPTOR_STORE_H
#define HOST_DESCRIPTOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "record-line.h"
#include "tree.h"

/*
 * The service manager's descriptor store (FDSTORE of sd_notify(3)), which holds descriptors while
 * the daemon does not run. It drops without a word what it takes for the open file description that
 * it has already, as kcmp(2) tells, and all that is too much. So there is one entry here for each
 * open file description, with the descriptors of the daemon's that use it, and what the store
 * would drop for want of room is refused.
 *
 * An entry's name says what it is: "p" and a ProcessKey, or "m" and an id that is never used again.
 * Short ones, for all names come back in one string of the environment, of 128 KiB at most.
 */

/* More of their names would not fit into the environment. The unit's FileDescriptorStoreMax= is the
 * same number. */
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
	int own; /* taken back, and nobody has asked for it; -1 otherwise */
	LIST_HEAD(, StoreUse) uses;
	RB_ENTRY(StoreEntry) by_name;
	RB_ENTRY(StoreEntry) by_description;
} StoreEntry;

typedef RB_HEAD(StoreUseTree, StoreUse) StoreUseTree;
typedef RB_HEAD(StoreNameTree, StoreEntry) StoreNameTree;
typedef RB_HEAD(StoreDescriptionTree, StoreEntry) StoreDescriptionTree;

typedef struct DescriptorStore {
	bool is_lasting; /* there is a store; otherwise nothing is kept */
	size_t maximum;
	size_t used; /* entries, and what the store was told to remove in vain */
	StoreUseTree uses;
	StoreNameTree by_name;
	StoreDescriptionTree by_description; /* KEPT_DESCRIPTOR alone */
} DescriptorStore;

/* With $NOTIFY_SOCKET, and a kernel that has kcmp, it is lasting. */
void descriptor_store_init(DescriptorStore *store);

/* Closes what nobody has asked for. What is stored stays so. */
void descriptor_store_deinit(DescriptorStore *store);

/* What the service manager has room for, as it says, and never more than STORE_ENTRIES_MAX. */
size_t descriptor_store_maximum(void);

bool descriptor_store_has_room(const DescriptorStore *store);

/* The entry that has the same open file description; NULL: none has. */
StoreEntry *descriptor_store_find_same(const DescriptorStore *store, int descriptor);

StoreEntry *descriptor_store_find(const DescriptorStore *store, const StoreName *name);

/*
 * Stores the descriptor under that name, as its first use. It stays the caller's, and open until
 * descriptor_store_release(). The name is new, and no entry has the same open file description.
 * NULL: there is no room, or the service manager does not hear.
 */
StoreEntry *descriptor_store_add(DescriptorStore *store, const StoreName *name, int descriptor);

/* One more descriptor of the entry's open file description. False: there is no memory. */
bool descriptor_store_use(DescriptorStore *store, StoreEntry *entry, int descriptor);

/*
 * The descriptor, which is still open, is used no more; with the last one the store lets go, and
 * *ret_gone says which entry that was. Returns false otherwise. What is not stored is nothing.
 */
bool descriptor_store_release(DescriptorStore *store, int descriptor, StoreName *ret_gone);

/*
 * What came back, under its name, until somebody claims it. False, and it stays the caller's, with
 * errno: there is such an entry already (EEXIST), or no memory.
 */
bool descriptor_store_take_back(DescriptorStore *store, const StoreName *name, int descriptor);

/* The same of what has its first use already, and is the caller's. */
bool descriptor_store_take_back_used(DescriptorStore *store, const StoreName *name, int descriptor);

/* False where the name is of nobody's here. */
bool store_name_parse(const char *text, StoreName *ret);

/*
 * A descriptor of what came back, for one more user of it: the caller's, stored until
 * descriptor_store_release(). Returns it or a negative errno.
 */
int descriptor_store_claim(DescriptorStore *store, StoreEntry *entry);

/* Lets go of what came back and nobody has claimed, and tells of each. Returns how many. */
size_t descriptor_store_forget_unclaimed(DescriptorStore *store,
					 void (*forgotten)(void *context, const StoreName *name),
					 void *context);

/* Lets go of what came back under a name and has no entry. */
void descriptor_store_remove(DescriptorStore *store, const char *name);

#endif
