/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_CREDENTIALS_H
#define DAEMON_CORE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The privileges of a process as the kernel reports them, and their comparison. "The same
 * privileges" means equal in every field, not greater. uid 0 is not exempt.
 */

/* Identifies a user namespace while it exists: device and inode of /proc/PID/ns/user. */
typedef struct UserNamespace {
	uint64_t device;
	uint64_t inode;
} UserNamespace;

bool user_namespaces_equal(const UserNamespace *a, const UserNamespace *b);

typedef enum IdKind { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FILE_SYSTEM, ID_MAX } IdKind;

/* A set of groups, sorted, without duplicates, the primary group included. */
typedef struct Groups {
	gid_t *ids;
	size_t count;
} Groups;

/* The credentials of a process, read from /proc, or of a user's ordinary login process. */
typedef struct Credentials {
	UserNamespace user_namespace;
	uid_t uids[ID_MAX];
	gid_t gids[ID_MAX];
	Groups groups;
	uint64_t permitted;
	uint64_t effective;
	char *label;          /* from /proc/PID/attr/current; "" without an LSM */
	char *stacked_labels; /* labels of every further active LSM; "" without any */
} Credentials;

/* The peer's credentials as the socket recorded them at connect time. */
typedef struct ConnectionCredentials {
	uid_t uid; /* effective */
	gid_t gid; /* effective */
	Groups groups;
	char *label; /* NULL if the kernel records no labels for connections */
} ConnectionCredentials;

#define CREDENTIALS_INIT            ((Credentials){ 0 })
#define CONNECTION_CREDENTIALS_INIT ((ConnectionCredentials){ 0 })

void groups_deinit(Groups *groups);

/*
 * Makes a set of ids and primary: sorts them and removes duplicates. ids must have room for
 * count + 1 elements. The result owns ids.
 */
Groups groups_take(gid_t *ids, size_t count, gid_t primary);

bool groups_contain(const Groups *groups, gid_t gid);

void credentials_deinit(Credentials *credentials);
void connection_credentials_deinit(ConnectionCredentials *credentials);

/* Copy into *ret. Return false, with *ret empty, if out of memory. */
bool credentials_copy(const Credentials *credentials, Credentials *ret);
bool connection_credentials_copy(const ConnectionCredentials *credentials,
				 ConnectionCredentials *ret);

/* The first field, in the order of comparison, in which two credentials differ. */
typedef enum Difference {
	DIFFERENCE_NONE,
	DIFFERENCE_USER_NAMESPACE,
	DIFFERENCE_UID,
	DIFFERENCE_GID,
	DIFFERENCE_GROUPS,
	DIFFERENCE_CAPABILITIES,
	DIFFERENCE_LABEL,
	DIFFERENCE_UNREADABLE, /* a field could not be read, parsed or stored */
	DIFFERENCE_NO_CLIENT,  /* there is no display client to compare with */
	DIFFERENCE_MAX,
} Difference;

/* Returns the word for the journal, such as "uid" or "unreadable"; NULL for DIFFERENCE_NONE. */
const char *difference_name(Difference difference);

/*
 * Test whether an id, or all ids, are mapped: neither 65534, which stands for an unmapped id, nor
 * -1. An id that is not mapped equals none, not even itself.
 */
bool id_is_mapped(uint32_t id);
bool credentials_are_mapped(const Credentials *credentials);

/* Compares with a process: every field. */
Difference credentials_compare(const Credentials *caller, const Credentials *process);

/* Compares with a user: no labels, and the caller may have no capability but CAP_WAKE_ALARM. */
Difference credentials_compare_user(const Credentials *caller, const Credentials *user);

/*
 * Compares the credentials of a connection with a display client. with_label includes the label,
 * which is known only if the client is a process.
 */
Difference connection_credentials_compare(const ConnectionCredentials *caller,
					  const Credentials *client, bool with_label);

/*
 * Tests whether a process belongs to the owner: all its uids are the owner's effective uid, it is
 * in the owner's user namespace, and it has no capability that the owner lacks.
 */
bool credentials_are_own(const Credentials *process, const Credentials *owner);

#endif
