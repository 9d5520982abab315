/* SPDX-License-Identifier: MIT */
#ifndef CORE_CREDENTIALS_H
#define CORE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the kernel says of a process's privileges, as values, and what "the same privileges" means:
 * equal in every field, not greater. uid 0 is not exempt.
 */

/* Identifies a user namespace while it lives: device and inode of /proc/PID/ns/user. */
typedef struct UserNamespace {
	uint64_t device;
	uint64_t inode;
} UserNamespace;

typedef enum IdKind { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FILE_SYSTEM, ID_MAX } IdKind;

/* A set of groups, sorted, without duplicates, the primary group included. */
typedef struct Groups {
	gid_t *ids;
	size_t count;
} Groups;

/* What /proc says of a process now, or what a user's processes have. */
typedef struct Credentials {
	UserNamespace user_namespace;
	uid_t uids[ID_MAX];
	gid_t gids[ID_MAX];
	Groups groups;
	uint64_t permitted;
	uint64_t effective;
	char *label; /* of the LSM that /proc/PID/attr/current speaks for; "" without one */
	char *stacked_labels; /* of every further active LSM; "" without any */
} Credentials;

/* What the socket recorded when the peer connected. */
typedef struct ConnectionCredentials {
	uid_t uid; /* effective */
	gid_t gid; /* effective */
	Groups groups;
	char *label; /* NULL where the kernel keeps none for connections */
} ConnectionCredentials;

#define CREDENTIALS_INIT            ((Credentials){ 0 })
#define CONNECTION_CREDENTIALS_INIT ((ConnectionCredentials){ 0 })

void groups_deinit(Groups *groups);

/* Sorts, drops duplicates, and adds primary. Takes ids, which has room for count + 1. */
Groups groups_take(gid_t *ids, size_t count, gid_t primary);

bool groups_contain(const Groups *groups, gid_t gid);

void credentials_deinit(Credentials *credentials);
void connection_credentials_deinit(ConnectionCredentials *credentials);

/* Copies into *ret. Returns false, with *ret empty, when there is no memory. */
bool credentials_copy(const Credentials *credentials, Credentials *ret);
bool connection_credentials_copy(const ConnectionCredentials *credentials,
				 ConnectionCredentials *ret);

/* The field in which two sides are found to differ first. */
typedef enum Difference {
	DIFFERENCE_NONE,
	DIFFERENCE_USER_NAMESPACE,
	DIFFERENCE_UID,
	DIFFERENCE_GID,
	DIFFERENCE_GROUPS,
	DIFFERENCE_CAPABILITIES,
	DIFFERENCE_LABEL,
	DIFFERENCE_UNREADABLE, /* a field could not be read, parsed or held */
	DIFFERENCE_MAX,
} Difference;

/* One word for the journal: "uid", "groups", "unreadable"; NULL for none. */
const char *difference_name(Difference difference);

/* Whether the ids are real ones: 65534 is what an unmapped id looks like, -1 is none. */
bool credentials_are_mapped(const Credentials *credentials);

/* Against a process: every field. */
Difference credentials_compare(const Credentials *caller, const Credentials *process);

/* Against a user: no label, and of the capabilities none but CAP_WAKE_ALARM. */
Difference credentials_compare_user(const Credentials *caller, const Credentials *user);

/* The connection's part of the same question. with_label: the client is a process. */
Difference connection_credentials_compare(const ConnectionCredentials *caller,
					  const Credentials *client, bool with_label);

/*
 * Whether a process is its owner's own: each of its uids is that of the owner, it is in the owner's
 * user namespace, and it has no capability that the owner lacks.
 */
bool credentials_are_own(const Credentials *process, const Credentials *owner);

#endif
