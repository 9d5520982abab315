/* SPDX-License-Identifier: MIT */
#include "tests/model/played-etcd.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void played_etcd_init(PlayedEtcd *etcd)
{
	*etcd = (PlayedEtcd){ .revision = 1 };
}

void played_etcd_deinit(PlayedEtcd *etcd)
{
	for (size_t i = 0; i < etcd->key_count; i++) {
		free(etcd->keys[i].key);
		free(etcd->keys[i].value);
	}
	for (size_t i = 0; i < etcd->event_count; i++) {
		free(etcd->events[i].key);
		free(etcd->events[i].value);
	}
	free(etcd->events);
}

static void add_event(PlayedEtcd *etcd, const char *key, const char *value)
{
	if (etcd->event_count == etcd->event_room) {
		etcd->event_room = etcd->event_room * 2 + 64;
		etcd->events = realloc(etcd->events, etcd->event_room * sizeof(*etcd->events));
		cr_assert(etcd->events);
	}
	etcd->events[etcd->event_count++] =
		(PlayedEvent){ strdup(key), value ? strdup(value) : NULL, etcd->revision };
}

static PlayedKey *find(PlayedEtcd *etcd, const char *key)
{
	for (size_t i = 0; i < etcd->key_count; i++)
		if (strcmp(etcd->keys[i].key, key) == 0)
			return &etcd->keys[i];
	return NULL;
}

const PlayedKey *played_find(const PlayedEtcd *etcd, const char *key)
{
	return find((PlayedEtcd *)etcd, key);
}

static bool has_lease(const PlayedEtcd *etcd, int64_t lease)
{
	for (size_t i = 0; i < etcd->lease_count; i++)
		if (etcd->leases[i].id == lease)
			return true;
	return lease == 0;
}

int64_t played_grant(PlayedEtcd *etcd, uint64_t expires)
{
	cr_assert_lt(etcd->lease_count, PLAYED_LEASES);
	etcd->leases[etcd->lease_count].id = ++etcd->last_lease;
	etcd->leases[etcd->lease_count++].expires = expires;
	return etcd->last_lease;
}

bool played_keep_alive(PlayedEtcd *etcd, int64_t lease, uint64_t expires)
{
	for (size_t i = 0; i < etcd->lease_count; i++) {
		if (etcd->leases[i].id != lease)
			continue;
		etcd->leases[i].expires = expires;
		return true;
	}
	return false;
}

static void remove_key(PlayedEtcd *etcd, PlayedKey *found)
{
	etcd->revision++;
	add_event(etcd, found->key, NULL);
	free(found->key);
	free(found->value);
	*found = etcd->keys[--etcd->key_count];
}

void played_revoke(PlayedEtcd *etcd, int64_t lease)
{
	for (size_t i = 0; i < etcd->lease_count; i++)
		if (etcd->leases[i].id == lease)
			etcd->leases[i] = etcd->leases[--etcd->lease_count];
	for (size_t i = etcd->key_count; i > 0; i--)
		if (etcd->keys[i - 1].lease == lease)
			remove_key(etcd, &etcd->keys[i - 1]);
}

void played_expire(PlayedEtcd *etcd, uint64_t now)
{
	for (size_t i = etcd->lease_count; i > 0; i--)
		if (now >= etcd->leases[i - 1].expires)
			played_revoke(etcd, etcd->leases[i - 1].id);
}

bool played_put(PlayedEtcd *etcd, const char *key, const char *value, int64_t lease)
{
	PlayedKey *found = find(etcd, key);

	if (!has_lease(etcd, lease))
		return false;
	if (!found) {
		cr_assert_lt(etcd->key_count, PLAYED_KEYS);
		found = &etcd->keys[etcd->key_count++];
		*found = (PlayedKey){ .key = strdup(key) };
	}
	free(found->value);
	found->value = strdup(value);
	found->lease = lease;
	found->mod_revision = ++etcd->revision;
	add_event(etcd, key, value);
	return true;
}

void played_delete(PlayedEtcd *etcd, const char *key)
{
	PlayedKey *found = find(etcd, key);

	if (found)
		remove_key(etcd, found);
}

bool played_swap(PlayedEtcd *etcd, const char *key, int64_t mod_revision, const char *value)
{
	PlayedKey *found = find(etcd, key);

	if ((found ? found->mod_revision : 0) != mod_revision)
		return false;
	if (value)
		return played_put(etcd, key, value, 0);
	if (found)
		remove_key(etcd, found);
	return true;
}
