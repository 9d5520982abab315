/* SPDX-License-Identifier: MIT */
/* Checks the privileges of all registered processes again, before any request is served. */
#include <stdlib.h>

#include "daemon/store/restore.h"
#include "proto/macros.h"

/* Sorts by user and process, so that the credentials of each are read once. */
static int compare_registrations(const void *a, const void *b)
{
	const Registration *x = ((const PendingRegistration *)a)->registration;
	const Registration *y = ((const PendingRegistration *)b)->registration;
	int order = compare_numbers(x->connection_credentials.uid, y->connection_credentials.uid);

	if (order == 0)
		order = compare_numbers(x->process->key, y->process->key);
	return order != 0 ? order : compare_numbers(x->entity.serial, y->entity.serial);
}

/* The credentials read last. */
typedef struct CredentialsCache {
	const Host *host;
	bool has_user;
	uid_t uid;
	Lookup user;
	Credentials of_user;
	ProcessKey key; /* PROCESS_KEY_NONE before the first read */
	Lookup process;
	Credentials of_process;
} CredentialsCache;

static void cache_deinit(CredentialsCache *cache)
{
	credentials_deinit(&cache->of_user);
	credentials_deinit(&cache->of_process);
}

static Lookup read_user(CredentialsCache *cache, uid_t uid)
{
	if (cache->has_user && cache->uid == uid)
		return cache->user;
	credentials_deinit(&cache->of_user);
	cache->has_user = true;
	cache->uid = uid;
	cache->user = cache->host->read_user(cache->host->self, uid, &cache->of_user);
	return cache->user;
}

static Lookup read_process(CredentialsCache *cache, ProcessKey key)
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
	if (!display_clients_contain_user(clients, uid))
		return true;
	Lookup lookup = read_user(cache, uid);
	return lookup != LOOKUP_EXHAUSTED &&
	       display_clients_set_user(clients, uid,
					lookup == LOOKUP_FOUND ? &cache->of_user : NULL);
}

/* Checks one registration. Returns false if out of resources. */
static bool look_at(CredentialsCache *cache, PendingRegistration *pending)
{
	const Registration *registration = pending->registration;
	DisplayClients *clients = &registration->vm->display_clients;
	const Privileges privileges = {
		.connection = &registration->connection_credentials,
		.process = &cache->of_process,
	};

	pending->difference = DIFFERENCE_UNREADABLE;
	pending->process = read_process(cache, registration->process->key);
	if (pending->process != LOOKUP_FOUND)
		return pending->process != LOOKUP_EXHAUSTED;
	if (!refresh_clients(cache, clients, registration->connection_credentials.uid))
		return false;
	pending->difference = display_clients_compare(clients, &privileges);
	pending->rights = display_clients_rights(clients, &privileges);
	return true;
}

static bool look_at_all(Restore *restore)
{
	const Host *host = restore->broker->host;
	_cleanup_(cache_deinit) CredentialsCache cache = { .host = host };

	for (size_t i = 0; i < restore->registration_count; i++) {
		PendingRegistration *pending = &restore->registrations[i];

		host->restoring(host->self, i, restore->registration_count);
		if (look_at(&cache, pending))
			continue;
		restore_refuse(restore->report, STORE_REGISTRATION,
			       pending->registration->entity.serial, RESTORE_NO_RESOURCES);
		return false;
	}
	return true;
}

bool restore_check_privileges(Restore *restore)
{
	Registration *registration;
	size_t count = 0;

	/* The array has room for every restored registration. */
	for (uint64_t cursor = 0; (registration = registration_after(restore->broker, cursor));
	     cursor = registration->entity.serial)
		restore->registrations[count++] =
			(PendingRegistration){ .registration = registration };
	restore->registration_count = count;
	qsort(restore->registrations, count, sizeof(PendingRegistration), compare_registrations);
	return look_at_all(restore);
}

void restore_end_changed(Restore *restore)
{
	for (size_t i = 0; i < restore->registration_count; i++) {
		const PendingRegistration *pending = &restore->registrations[i];
		uint64_t serial = pending->registration->entity.serial;
		bool is_gone = pending->process == LOOKUP_GONE;

		if (pending->difference == DIFFERENCE_NONE) {
			/* After a crash, a channel may still have a right that was withdrawn. */
			display_channels_withdraw(restore->broker, pending->registration,
						  pending->rights);
			continue;
		}
		restore->report->restored[STORE_REGISTRATION]--;
		if (is_gone)
			restore_report_drop(restore->report, STORE_REGISTRATION, serial,
					    RESTORE_PROCESS_IS_GONE, NULL);
		else
			restore_report_drop(restore->report, STORE_REGISTRATION, serial,
					    RESTORE_LOST_PRIVILEGES,
					    difference_name(pending->difference));
		registration_end(restore->broker, pending->registration,
				 is_gone ? END_PROCESS_EXITED : END_PRIVILEGES_CHANGED);
	}
}
