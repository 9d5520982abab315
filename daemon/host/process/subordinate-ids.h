/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_SUBORDINATE_IDS_H
#define DAEMON_HOST_PROCESS_SUBORDINATE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SUBORDINATE_IDS_PATH "/etc/subuid"

/*
 * The owners of subordinate uids, from subuid(5). A user can run processes with such uids in a user
 * namespace. Outside of it, too: a process in the namespace makes a set-uid file, and the user
 * executes it.
 */
typedef struct SubordinateRange {
	uint64_t first;
	uint64_t end; /* the first uid after the range */
	uid_t owner;
} SubordinateRange;

typedef struct SubordinateIds {
	const char *path;
	SubordinateRange *ranges; /* sorted by first */
	size_t count;
	bool is_read;
	struct stat file; /* as it was read; zero if it did not exist */
} SubordinateIds;

/* Reads the file. The path is used later, too. */
void subordinate_ids_init(SubordinateIds *ids, const char *path);
void subordinate_ids_deinit(SubordinateIds *ids);

/*
 * Returns the owner of a subordinate uid, and any other uid unchanged. A range of root has no
 * owner, because root lends it to containers. Reads the file again if it has changed. If that
 * fails, logs a warning and keeps the earlier ranges.
 */
uid_t subordinate_ids_owner(SubordinateIds *ids, uid_t uid);

/* Reads the file again, because its users may have got other uids. */
void subordinate_ids_reload(SubordinateIds *ids);

#endif
