/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/resume.h"

#include <string.h>

void resume_deinit(Resume *resume)
{
	buffer_deinit(&resume->mark);
}

void resume_forget(Resume *resume)
{
	resume->mark_revision = 0;
	resume->revision = 0;
}

/* Goes on with an FNV-1a hash. It tells accidents from one another, not attacks. */
static uint64_t digest(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t digest_entry(const EtcdEntry *entry)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	hash = digest(hash, entry->key, strlen(entry->key) + 1);
	hash = digest(hash, entry->value, strlen(entry->value) + 1);
	return digest(hash, &entry->lease, sizeof(entry->lease));
}

void resume_mark(Resume *resume, const EtcdEntry *entry)
{
	if (entry->mod_revision <= resume->mark_revision)
		return;
	buffer_truncate(&resume->mark, 0);
	if (!buffer_append(&resume->mark, entry->key, strlen(entry->key) + 1)) {
		resume_forget(resume);
		return;
	}
	resume->mark_revision = entry->mod_revision;
	resume->mark_digest = digest_entry(entry);
}

bool resume_is_mark(const Resume *resume, const EtcdEntry *entry)
{
	return resume_is_possible(resume) && entry->mod_revision == resume->mark_revision &&
	       digest_entry(entry) == resume->mark_digest;
}

void resume_advance(Resume *resume, int64_t revision)
{
	if (revision > resume->revision)
		resume->revision = revision;
}
