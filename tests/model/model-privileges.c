/* SPDX-License-Identifier: MIT */
/*
 * A second implementation of "the same privileges", from section 3 of the contract. It shares no
 * code with the core.
 */
#include <string.h>

#include "tests/model/model.h"

static bool has_group(const Groups *groups, gid_t gid)
{
	for (size_t i = 0; i < groups->count; i++)
		if (groups->ids[i] == gid)
			return true;
	return false;
}

/* Compares the groups as sets. */
static bool same_groups(const Groups *a, const Groups *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!has_group(b, a->ids[i]))
			return false;
	for (size_t i = 0; i < b->count; i++)
		if (!has_group(a, b->ids[i]))
			return false;
	return true;
}

bool model_is_real(uint32_t id)
{
	return id != 65534 && id != (uint32_t)-1;
}

bool model_has_real_ids(const Credentials *credentials)
{
	for (int kind = 0; kind < ID_MAX; kind++)
		if (!model_is_real(credentials->uids[kind]) ||
		    !model_is_real(credentials->gids[kind]))
			return false;
	return !has_group(&credentials->groups, 65534) &&
	       !has_group(&credentials->groups, (gid_t)-1);
}

static bool same_connection(const ConnectionCredentials *connection, const Credentials *client,
			    bool is_user)
{
	if (!model_is_real(connection->uid) || !model_is_real(connection->gid))
		return false;
	if (has_group(&connection->groups, 65534) || has_group(&connection->groups, (gid_t)-1))
		return false;
	return connection->uid == client->uids[ID_EFFECTIVE] &&
	       connection->gid == client->gids[ID_EFFECTIVE] &&
	       same_groups(&connection->groups, &client->groups) &&
	       (is_user || !connection->label || strcmp(connection->label, client->label) == 0);
}

bool model_matches_connection(const ModelClient *client, const Caller *caller)
{
	if (client->unreadable || (client->is_user && !caller->in_initial_user_namespace))
		return false;
	return model_has_same_connection(client, caller);
}

bool model_has_same_connection(const ModelClient *client, const Caller *caller)
{
	return !client->unreadable &&
	       caller->user_namespace.inode == client->snapshot.user_namespace.inode &&
	       same_connection(&caller->credentials, &client->snapshot, client->is_user);
}

bool model_has_same_privileges(const ModelClient *client, const ConnectionCredentials *connection,
			       const Credentials *now)
{
	const Credentials *then = &client->snapshot;
	const uint64_t wake_alarm = UINT64_C(1) << 35;

	if (client->unreadable || !same_connection(connection, then, client->is_user))
		return false;
	for (int kind = 0; kind < ID_MAX; kind++)
		if (now->uids[kind] != then->uids[kind] || now->gids[kind] != then->gids[kind] ||
		    !model_is_real(now->uids[kind]) || !model_is_real(now->gids[kind]))
			return false;
	if (now->user_namespace.inode != then->user_namespace.inode ||
	    now->user_namespace.device != then->user_namespace.device)
		return false;
	if (!same_groups(&now->groups, &then->groups) || has_group(&now->groups, 65534) ||
	    has_group(&now->groups, (gid_t)-1))
		return false;
	if (client->is_user)
		return (now->permitted == 0 || now->permitted == wake_alarm) &&
		       (now->effective == 0 || now->effective == wake_alarm);
	return now->permitted == then->permitted && now->effective == then->effective &&
	       strcmp(now->label, then->label) == 0 &&
	       strcmp(now->stacked_labels, then->stacked_labels) == 0;
}

void model_refresh_users(Model *model, ModelMachine *machine, uid_t uid)
{
	for (size_t i = 0; i < machine->client_count; i++) {
		ModelClient *client = &machine->clients[i];

		if (!client->is_user || client->uid != uid)
			continue;
		credentials_deinit(&client->snapshot);
		client->unreadable = true;
		for (size_t j = 0; j < model->fake_host->user_count; j++) {
			const FakeUser *user = &model->fake_host->users[j];

			if (user->uid != client->uid || user->lookup != LOOKUP_FOUND)
				continue;
			client->unreadable = false;
			fake_host_must(credentials_copy(&user->credentials, &client->snapshot));
		}
	}
}

bool model_may_see(Model *model, const Caller *caller, const ModelMachine *machine)
{
	bool is_registrar = caller->credentials.uid == machine->registrar &&
			    model_is_real(machine->registrar) &&
			    (caller->in_initial_user_namespace || !machine->by_operator);

	if (caller->is_operator || caller->is_observer || is_registrar ||
	    machine->vmm == caller->process ||
	    (machine->incoming != PROCESS_KEY_NONE && machine->incoming == caller->process))
		return true;
	if (model_registration(model, caller->process, machine->serial))
		return true;
	for (size_t i = 0; i < machine->client_count; i++)
		if ((!machine->clients[i].is_user || caller->in_initial_user_namespace) &&
		    model_matches_connection(&machine->clients[i], caller))
			return true;
	return false;
}
