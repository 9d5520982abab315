/* SPDX-License-Identifier: MIT */
/* The privileges of those who are registered: looked at again before anybody is served. */
#include <stdlib.h>

#include "macros.h"
#include "restore.h"

/* Once a user and once a process, whatever number of registrations they have: by their order. */
static int compare_registrations(const void *a, const void *b)
{
	const Registration *x = ((const LookedAt *)a)->registration;
	const Registration *y = ((const LookedAt *)b)->registration;
	int order = compare_numbers(x->connection_credentials.uid, y->connection_credentials.uid);

	if (order == 0)
		order = compare_numbers(x->process->key, y->process->key);
	return order != 0 ? order : compare_numbers(x->thing.serial, y->thing.serial);
}

/* What was found last. */
typedef struct Known {
	const Host *host;
	bool has_user;
	uid_t uid;
	Evidence user;
	Credentials of_user;
	ProcessKey key; /* PROCESS_KEY_NONE: of nobody yet */
	Evidence process;
	Credentials of_process;
} Known;

static void known_deinit(Known *known)
{
	credentials_deinit(&known->of_user);
	credentials_deinit(&known->of_process);
}

static Evidence know_user(Known *known, uid_t uid)
{
	if (known->has_user && known->uid == uid)
		return known->user;
	credentials_deinit(&known->of_user);
	known->has_user = true;
	known->uid = uid;
	known->user = known->host->read_user(known->host->self, uid, &known->of_user);
	return known->user;
}

static Evidence know_process(Known *known, ProcessKey key)
{
	if (known->key == key)
		return known->process;
	credentials_deinit(&known->of_process);
	known->key = key;
	known->process = known->host->read_credentials(known->host->self, key, &known->of_process);
	return known->process;
}

/* The VM's clients know what the user has now. False: something is exhausted. */
static bool refresh_clients(Known *known, DisplayClients *clients, uid_t uid)
{
	if (!display_clients_name_user(clients, uid))
		return true;
	Evidence evidence = know_user(known, uid);
	return evidence != EVIDENCE_EXHAUSTED &&
	       display_clients_set_user(clients, uid,
					evidence == EVIDENCE_FOUND ? &known->of_user : NULL);
}

/* Whether the process has still the privileges of a display client. */
static bool look_at(Known *known, LookedAt *looked_at)
{
	const Registration *registration = looked_at->registration;
	DisplayClients *clients = &registration->vm->display_clients;
	const Privileges privileges = {
		.connection = &registration->connection_credentials,
		.process = &known->of_process,
	};

	looked_at->difference = DIFFERENCE_UNREADABLE;
	looked_at->process = know_process(known, registration->process->key);
	if (looked_at->process != EVIDENCE_FOUND)
		return looked_at->process != EVIDENCE_EXHAUSTED;
	if (!refresh_clients(known, clients, registration->connection_credentials.uid))
		return false;
	looked_at->difference = display_clients_compare(clients, &privileges);
	return true;
}

static bool look_at_all(Restore *restore)
{
	const Host *host = restore->broker->host;
	_cleanup_(known_deinit) Known known = { .host = host };

	for (size_t i = 0; i < restore->registration_count; i++) {
		LookedAt *looked_at = &restore->registrations[i];

		host->restoring(host->self, i, restore->registration_count);
		if (look_at(&known, looked_at))
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

	/* There is room for each that came back, in any order. */
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
