/* SPDX-License-Identifier: MIT */
#include "daemon/core/credentials.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

#define ID_OVERFLOW 65534 /* the kernel's substitute for an unmapped id */
#define ID_NONE     UINT32_MAX

/* systemd 254 and later grants this to every process in the session of a seat. */
#define CAPABILITY_WAKE_ALARM (UINT64_C(1) << 35)

void groups_deinit(Groups *groups)
{
	free(groups->ids);
	*groups = (Groups){ 0 };
}

static int gid_compare(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

/* The kernel sorts groups, and there may be 65536 of them. */
static bool is_sorted(const gid_t *ids, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (ids[i - 1] > ids[i])
			return false;
	return true;
}

static void insert_sorted(gid_t *ids, size_t count, gid_t id)
{
	size_t at = count;

	while (at > 0 && ids[at - 1] > id)
		at--;
	memmove(ids + at + 1, ids + at, (count - at) * sizeof(*ids));
	ids[at] = id;
}

Groups groups_take(gid_t *ids, size_t count, gid_t primary)
{
	size_t unique = 0;

	if (!is_sorted(ids, count))
		qsort(ids, count, sizeof(*ids), gid_compare);
	insert_sorted(ids, count++, primary);
	for (size_t i = 0; i < count; i++)
		if (unique == 0 || ids[unique - 1] != ids[i])
			ids[unique++] = ids[i];
	return (Groups){ .ids = ids, .count = unique };
}

bool groups_contain(const Groups *groups, gid_t gid)
{
	return groups->count > 0 &&
	       bsearch(&gid, groups->ids, groups->count, sizeof(gid), gid_compare) != NULL;
}

static bool groups_equal(const Groups *a, const Groups *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->ids, b->ids, a->count * sizeof(*a->ids)) == 0);
}

static bool groups_copy(const Groups *groups, Groups *ret)
{
	gid_t *ids = malloc((groups->count + 1) * sizeof(*ids));

	if (!ids)
		return false;
	if (groups->count > 0)
		memcpy(ids, groups->ids, groups->count * sizeof(*ids));
	*ret = (Groups){ .ids = ids, .count = groups->count };
	return true;
}

void credentials_deinit(Credentials *credentials)
{
	groups_deinit(&credentials->groups);
	free(credentials->label);
	free(credentials->stacked_labels);
	*credentials = CREDENTIALS_INIT;
}

void connection_credentials_deinit(ConnectionCredentials *credentials)
{
	groups_deinit(&credentials->groups);
	free(credentials->label);
	*credentials = CONNECTION_CREDENTIALS_INIT;
}

/* Copies a string that may be NULL. */
static bool label_copy(const char *label, char **ret)
{
	*ret = label ? strdup(label) : NULL;
	return *ret || !label;
}

bool credentials_copy(const Credentials *credentials, Credentials *ret)
{
	*ret = *credentials;
	ret->groups = (Groups){ 0 };
	ret->label = ret->stacked_labels = NULL;
	if (groups_copy(&credentials->groups, &ret->groups) &&
	    label_copy(credentials->label, &ret->label) &&
	    label_copy(credentials->stacked_labels, &ret->stacked_labels))
		return true;
	credentials_deinit(ret);
	return false;
}

bool connection_credentials_copy(const ConnectionCredentials *credentials,
				 ConnectionCredentials *ret)
{
	*ret = *credentials;
	ret->groups = (Groups){ 0 };
	ret->label = NULL;
	if (groups_copy(&credentials->groups, &ret->groups) &&
	    label_copy(credentials->label, &ret->label))
		return true;
	connection_credentials_deinit(ret);
	return false;
}

const char *difference_name(Difference difference)
{
	static const char *const names[] = {
		[DIFFERENCE_NONE] = NULL,
		[DIFFERENCE_USER_NAMESPACE] = "userNamespace",
		[DIFFERENCE_UID] = "uid",
		[DIFFERENCE_GID] = "gid",
		[DIFFERENCE_GROUPS] = "groups",
		[DIFFERENCE_CAPABILITIES] = "capabilities",
		[DIFFERENCE_LABEL] = "label",
		[DIFFERENCE_UNREADABLE] = "unreadable",
		[DIFFERENCE_NO_CLIENT] = "noDisplayClient",
	};
	_Static_assert(ARRAY_SIZE(names) == DIFFERENCE_MAX, "every difference needs a name");

	return names[difference];
}

bool id_is_mapped(uint32_t id)
{
	return id != ID_OVERFLOW && id != ID_NONE;
}

bool credentials_are_mapped(const Credentials *credentials)
{
	for (int kind = 0; kind < ID_MAX; kind++)
		if (!id_is_mapped(credentials->uids[kind]) ||
		    !id_is_mapped(credentials->gids[kind]))
			return false;
	return !groups_contain(&credentials->groups, ID_OVERFLOW) &&
	       !groups_contain(&credentials->groups, ID_NONE);
}

bool user_namespaces_equal(const UserNamespace *a, const UserNamespace *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* Compares the fields that apply both to a process and to a user. */
static Difference compare_identity(const Credentials *caller, const Credentials *client)
{
	if (!user_namespaces_equal(&caller->user_namespace, &client->user_namespace))
		return DIFFERENCE_USER_NAMESPACE;
	for (int kind = 0; kind < ID_MAX; kind++)
		if (caller->uids[kind] != client->uids[kind] || !id_is_mapped(caller->uids[kind]))
			return DIFFERENCE_UID;
	for (int kind = 0; kind < ID_MAX; kind++)
		if (caller->gids[kind] != client->gids[kind] || !id_is_mapped(caller->gids[kind]))
			return DIFFERENCE_GID;
	if (!groups_equal(&caller->groups, &client->groups) || !credentials_are_mapped(caller))
		return DIFFERENCE_GROUPS;
	return DIFFERENCE_NONE;
}

static Difference compare_label(const char *a, const char *b)
{
	if (!a || !b)
		return DIFFERENCE_UNREADABLE;
	return strcmp(a, b) == 0 ? DIFFERENCE_NONE : DIFFERENCE_LABEL;
}

Difference credentials_compare(const Credentials *caller, const Credentials *process)
{
	Difference difference = compare_identity(caller, process);

	if (difference != DIFFERENCE_NONE)
		return difference;
	if (caller->permitted != process->permitted || caller->effective != process->effective)
		return DIFFERENCE_CAPABILITIES;
	difference = compare_label(caller->label, process->label);
	if (difference != DIFFERENCE_NONE)
		return difference;
	return compare_label(caller->stacked_labels, process->stacked_labels);
}

Difference credentials_compare_user(const Credentials *caller, const Credentials *user)
{
	Difference difference = compare_identity(caller, user);

	if (difference != DIFFERENCE_NONE)
		return difference;
	if ((caller->permitted | caller->effective) & ~CAPABILITY_WAKE_ALARM)
		return DIFFERENCE_CAPABILITIES;
	return DIFFERENCE_NONE;
}

Difference connection_credentials_compare(const ConnectionCredentials *caller,
					  const Credentials *client, bool with_label)
{
	if (caller->uid != client->uids[ID_EFFECTIVE] || !id_is_mapped(caller->uid))
		return DIFFERENCE_UID;
	if (caller->gid != client->gids[ID_EFFECTIVE] || !id_is_mapped(caller->gid))
		return DIFFERENCE_GID;
	if (!groups_equal(&caller->groups, &client->groups) ||
	    groups_contain(&caller->groups, ID_OVERFLOW) ||
	    groups_contain(&caller->groups, ID_NONE))
		return DIFFERENCE_GROUPS;
	if (with_label && caller->label)
		return compare_label(caller->label, client->label);
	return DIFFERENCE_NONE;
}

bool credentials_are_own(const Credentials *process, const Credentials *owner)
{
	for (int kind = 0; kind < ID_MAX; kind++)
		if (process->uids[kind] != owner->uids[ID_EFFECTIVE])
			return false;
	return user_namespaces_equal(&process->user_namespace, &owner->user_namespace) &&
	       (process->permitted & ~owner->permitted) == 0 &&
	       (process->effective & ~owner->permitted) == 0;
}
