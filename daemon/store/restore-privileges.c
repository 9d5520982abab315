/* SPDX-License-Identifier: MIT */
/* Checks the privileges of all registered processes again, before any request is served. */
#include <stdlib.h>

#include "daemon/store/restore.h"
#include "proto/macros.h"

/* Sorts by user and process, so that the credentials of each are read once. */
static int compare_registrations(const void *a, const void *b)
{
	const Registration *x = ((const LookedAt *)a)->registration;
	const Registration *y = ((const LookedAt *)b)->registration;
	int order = compare_numbers(x->connection_credentials.uid, y->connection_credentials.uid);

	if (order == 0)
		order = compare_numbers(x->process->key, y->process->key);
	return order != 0 ? order : compare_numbers(x->thing.serial, y->thing.serial);
}

/* The credentials read last. */
typedef struct CredentialsCache {
	const Host *host;
	bool has_user;
	uid_t uid;
	Evidence user;
	Credentials of_user;
	ProcessKey key; /* PROCESS_KEY_NONE before the first read */
	Evidence process;
	Credentials of_process;
} CredentialsCache;

static void cache_deinit(CredentialsCache *cache)
{
	credentials_deinit(&cache->of_user);
	credentials_deinit(&cache->of_process);
}

static Evidence read_user(CredentialsCache *cache, uid_t uid)
{
	if (cache->has_user && cache->uid == uid)
		return cache->user;
	credentials_deinit(&cache->of_user);
	cache->has_user = true;
	cache->uid = uid;
	cache->user = cache->host->read_user(cache->host->self, uid, &cache->of_user);
	return cache->user;
}

static Evidence read_process(CredentialsCache *cache, ProcessKey key)
{
	if (cache->key == key)
		return cache->process;
	credentials_deinit(&cache->of_process);
	cache->key = key;
	cache->process = cache->host->read_credentials(cache->host->self, key, &cache->of_process);
	return cache->process;
}

/* Updates the user's credentials in the VM's display clients. Returns false if out of resources. */
static bool refresh_clients(CredentialsCache *cache, DisplayClients *clients, uid_t uid)
{
	if (!display_clients_name_user(clients, uid))
		return true;
	Evidence evidence = read_user(cache, uid);
	return evidence != EVIDENCE_EXHAUSTED &&
	       display_clients_set_user(clients, uid,
					evidence == EVIDENCE_FOUND ? &cache->of_user : NULL);
}

/* Checks one registration. Returns false if out of resources. */
static bool look_at(CredentialsCache *cache, LookedAt *looked_at)
{
	const Registration *registration = looked_at->registration;
	DisplayClients *clients = &registration->vm->display_clients;
	const Privileges privileges = {
		.connection = &registration->connection_credentials,
		.process = &cache->of_process,
	};

	looked_at->difference = DIFFERENCE_UNREADABLE;
	looked_at->process = read_process(cache, registration->process->key);
	if (looked_at->process != EVIDENCE_FOUND)
		return looked_at->process != EVIDENCE_EXHAUSTED;
	if (!refresh_clients(cache, clients, registration->connection_credentials.uid))
		return false;
	looked_at->difference = display_clients_compare(clients, &privileges);
	return true;
}

static bool look_at_all(Restore *restore)
{
	const Host *host = restore->broker->host;
	_cleanup_(cache_deinit) CredentialsCache cache = { .host = host };

	for (size_t i = 0; i < restore->registration_count; i++) {
		LookedAt *looked_at = &restore->registrations[i];

		host->restoring(host->self, i, restore->registration_count);
		if (look_at(&cache, looked_at))
			continue;
		restore_refuse(restore->report, STORE_REGISTRATION,
			       looked_at->registration->thing.serial, RESTORE_NO_RESOURCES);
		return false;
	}
	return true;
}

bool restore_look_again(Restore *restore)
{
	Registration *registration;
	size_t count = 0;

	/* The array has room for every restored registration. */
	for (uint64_t cursor = 0; (registration = registration_after(restore->broker, cursor));
	     cursor = registration->thing.serial)
		restore->registrations[count++] = (LookedAt){ .registration = registration };
	restore->registration_count = count;
	qsort(restore->registrations, count, sizeof(LookedAt), compare_registrations);
	return look_at_all(restore);
}

void restore_end_unmatched(Restore *restore)
{
	for (size_t i = 0; i < restore->registration_count; i++) {
		const LookedAt *looked_at = &restore->registrations[i];
		uint64_t serial = looked_at->registration->thing.serial;
		bool is_gone = looked_at->process == EVIDENCE_GONE;

		if (looked_at->difference == DIFFERENCE_NONE)
			continue;
		restore->report->restored[STORE_REGISTRATION]--;
		if (is_gone)
			restore_report_drop(restore->report, STORE_REGISTRATION, serial,
					    RESTORE_PROCESS_IS_GONE, NULL);
		else
			restore_report_drop(restore->report, STORE_REGISTRATION, serial,
					    RESTORE_LOST_PRIVILEGES,
					    difference_name(looked_at->difference));
		registration_end(restore->broker, looked_at->registration,
				 is_gone ? END_PROCESS_EXITED : END_PRIVILEGES_CHANGED);
	}
}
