/* SPDX-License-Identifier: MIT */
#ifndef UNIT_NAIVE_MANAGER_H
#define UNIT_NAIVE_MANAGER_H

#include <stddef.h>

#include "passed-descriptors.h"

/*
 * A service manager with a descriptor store that behaves as systemd's does: what has the open file
 * description of an entry is dropped without a word, and so is what there is no room for. It hears
 * what was sent when it is asked to.
 */
#define NAIVE_ENTRIES_MAX 256

typedef struct NaiveEntry {
	char name[64];
	int descriptor;
} NaiveEntry;

typedef struct NaiveManager {
	int socket;
	size_t maximum;
	size_t count;
	size_t dropped; /* without a word */
	NaiveEntry entries[NAIVE_ENTRIES_MAX];
} NaiveManager;

/* Sets $NOTIFY_SOCKET and $FDSTORE. */
void naive_manager_init(NaiveManager *manager, size_t maximum);
void naive_manager_deinit(NaiveManager *manager);

/* Reads all messages that were sent since. At most 10 can wait. */
void naive_manager_hear(NaiveManager *manager);

/* The names in the order in which they were stored, with blanks between. */
const char *naive_manager_names(NaiveManager *manager);

/* NULL: there is none. */
NaiveEntry *naive_manager_find(NaiveManager *manager, const char *name);

/* What a service that is started now is passed. */
void naive_manager_pass(NaiveManager *manager, PassedDescriptors *ret);

#endif
