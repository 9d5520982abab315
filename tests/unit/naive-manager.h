/* SPDX-License-Identifier: MIT */
#ifndef UNIT_NAIVE_MANAGER_H
#define UNIT_NAIVE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "passed-descriptors.h"

/*
 * A service manager with a descriptor store that behaves as systemd's does: what has the open file
 * description of an entry is dropped without a word, and so is what there is no room for. It hears
 * what was sent when it is asked to, and ends its process where it cannot go on.
 */
#define NAIVE_ENTRIES_MAX 4096
#define NAIVE_NAME_SIZE   32

typedef struct NaiveEntry {
	char name[NAIVE_NAME_SIZE];
	int descriptor;
} NaiveEntry;

typedef struct NaiveManager {
	int socket;
	size_t maximum;
	size_t count;
	size_t dropped; /* without a word */
	bool is_ready;  /* the service has said so since it was started */
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

/*
 * Starts a service with all that is stored; before that comes a socket that it listens on, where
 * that is not -1. It dies with its parent.
 */
pid_t naive_manager_start(NaiveManager *manager, char *const *command, int listener);

#endif
